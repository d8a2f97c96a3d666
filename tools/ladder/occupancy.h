/* How many blocks of a kernel a multiprocessor holds at once, and what stops one more. As NVIDIA's cuda_occupancy.h computes it.
 */
#ifndef OSPREY_TOOLS_LADDER_OCCUPANCY_H
#define OSPREY_TOOLS_LADDER_OCCUPANCY_H

struct occupancy {
    int blocks;        /* on a multiprocessor; 0: not even one */
    double warps;      /* of those that it could hold, 0..1 */
    const char *limit; /* "warps", "blocks", "registers", "shared": what allows the fewest */
};

/* What a multiprocessor of an architecture holds; spec/performance.md 5e and cuda_occupancy.h. */
struct occupancy_limits {
    int arch; /* 75 for sm_75 */
    int warps, blocks;
    int shared_bytes;   /* of a multiprocessor */
    int reserved_bytes; /* of it, for each block, kept by the system */
    int shared_step;    /* what a block gets is a multiple of it */
    int lanes;          /* f32 multiply-adds a clock */
};

/* NULL: no such architecture is known. */
const struct occupancy_limits *occupancy_limits_of(int arch);

/* registers: of a thread; shared_bytes: of a block, static and dynamic. */
struct occupancy occupancy_of(const struct occupancy_limits *limits, int threads, int registers, int shared_bytes);

#endif
