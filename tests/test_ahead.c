/* Pictures decoded before their turn: which are, what is kept, and that nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "scratch.h"
#include "tools/ahead.h"

#define PHOTO  OSP_SOURCE "/models/demo/astronaut.png" /* 512x512 */
#define OTHER  OSP_SOURCE "/models/demo/camera.png"    /* 512x512 */
#define BROKEN OSP_SOURCE "/tests/hostile/images/i02_truncated_in_data.jpg"

#define osprey(...) process_run((const char *const[]){__VA_ARGS__, NULL}, NULL, 0, NULL)

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void takes(struct ahead *ahead, const struct inputs *inputs, size_t i, const struct osp_image_options *options)
{
    struct osp_image *image, *alone;
    enum osp_format format, alone_format;
    assert_true(ahead_take(ahead, inputs, i, options, &image, &format));
    must(osp_image_load_as(inputs->items[i].path, options, &alone, &alone_format));
    assert_int_equal(format, alone_format);
    assert_int_equal(image->width, alone->width);
    assert_int_equal(image->height, alone->height);
    assert_memory_equal(image->rgb, alone->rgb, (size_t)image->width * (size_t)image->height * 3);
    osp_image_free(image);
    osp_image_free(alone);
}

static void in_order(void **state)
{
    char *arguments[] = {PHOTO, OTHER, BROKEN, PHOTO, "-", OTHER};
    const struct osp_image_options options = {0};
    struct ahead ahead = {.threads = 3, .most_pixels = 1 << 20};
    struct inputs inputs;
    struct osp_image *image;
    enum osp_format format;
    must(inputs_collect(arguments, 6, false, &inputs));
    takes(&ahead, &inputs, 0, &options);
    assert_int_equal(ahead.count, 3);
    takes(&ahead, &inputs, 1, &options);
    assert_false(ahead_take(&ahead, &inputs, 2, &options, &image, &format)); /* to be said in its turn */
    assert_int_equal(ahead.first, 0);
    takes(&ahead, &inputs, 3, &options);
    assert_int_equal(ahead.first, 3);
    assert_int_equal(ahead.count, 3);
    assert_false(ahead_take(&ahead, &inputs, 4, &options, &image, &format)); /* standard input is read in its turn */
    takes(&ahead, &inputs, 5, &options);
    assert_false(ahead_take(&ahead, &inputs, 5, &options, &image, &format)); /* it was taken */
    takes(&ahead, &inputs, 0, &options);                                     /* once more; what is not taken this time is freed */
    ahead_close(&ahead);
    inputs_free(&inputs);
}

static void large_ones_wait(void **state)
{
    char *arguments[] = {PHOTO, OTHER};
    struct osp_image_options options = {0};
    struct ahead ahead = {.threads = 2, .most_pixels = 512 * 512};
    struct inputs inputs;
    struct osp_image *image;
    enum osp_format format;
    must(inputs_collect(arguments, 2, false, &inputs));
    takes(&ahead, &inputs, 0, &options);
    ahead_close(&ahead);
    ahead.most_pixels = 512 * 512 - 1;
    assert_false(ahead_take(&ahead, &inputs, 0, &options, &image, &format));
    ahead.most_pixels = 1 << 20;
    options.max_pixels = 512 * 512 - 1; /* the user's own limit holds as well */
    assert_false(ahead_take(&ahead, &inputs, 0, &options, &image, &format));
    ahead.threads = 1;
    options.max_pixels = 0;
    ahead_close(&ahead);
    assert_false(ahead_take(&ahead, &inputs, 0, &options, &image, &format));
    ahead_close(&ahead);
    inputs_free(&inputs);
}

static void session_says_how_many(void **state)
{
    struct osp_model *model;
    struct osp_session *session;
    must(osp_model_open(NULL, &model));
    for (int threads = 1; threads <= 16; threads *= 4) {
        struct ahead ahead = {0};
        must(osp_session_open(model, &(struct osp_session_options){.threads = threads}, &session));
        ahead_open(&ahead, session);
        assert_int_equal(ahead.threads, threads == 1 ? 0 : threads < AHEAD_MOST ? threads : AHEAD_MOST);
        assert_true(threads == 1 || (ahead.most_pixels > 0 && ahead.most_pixels <= 32 << 20));
        osp_session_close(session);
    }
    osp_model_close(model);
}

/* The same lines, failures and exit status, in the same order, whatever is decoded when. */
static void folders(void **state)
{
    const char *const names[] = {"1.png", "2.jpg", "3.png", "4.png", "5.jpg", "6.png"};
    char path[512];
    snprintf(path, sizeof path, "%s", at("."));
    for (int i = 0; i < 6; i++)
        copy_file(i == 1 || i == 4 ? BROKEN : i == 2 ? OTHER : PHOTO, at(names[i]));
    struct outcome one = osprey("detect", path, "--threads", "1"), three = osprey("detect", path, "--threads", "3"),
                   batch = osprey("detect", path, "--threads", "4", "--batch", "3");
    assert_int_equal(one.status, 1);
    assert_non_null(strstr(one.err, "4 pictures, 4 detections, 2 failed"));
    assert_int_equal(three.status, 1);
    assert_string_equal(one.out, three.out);
    assert_string_equal(one.err, three.err);
    assert_int_equal(batch.status, 1);
    assert_string_equal(one.out, batch.out);
    assert_string_equal(one.err, batch.err);
    process_free(&one);
    process_free(&three);
    process_free(&batch);
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(large_ones_wait),
        cmocka_unit_test(session_says_how_many),
        cmocka_unit_test_teardown(folders, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
