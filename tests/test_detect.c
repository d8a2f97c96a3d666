/* osp_detect on the demo model: torchvision's boxes for single pictures and for batches of different sizes, both resize rules,
 * the same bits from any number of threads, and what is refused. Expected values: torchvision 0.29 on tools/train/model.py with
 * the demo checkpoint and per-class NMS. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/build.h"

enum { FACE = 1, MOTORCYCLE, AIRPLANE };

static struct osp_model *model;
static struct osp_image *astronaut, *camera;

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static int open_all(void **state)
{
    must(osp_model_open(NULL, &model));
    must(osp_image_load("models/demo/astronaut.png", NULL, &astronaut));
    must(osp_image_load("models/demo/camera.png", NULL, &camera));
    return 0;
}

static int close_all(void **state)
{
    osp_model_close(model);
    osp_image_free(astronaut);
    osp_image_free(camera);
    return 0;
}

static struct osp_session *open_session(const struct osp_session_options *options)
{
    struct osp_session *session;
    must(osp_session_open(model, options, &session));
    return session;
}

/* A part of a picture. */
static struct osp_image crop(const struct osp_image *image, int x, int y, int width, int height)
{
    struct osp_image part = {width, height, malloc((size_t)width * (size_t)height * 3)};
    for (int row = 0; row < height; row++)
        memcpy(part.rgb + (size_t)row * (size_t)width * 3,
               image->rgb + ((size_t)(y + row) * (size_t)image->width + (size_t)x) * 3, (size_t)width * 3);
    return part;
}

static void assert_found(const struct osp_detections *found, const struct osp_detection *expected, int count)
{
    assert_int_equal(found->count, count);
    assert_int_equal(found->nonfinite, 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(found->items[i].label, expected[i].label);
        assert_true(fabsf(found->items[i].score - expected[i].score) <= 1e-4f);
        for (int k = 0; k < 4; k++)
            assert_true(fabsf(found->items[i].box[k] - expected[i].box[k]) <= 1e-2f);
    }
}

static void one_picture(void **state)
{
    static const struct osp_detection faces[] = {{FACE, 0.998256f, {159.530f, 14.789f, 298.562f, 181.516f}},
                                                 {FACE, 0.974533f, {148.426f, 61.214f, 272.324f, 217.180f}}};
    struct osp_session *session = open_session(NULL);
    struct osp_detections found;
    must(osp_detect(session, astronaut, &found));
    assert_found(&found, &faces[0], 1);
    osp_detections_free(&found);
    assert_null(found.items);
    must(osp_detect(session, camera, &found));
    assert_found(&found, &faces[1], 1);
    osp_detections_free(&found);
    osp_session_close(session);
}

static void a_batch_of_different_sizes_is_padded_as_torchvision_pads(void **state)
{
    static const struct osp_detection square[] = {{FACE, 0.998116f, {159.813f, 14.609f, 298.170f, 181.488f}},
                                                  {FACE, 0.345284f, {480.590f, 451.865f, 512.000f, 508.038f}}};
    static const struct osp_detection wide[] = {{FACE, 0.998085f, {150.369f, 13.976f, 302.303f, 192.169f}}};
    static const struct osp_detection tall[] = {{FACE, 0.997146f, {55.887f, 62.343f, 175.124f, 214.461f}}};
    struct osp_session *session = open_session(NULL);
    struct osp_image wide_part = crop(astronaut, 0, 0, 512, 300), tall_part = crop(camera, 100, 0, 200, 512);
    const struct osp_image *batch[] = {astronaut, &wide_part, &tall_part};
    struct osp_detections found[3];
    must(osp_detect_batch(session, batch, 3, found));
    assert_found(&found[0], square, 2);
    assert_found(&found[1], wide, 1);
    assert_found(&found[2], tall, 1);
    for (int i = 0; i < 3; i++)
        osp_detections_free(&found[i]);
    free(wide_part.rgb);
    free(tall_part.rgb);
    osp_session_close(session);
}

