/* What rung `select` knows of its search while it goes on. Each part looks for its k-th smallest key. All keys differ, so exactly
 * k are not larger, ties and all. A pass learns the next digit of that key: how many keys share the digits known so far and have
 * each value of the next one is counted in one launch, and looked through by every block of the next. */
#ifndef OSPREY_KERNELS_TOPK_SEARCH_H
#define OSPREY_KERNELS_TOPK_SEARCH_H

#include "kernels/topk/topk.h"

constexpr int TOPK_BLOCK = 256, TOPK_EACH = 8, TOPK_PIECE = TOPK_BLOCK * TOPK_EACH; /* keys of a block */
constexpr int TOPK_DIGIT = 11, TOPK_BINS = 1 << TOPK_DIGIT;
constexpr uint32_t TOPK_SHARED = 4096; /* winners that are sorted in shared memory */
constexpr unsigned TOPK_ALL = 0xffffffffu;

struct topk_known {
    uint64_t limit;  /* the digits known so far, zeros after; at the end of the search the largest key that wins */
    uint32_t wanted; /* of the keys that share them, how many win; 0: the search is over */
};

struct topk_search {
    unsigned *bins;           /* (N*levels,passes,TOPK_BINS) */
    unsigned *taken;          /* (N*levels) */
    struct topk_known *known; /* (N*levels,passes) */
    uint64_t *winners;        /* (N*levels,most) */
    size_t counters;          /* bins and taken: they start as 0 */
    int passes, bits;         /* bits: of a position in a key, no more than the largest level needs */
    uint32_t pieces;          /* of an image */
};

/* Of the digit of a pass; that of pass -1 is what lies above all digits. */
CUDA_DEVICE int topk_shift(const struct topk_search &s, int pass)
{
    int shift = 32 + s.bits - TOPK_DIGIT * (pass + 1);
    return shift > 0 ? shift : 0;
}

struct topk_piece {
    const float *logits; /* of its image and level */
    int64_t part;
    uint32_t first, end; /* positions */
    uint32_t kept;       /* of the whole part */
    bool leads;          /* its part */
};

CUDA_DEVICE struct topk_piece topk_piece_of(const struct topk_operands &o, const struct topk_search &s, uint32_t block)
{
    int64_t n = block / s.pieces;
    uint32_t piece = block % s.pieces;
    int at = 0;
    for (uint32_t here; piece >= (here = (o.level[at].positions + TOPK_PIECE - 1) / TOPK_PIECE); at++)
        piece -= here;
    const struct topk_level &level = o.level[at];
    uint32_t first = piece * TOPK_PIECE, rest = level.positions - first;
    return {level.logits + n * level.positions,
            n * o.levels + at,
            first,
            first + (rest < TOPK_PIECE ? rest : TOPK_PIECE),
            level.kept,
            piece == 0};
}

/* One digit more, from the counts of its values; all threads of a block together. */
CUDA_DEVICE struct topk_known topk_narrow(struct topk_known known, const unsigned *bins, int shift)
{
    constexpr int EACH = TOPK_BINS / TOPK_BLOCK, WARPS = TOPK_BLOCK / 32;
    CUDA_SHARED(struct topk_known, found, [1]);
    CUDA_SHARED(unsigned, sums, [WARPS]);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    unsigned count[EACH], sum = 0;
#pragma unroll
    for (int i = 0; i < EACH; i += 4) { /* a thread's bins are a sector: two loads of half of it */
        uint4 four = *reinterpret_cast<const uint4 *>(bins + threadIdx.x * EACH + i);
        count[i] = four.x, count[i + 1] = four.y, count[i + 2] = four.z, count[i + 3] = four.w;
        sum += four.x + four.y + four.z + four.w;
    }
    unsigned before = sum; /* keys with a digit below this thread's first */
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        unsigned other = __shfl_up_sync(TOPK_ALL, before, step);
        before += lane >= step ? other : 0;
    }
    if (lane == 31)
        sums[warp] = before;
    __syncthreads();
    for (int i = 0; i < warp; i++)
        before += sums[i];
    before -= sum;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        if (before < known.wanted && known.wanted <= before + count[i]) { /* true once in the block */
            uint64_t digit = (uint64_t)(threadIdx.x * EACH + i) << shift, rest = ((uint64_t)1 << shift) - 1;
            bool all = known.wanted == before + count[i];
            found[0] = {known.limit | digit | (all ? rest : 0), all ? 0 : known.wanted - before};
        }
        before += count[i];
    }
    __syncthreads();
    return found[0];
}

/* What a piece's part knows when `pass` starts. Written down by one block for the pass after it. */
CUDA_DEVICE struct topk_known topk_known_at(const struct topk_operands &o, const struct topk_search &s,
                                            const struct topk_piece &piece, int pass)
{
    int64_t at = piece.part * s.passes + pass;
    struct topk_known known = {0, piece.kept};
    if (pass > 1)
        known = s.known[at - 1];
    if (pass > 0 && known.wanted)
        known = topk_narrow(known, s.bins + (at - 1) * TOPK_BINS, topk_shift(s, pass - 1));
    if (piece.leads && pass < s.passes && threadIdx.x == 0)
        s.known[at] = known;
    return known;
}

#if CUDA_HOST
/* Lays the search out in scratch; returns how many bytes it takes. */
static inline size_t topk_search_of(const struct topk_operands *o, void *scratch, struct topk_search *s)
{
    size_t parts = (size_t)(o->images * o->levels), at = 0;
    uint32_t largest = 0;
    *s = {};
    for (int i = 0; i < o->levels; i++) {
        s->pieces += cuda_blocks(o->level[i].positions, TOPK_PIECE);
        largest = o->level[i].positions > largest ? o->level[i].positions : largest;
    }
    while ((uint64_t)1 << s->bits < largest)
        s->bits++;
    s->passes = (32 + s->bits + TOPK_DIGIT - 1) / TOPK_DIGIT;
    s->counters = parts * (size_t)(s->passes * TOPK_BINS + 1);
    auto take = [&](size_t bytes) {
        char *taken = (char *)scratch + at;
        at += (bytes + 63) / 64 * 64;
        return (void *)taken;
    };
    s->winners = (uint64_t *)take(parts * o->most * sizeof(uint64_t));
    s->known = (struct topk_known *)take(parts * (size_t)s->passes * sizeof(struct topk_known));
    s->bins = (unsigned *)take(s->counters * sizeof(unsigned));
    s->taken = s->bins + parts * (size_t)(s->passes * TOPK_BINS);
    return at;
}
#endif

#endif
