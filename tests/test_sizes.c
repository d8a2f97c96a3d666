/* The network's input size for a picture, by both rules: torch's own results, and the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/osprey.h"

static const struct {
    int min_size, max_size, h, w, by_double[2], by_f32[2];
} sizes[] = {
#include "models/sizes.inc"
};

static void sizes_are_torchvisions(void **state)
{
    int differ = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int h, w;
        assert_int_equal(OSP_OK,
                         osp_resized_size("double", sizes[i].min_size, sizes[i].max_size, sizes[i].h, sizes[i].w, &h, &w));
        assert_int_equal(h, sizes[i].by_double[0]);
        assert_int_equal(w, sizes[i].by_double[1]);
        assert_int_equal(
            OSP_OK, osp_resized_size("f32-reciprocal", sizes[i].min_size, sizes[i].max_size, sizes[i].h, sizes[i].w, &h, &w));
        assert_int_equal(h, sizes[i].by_f32[0]);
        assert_int_equal(w, sizes[i].by_f32[1]);
        differ += memcmp(sizes[i].by_double, sizes[i].by_f32, sizeof sizes[i].by_f32) != 0;
    }
    assert_true(differ > 10);
}

static void extreme_sizes_stay_in_bounds(void **state)
{
    int h = -1, w = -1;
    assert_int_equal(OSP_OK,
                     osp_resized_size("double", 800, 1333, 1, 10000, &h, &w)); /* torch refuses this one: 0.13 pixels high */
    assert_int_equal(h, 1);
    assert_int_equal(w, 1333);
    assert_int_equal(OSP_OK, osp_resized_size("f32-reciprocal", 16384, 16384, INT32_MAX, 1, &h, &w));
    assert_true(h <= 16384 && w == 1);
    assert_int_equal(osp_resized_size("double", 800, 1333, 0, 10, &h, &w), OSP_BAD_IMAGE);
    assert_int_equal(osp_resized_size("bicubic", 800, 1333, 10, 10, &h, &w), OSP_USAGE);
    assert_string_equal(osp_message(), "resize rule 'bicubic'; allowed are double and f32-reciprocal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_torchvisions),
        cmocka_unit_test(extreme_sizes_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