static void both_resize_rules(void **state)
{
    /* 373x400 goes to 320x343 by the double rule and to 319x343 by the other */
    static const struct osp_detection by_double[] = {{FACE, 0.998887f, {149.140f, 15.984f, 299.480f, 192.687f}},
                                                     {MOTORCYCLE, 0.161959f, {280.429f, 346.199f, 325.126f, 369.294f}}};
    static const struct osp_detection by_f32[] = {{FACE, 0.998774f, {149.656f, 15.741f, 299.003f, 192.711f}},
                                                  {MOTORCYCLE, 0.279772f, {279.975f, 347.140f, 323.699f, 369.326f}},
                                                  {AIRPLANE, 0.072253f, {287.550f, 347.852f, 317.008f, 373.000f}}};
    struct osp_image part = crop(astronaut, 0, 0, 400, 373);
    struct osp_detections found;
    struct osp_session *session = open_session(NULL);
    must(osp_detect(session, &part, &found));
    assert_found(&found, by_double, 2);
    osp_detections_free(&found);
    osp_session_close(session);
    session = open_session(&(struct osp_session_options){.resize = "f32-reciprocal"});
    must(osp_detect(session, &part, &found));
    assert_found(&found, by_f32, 3);
    osp_detections_free(&found);
    osp_session_close(session);
    free(part.rgb);
}

static void threads_change_no_bit(void **state)
{
    struct osp_image part = crop(astronaut, 0, 0, 400, 373);
    struct osp_detections one, three;
    struct osp_session *session = open_session(&(struct osp_session_options){.threads = 1});
    must(osp_detect(session, &part, &one));
    osp_session_close(session);
    session = open_session(&(struct osp_session_options){.threads = 3});
    must(osp_detect(session, &part, &three));
    osp_session_close(session);
    assert_int_equal(one.count, three.count);
    assert_memory_equal(one.items, three.items, (size_t)one.count * sizeof *one.items);
    osp_detections_free(&one);
    osp_detections_free(&three);
    free(part.rgb);
}

static void what_cannot_be_run_is_refused_and_leaves_the_session_usable(void **state)
{
    struct osp_session *session = open_session(NULL);
    struct osp_detections found = {.count = 7};
    struct osp_image empty = {0, 10, astronaut->rgb};
    const struct osp_image *batch[] = {astronaut, &empty};
    assert_int_equal(osp_detect(session, &empty, &found), OSP_BAD_IMAGE);
    assert_string_equal(osp_message(), "a picture of 0x10 pixels; allowed are sides of at least 1");
    assert_int_equal(osp_detect_batch(session, batch, 2, &found), OSP_BAD_IMAGE);
    assert_int_equal(osp_detect_batch(session, batch, 0, &found), OSP_USAGE);
    must(osp_session_enter(session)); /* as another thread would */
    assert_int_equal(osp_detect(session, astronaut, &found), OSP_BUSY);
    osp_session_leave(session);
    assert_int_equal(found.count, 7);
    must(osp_detect(session, astronaut, &found));
    assert_int_equal(found.count, 1);
    osp_detections_free(&found);
    osp_detections_free(NULL);
    osp_session_close(session);
}

static void the_smallest_picture_runs(void **state)
{
    struct osp_session *session = open_session(NULL);
    uint8_t grey[3] = {128, 128, 128};
    struct osp_image pixel = {1, 1, grey};
    struct osp_detections found;
    must(osp_detect(session, &pixel, &found));
    for (int i = 0; i < found.count; i++)
        for (int k = 0; k < 4; k++)
            assert_true(found.items[i].box[k] >= 0 && found.items[i].box[k] <= 1);
    osp_detections_free(&found);
    osp_session_close(session);
}

static void the_model_describes_itself(void **state)
{
    struct osp_model_info info;
    const char *sha256;
    osp_model_describe(model, &info);
    assert_string_equal(info.architecture, "fasterrcnn_efficientnet_lite0_fpn");
    assert_string_equal(info.source_name, "demo.pth");
    assert_string_equal(info.source_sha256, "419b4ba3c9c997309052c1fc2fc0943b2f352a64bdc57d3483fd0fd594497546");
    assert_string_equal(info.input_norm, "once");
    assert_int_equal(osp_model_sha256(model, &sha256), OSP_OK);
    assert_int_equal(strlen(sha256), 64);
    assert_int_equal(info.classes, 4);
    assert_int_equal(info.rpn_post_nms, 300);
    assert_true(info.parameters == 3972483 + 78912 /* trained, and in frozen batch norms */);
    assert_true(info.file_bytes > 2 * 3900000 && info.file_bytes < 9000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_picture),
        cmocka_unit_test(a_batch_of_different_sizes_is_padded_as_torchvision_pads),
        cmocka_unit_test(both_resize_rules),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(what_cannot_be_run_is_refused_and_leaves_the_session_usable),
        cmocka_unit_test(the_smallest_picture_runs),
        cmocka_unit_test(the_model_describes_itself),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
