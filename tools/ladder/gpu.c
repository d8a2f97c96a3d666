#include "gpu.h"

#include <ctype.h>
#include <string.h>

/* Dense rates, from the makers' data sheets; spec/performance.md 5e. On sm_90 mma.sync reaches 63 % of what wgmma does (measured,
 * arXiv:2501.12084), and sm_100 is taken to be no better. A6000 and PRO 6000 Max-Q are there for the published figures: the
 * former with its data sheet's boost, the latter, which a limit of 300 W holds down, with the clock that its figures' author saw.
 */
static const struct gpu gpus[] = {
    {"T4", 75, 40, 1590, 320, 4, 0, 512},
    {"RTX 2080 Ti", 75, 68, 1545, 616, 6, 0, 256},
    {"A100", 80, 108, 1410, 1555, 40, 512, 1024},
    {"A100 80GB", 80, 108, 1410, 2039, 40, 512, 1024},
    {"A10", 86, 72, 1695, 600, 6, 256, 512},
    {"A6000", 86, 84, 1800, 768, 6, 256, 512},
    {"RTX 3060", 86, 28, 1777, 360, 3, 128, 256},
    {"RTX 3090", 86, 82, 1695, 936, 6, 128, 256},
    {"L4", 89, 58, 2040, 300, 48, 256, 512},
    {"RTX 4090", 89, 128, 2520, 1008, 72, 128, 256},
    {"H100", 90, 132, 1980, 3350, 50, 645, 1290},
    {"H200", 90, 132, 1980, 4800, 50, 645, 1290},
    {"B200", 100, 148, 1965, 7700, 126, 1290, 2580},
    {"RTX 5090", 120, 170, 2407, 1792, 96, 128, 256},
    {"PRO 6000 Max-Q", 120, 188, 1800, 1792, 128, 256, 512},
};
const struct gpu gpu_v100 = {"V100", 70, 80, 1530, 900, 6, 0, 512};
const struct gpu gpu_p4 = {"P4", 61, 20, 1063, 192, 2, 0, 0};

const struct gpu *gpu_at(int i) { return i >= 0 && (size_t)i < sizeof gpus / sizeof *gpus ? &gpus[i] : NULL; }

/* Letters and digits, small, without the words that a maker puts before a name. */
static void plain(const char *name, char out[64])
{
    static const char *const words[] = {"nvidia", "tesla", "geforce", "quadro", "rtx", "gtx"};
    size_t length = 0;
    for (; *name && length < 63; name++)
        if (isalnum((unsigned char)*name))
            out[length++] = (char)tolower((unsigned char)*name);
    out[length] = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(out, words[i], strlen(words[i])))
            memmove(out, out + strlen(words[i]), strlen(out + strlen(words[i])) + 1);
}

const struct gpu *gpu_find(const char *name)
{
    char asked[64], has[64];
    plain(name, asked);
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        plain(gpus[i].name, has);
        if (!strcmp(asked, has))
            return &gpus[i];
    }
    return NULL;
}

void gpu_print_all(FILE *stream)
{
    fprintf(stream, "%-16s %6s %15s %6s %6s %6s %10s %10s %10s\n", "GPU", "arch", "multiprocessors", "MHz", "GB/s", "L2 MB",
            "f32 TFLOP/s", "tf32", "f16");
    for (const struct gpu *g = gpus; g < gpus + sizeof gpus / sizeof *gpus; g++) {
        const struct occupancy_limits *limits = occupancy_limits_of(g->arch);
        double clocks = 2e-6 * g->mhz * g->multiprocessors;
        fprintf(stream, "%-16s %6d %15d %6d %6d %6d %11.1f %10.1f %10.1f\n", g->name, g->arch, g->multiprocessors, g->mhz, g->gbs,
                g->l2, clocks * limits->lanes, clocks * g->tf32, clocks * g->f16);
    }
}
