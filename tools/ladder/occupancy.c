#include "occupancy.h"

#include <stddef.h>

enum { LANES = 32, REGISTERS = 65536, REGISTER_STEP = 256, SCHEDULERS = 4 };

static const struct occupancy_limits table[] = {
    {61, 64, 32, 96 << 10, 0, 256, 128},     {70, 64, 32, 96 << 10, 0, 256, 64},       {75, 32, 16, 64 << 10, 0, 256, 64},
    {80, 64, 32, 164 << 10, 1024, 128, 64},  {86, 48, 16, 100 << 10, 1024, 128, 128},  {89, 48, 24, 100 << 10, 1024, 128, 128},
    {90, 64, 32, 228 << 10, 1024, 128, 128}, {100, 64, 32, 228 << 10, 1024, 128, 128}, {120, 48, 24, 100 << 10, 1024, 128, 128},
};

const struct occupancy_limits *occupancy_limits_of(int arch)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].arch == arch)
            return &table[i];
    return NULL;
}

static int round_up(int x, int step) { return (x + step - 1) / step * step; }

static void bound(struct occupancy *o, int blocks, const char *by)
{
    if (blocks < o->blocks) {
        o->blocks = blocks;
        o->limit = by;
    }
}

struct occupancy occupancy_of(const struct occupancy_limits *limits, int threads, int registers, int shared_bytes)
{
    int warps = round_up(threads, LANES) / LANES;
    struct occupancy o = {limits->blocks, 0, "blocks"};
    bound(&o, limits->warps / warps, "warps");
    /* each scheduler has a quarter of the registers, and a warp lives on one scheduler */
    int of_warp = round_up(registers * LANES, REGISTER_STEP);
    if (of_warp)
        bound(&o, REGISTERS / SCHEDULERS / of_warp * SCHEDULERS / warps, "registers");
    int of_block = round_up(shared_bytes + limits->reserved_bytes, limits->shared_step);
    if (of_block)
        bound(&o, limits->shared_bytes / of_block, "shared");
    o.warps = (double)(o.blocks * warps) / limits->warps;
    return o;
}
