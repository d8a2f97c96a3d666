/* topk / select
 *
 * CHANGE  the k-th best value is found first, digit by digit from histograms (radix select); only the k winners are
 *         sorted, by bytes; levels and images are shared out over the threads
 * FASTER  a few passes over the level, with no comparisons and no moves, instead of a sort of all of it
 * LIMIT   reading the largest level four times; one thread does that level alone
 * NEEDS   any shape
 */
#include <omp.h>

#include "cpu/topk/topk.h"

enum { DIGITS = 3, MOST_BITS = 11 };
static const int digit_bits[DIGITS] = {11, 11, 10}; /* of the 32-bit rank, from the top */

/* The rank of the last of the `kept` best. *ties: how many of those share it; the rest are strictly better. */
static uint32_t last_rank(const struct topk_part *part, int64_t *ties)
{
    uint32_t found = 0; /* the digits known so far, in place */
    int64_t wanted = part->kept;
    int unknown = 32;
    for (int digit = 0; digit < DIGITS; digit++) {
        int64_t histogram[1 << MOST_BITS] = {0};
        int shift = unknown - digit_bits[digit];
        uint32_t mask = (1u << digit_bits[digit]) - 1;
        for (int64_t i = 0; i < part->positions; i++) {
            uint32_t rank = order_rank(part->logits[i]);
            if (((uint64_t)(rank ^ found) >> unknown) == 0)
                histogram[rank >> shift & mask]++;
        }
        uint32_t value = 0;
        while (histogram[value] < wanted)
            wanted -= histogram[value++];
        found |= value << shift;
        unknown = shift;
    }
    *ties = wanted;
    return found;
}

static void select_part(const struct topk_part *part, uint64_t *keys, uint64_t *spare)
{
    int64_t ties, count = 0;
    uint32_t last = last_rank(part, &ties);
    for (int64_t i = 0; i < part->positions; i++) {
        uint32_t rank = order_rank(part->logits[i]);
        if (rank < last || (rank == last && ties-- > 0))
            keys[count++] = order_key(rank, (uint32_t)i);
    }
    order_sort_by_rank(keys, spare, count);
    topk_write(part, keys);
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return (size_t)cpu_of(device)->threads * 2 * (size_t)topk_most(call, topk_kept) * sizeof(uint64_t);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    int levels = call->attrs->topk.levels;
    int64_t parts = call->out[0].shape.dim[0] * levels, most = topk_most(call, topk_kept);
#pragma omp parallel for num_threads(cpu_of(device)->threads) schedule(dynamic)
    for (int64_t i = 0; i < parts; i++) {
        uint64_t *keys = (uint64_t *)call->scratch + omp_get_thread_num() * 2 * most;
        struct topk_part part = topk_part_of(call, i / levels, (int)(i % levels));
        if (part.kept)
            select_part(&part, keys, keys + most);
    }
    return OSP_OK;
}

const struct osp_kernel cpu_topk_select = {.name = "select", .scratch = scratch, .run = run};
