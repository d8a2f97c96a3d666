/* The arena: blocks alive together never overlap, and the result is at least the peak of live bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/plan.h"

static void check_packing(const struct osp_block *blocks, int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        assert_true(blocks[i].offset + blocks[i].bytes <= size);
        for (int k = 0; k < i; k++) {
            const struct osp_block *a = &blocks[i], *b = &blocks[k];
            int together = a->first <= b->last && b->first <= a->last;
            int apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset || !a->bytes || !b->bytes;
            assert_true(!together || apart);
        }
    }
}

static void a_chain_needs_its_largest_pair(void **state)
{
    struct osp_block blocks[] = {{640, 0, 1, 0}, {1280, 1, 2, 0}, {640, 2, 3, 0}, {64, 3, 4, 0}};
    int order[4];
    size_t bound, size = osp_arena_pack(blocks, 4, 5, order, &bound);
    assert_int_equal(bound, 1920);
    assert_int_equal(size, 1920);
    check_packing(blocks, 4, size);
}

/* By every plain order something ends at 1088 or above, where 960 will do; the block that did goes first the next time. */
static void a_block_without_room_goes_first_the_next_time(void **state)
{
    struct osp_block blocks[] = {{256, 5, 6, 0}, {384, 0, 1, 0}, {512, 5, 5, 0}, {384, 0, 2, 0},
                                 {192, 1, 1, 0}, {512, 2, 3, 0}, {448, 3, 4, 0}};
    enum { COUNT = sizeof blocks / sizeof *blocks };
    int order[COUNT];
    size_t bound, size = osp_arena_pack(blocks, COUNT, 7, order, &bound);
    assert_int_equal(bound, 960);
    assert_int_equal(size, bound);
    check_packing(blocks, COUNT, size);
}

static void random_blocks_never_overlap(void **state)
{
    uint64_t seed = 42;
    for (int round = 0; round < 200; round++) {
        struct osp_block blocks[60];
        int order[60], count = 1 + round % 60;
        for (int i = 0; i < count; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int first = (int)(seed >> 33) % 30, length = (int)(seed >> 45) % 10;
            blocks[i] = (struct osp_block){.bytes = 64 * ((seed >> 52) % 40), .first = first, .last = first + length};
        }
        size_t bound, size = osp_arena_pack(blocks, count, 40, order, &bound);
        assert_true(size >= bound);
        check_packing(blocks, count, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_chain_needs_its_largest_pair),
                                       cmocka_unit_test(a_block_without_room_goes_first_the_next_time),
                                       cmocka_unit_test(random_blocks_never_overlap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
