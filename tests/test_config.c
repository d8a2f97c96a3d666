/* Settings in a weight file: what is written is read again, and what is out of bounds is refused with its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/zoo.h"

enum { MAX_PAIRS = 32 };

static char path[64];

static int make_path(void **state)
{
    snprintf(path, sizeof path, "/tmp/osprey-config-%d.safetensors", (int)getpid());
    return 0;
}

static int remove_path(void **state) { return unlink(path); }

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* Writes a file with these settings, and a head of `head` classes if there is one. */
static void write_file(const struct osp_meta *pairs, int count, int head)
{
    static const float zero[8 * 2];
    struct osp_stored_tensor tensor = {.name = head ? "roi_heads.box_predictor.cls_score.weight" : "nothing",
                                       .type = OSP_STORED_F32,
                                       .rank = 2,
                                       .dim = {head ? head : 1, 2},
                                       .data = (const uint8_t *)zero,
                                       .bytes = (uint64_t)(head ? head : 1) * 2 * sizeof(float)};
    must(osp_safetensors_write(path, pairs, count, &tensor, 1));
}

static osp_status read_file(struct osp_config **out)
{
    struct osp_safetensors *file;
    must(osp_safetensors_open(path, &file));
    osp_status status = osp_config_read(file, out);
    osp_safetensors_close(file);
    return status;
}

static const char *names[] = {"__background__", "caf\xc3\xa9", "a \"b\" \\ c"};

static struct osp_config sample(const char *architecture)
{
    struct osp_config config = osp_zoo_find(architecture)->defaults;
    config.classes = 3;
    config.class_name = names;
    return config;
}

static void assert_same(const struct osp_config *a, const struct osp_config *b)
{
    assert_string_equal(a->architecture, b->architecture);
    assert_int_equal(a->classes, b->classes);
    for (int i = 0; i < a->classes; i++)
        assert_string_equal(a->class_name[i], b->class_name[i]);
    assert_int_equal(a->min_size, b->min_size);
    assert_int_equal(a->max_size, b->max_size);
    assert_memory_equal(a->mean, b->mean, sizeof a->mean);
    assert_memory_equal(a->std, b->std, sizeof a->std);
    assert_int_equal(a->norm_times, b->norm_times);
    assert_string_equal(a->resize, b->resize);
    assert_true(a->bn_eps == b->bn_eps);
    assert_int_equal(a->rpn_pre_nms_top_n, b->rpn_pre_nms_top_n);
    assert_int_equal(a->rpn_post_nms_top_n, b->rpn_post_nms_top_n);
    assert_true(a->rpn_nms_thresh == b->rpn_nms_thresh && a->rpn_score_thresh == b->rpn_score_thresh);
    assert_true(a->box_nms_thresh == b->box_nms_thresh && a->box_score_thresh == b->box_score_thresh);
    assert_int_equal(a->box_detections_per_img, b->box_detections_per_img);
    assert_string_equal(a->source_name, b->source_name);
    assert_string_equal(a->source_sha256, b->source_sha256);
}

static void round_trip(const struct osp_config *config)
{
    struct osp_meta pairs[MAX_PAIRS];
    struct osp_config *again;
    int count;
    must(osp_config_meta(config, pairs, &count));
    assert_in_range(count, 1, MAX_PAIRS);
    write_file(pairs, count, 3);
    must(read_file(&again));
    assert_same(config, again);
    osp_config_free(again);
    osp_config_meta_free(pairs, count);
}

static void what_is_written_is_read(void **state)
{
    for (int i = 0; osp_zoo(i); i++) {
        struct osp_config config = sample(osp_zoo(i)->name);
        round_trip(&config);
    }
    struct osp_config odd = sample("fasterrcnn_resnet50_fpn");
    odd.min_size = 1;
    odd.max_size = 16384;
    odd.norm_times = 2;
    odd.resize = "f32-reciprocal";
    odd.mean[0] = 1.0 / 3;
    odd.mean[1] = -0.1 - 0.2;
    odd.mean[2] = 4.9e-324;
    odd.std[1] = 0.22499999999999998;
    odd.bn_eps = 1.0000000000000002e-05;
    odd.rpn_nms_thresh = 0.69999999999999996;
    odd.box_score_thresh = 0;
    odd.box_nms_thresh = 1;
    odd.source_name = "my model \xc3\xa9.pth";
    odd.source_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    round_trip(&odd);
}

static void numbers_are_short(void **state)
{
    struct osp_config config = sample("fasterrcnn_mobilenet_v3_large_fpn");
    struct osp_meta pairs[MAX_PAIRS];
    int count, seen = 0;
    must(osp_config_meta(&config, pairs, &count));
    for (int i = 0; i < count; i++) {
        if (!strcmp(pairs[i].key, "image_mean") && ++seen)
            assert_string_equal(pairs[i].value, "0.485,0.456,0.406");
        if (!strcmp(pairs[i].key, "box_score_thresh") && ++seen)
            assert_string_equal(pairs[i].value, "0.05");
        if (!strcmp(pairs[i].key, "min_size") && ++seen)
            assert_string_equal(pairs[i].value, "800");
        if (!strcmp(pairs[i].key, "classes") && ++seen)
            assert_string_equal(pairs[i].value, "[\"__background__\",\"caf\xc3\xa9\",\"a \\\"b\\\" \\\\ c\"]");
    }
    assert_int_equal(seen, 4);
    osp_config_meta_free(pairs, count);
}

/* One value changed (NULL: left out), and a part of the sentence that must come. hostile-input.md N11 to N13. */
static const struct {
    const char *key, *value, *sentence;
} bad[] = {
    {"architecture", NULL, "is a safetensors file without osprey's metadata: run osprey convert"},
    {"architecture", "yolo\x1b[31m", "metadata 'architecture': found 'yolo\\x1b[31m'; allowed are fasterrcnn_resnet50_fpn, "},
    {"classes", NULL, "metadata 'classes': missing"},
    {"classes", "", "metadata 'classes': found ''; allowed is a JSON array of 2 to 4096 strings"},
    {"classes", "{\"a\":1}", "allowed is a JSON array"},
    {"classes", "[\"__background__\"]", "allowed is a JSON array of 2 to 4096"},
    {"classes", "[\"__background__\",7,\"c\"]", "allowed is a JSON array of 2 to 4096 strings"},
    {"classes", "[\"__background__\",\"b\",\"c\"", "allowed is a JSON array"},
    {"classes", "[\"__background__\",\"\",\"c\"]", "found ''; allowed are names of 1 to 200 bytes without control characters"},
    {"classes", "[\"__background__\",\"b\\n\",\"c\"]", "found 'b\\x0a'; allowed are names"},
    {"classes", "[\"__background__\",\"b\\u009b1m\",\"c\"]", "without control characters"},
    {"classes", "[\"cat\",\"b\",\"c\"]", "found 'cat'; allowed as the first name is '__background__'"},
    {"classes", "[\"__background__\",\"b\"]",
     "found 2 names; tensor 'roi_heads.box_predictor.cls_score.weight' scores 3 classes"},
    {"min_size", NULL, "metadata 'min_size': missing; run osprey convert again"},
    {"min_size", "0", "metadata 'min_size': found '0'; allowed is a whole number from 1 to 16384"},
    {"min_size", "-800", "found '-800'"},
    {"min_size", "800.5", "found '800.5'; allowed is a whole number"},
    {"min_size", "16385", "found '16385'"},
    {"min_size", "99999999999999999999", "found '99999999999999999999'"},
    {"max_size", "800,800", "found '800,800'"},
    {"max_size", "1],[2", "found '1],[2'"},
    {"image_mean", "0.5,0.5", "metadata 'image_mean': found '0.5,0.5'; allowed are 3 comma-separated numbers from -1000 to 1000"},
    {"image_mean", "0.5,0.5,nan", "found '0.5,0.5,nan'"},
    {"image_mean", "0.5,0.5,1e999", "found '0.5,0.5,1e999'"},
    {"image_mean", "0.5,0.5,2000", "metadata 'image_mean': found 2000; allowed are numbers from -1000 to 1000"},
    {"image_std", "0.2,0.2,0", "metadata 'image_std': found 0; allowed are numbers from 1e-06 to 1000"},
    {"image_std", "0.2,-0.2,0.2", "found -0.2"},
    {"image_std", "0x1,1,1", "found '0x1,1,1'"},
    {"input_norm", "thrice", "metadata 'input_norm': found 'thrice'; allowed are once and twice"},
    {"resize", "bicubic", "metadata 'resize': found 'bicubic'; allowed are double and f32-reciprocal"},
    {"bn_eps", "-1e-5", "metadata 'bn_eps': found -1e-05"},
    {"bn_eps", "inf", "found 'inf'"},
    {"rpn_pre_nms_top_n", "0", "metadata 'rpn_pre_nms_top_n': found '0'; allowed is a whole number from 1 to 100000"},
    {"rpn_post_nms_top_n", "1000000000", "found '1000000000'"},
    {"rpn_nms_thresh", "0", "metadata 'rpn_nms_thresh': found 0; allowed are numbers from 1e-06 to 1"},
    {"rpn_score_thresh", "1.5", "found 1.5"},
    {"box_nms_thresh", "1.01", "found 1.01"},
    {"box_score_thresh", "NaN", "metadata 'box_score_thresh': found 'NaN'"},
    {"box_score_thresh", "", "found ''"},
    {"box_detections_per_img", "-1", "found '-1'"},
    {"source_name", "a\nb", "metadata 'source_name': found 'a\\x0ab'"},
    {"source_sha256", "ABC", "metadata 'source_sha256': found 'ABC'; allowed are 64 lower-case hex digits"},
};

static void what_is_out_of_bounds_is_refused(void **state)
{
    struct osp_config config = sample("fasterrcnn_resnet50_fpn"), *read = NULL;
    config.source_name = "source.pth";
    config.source_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct osp_meta pairs[MAX_PAIRS], changed[MAX_PAIRS];
        int count, n = 0;
        must(osp_config_meta(&config, pairs, &count));
        for (int k = 0; k < count; k++) {
            if (strcmp(pairs[k].key, bad[i].key))
                changed[n++] = pairs[k];
            else if (bad[i].value)
                changed[n++] = (struct osp_meta){pairs[k].key, bad[i].value};
        }
        assert_int_equal(n, bad[i].value ? count : count - 1);
        write_file(changed, n, 3);
        osp_status status = read_file(&read);
        if (status != OSP_REFUSED || !strstr(osp_message(), bad[i].sentence) || strncmp(osp_message(), path, strlen(path)))
            print_error("%s = %s: %s\n", bad[i].key, bad[i].value ? bad[i].value : "(none)", status ? osp_message() : "accepted");
        assert_int_equal(status, OSP_REFUSED);
        assert_non_null(strstr(osp_message(), bad[i].sentence));
        assert_null(read);
        assert_int_equal(strncmp(osp_message(), path, strlen(path)), 0);
        osp_config_meta_free(pairs, count);
    }
}

static void bad_settings_are_not_written(void **state)
{
    struct osp_meta pairs[MAX_PAIRS];
    int count;
    struct osp_config config = sample("fasterrcnn_resnet50_fpn");
    config.box_nms_thresh = 0.0 / 0.0;
    assert_int_equal(osp_config_meta(&config, pairs, &count), OSP_REFUSED);
    assert_non_null(strstr(osp_message(), "the settings: metadata 'box_nms_thresh'"));
    config = sample("fasterrcnn_resnet50_fpn");
    config.classes = 1;
    assert_int_equal(osp_config_meta(&config, pairs, &count), OSP_REFUSED);
    assert_non_null(strstr(osp_message(), "'classes': found 1 names"));
}

static void as_many_classes_as_allowed(void **state)
{
    static const char *many[OSP_MAX_CLASSES];
    struct osp_meta pairs[MAX_PAIRS];
    struct osp_config *again, config = sample("fasterrcnn_resnet50_fpn");
    int count;
    for (int i = 0; i < OSP_MAX_CLASSES; i++)
        many[i] = i ? "thing" : "__background__";
    config.class_name = many;
    config.classes = OSP_MAX_CLASSES;
    must(osp_config_meta(&config, pairs, &count));
    write_file(pairs, count, 0);
    must(read_file(&again));
    assert_int_equal(again->classes, OSP_MAX_CLASSES);
    osp_config_free(again);
    osp_config_meta_free(pairs, count);
    config.classes++;
    assert_int_equal(osp_config_meta(&config, pairs, &count), OSP_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),          cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(what_is_out_of_bounds_is_refused), cmocka_unit_test(bad_settings_are_not_written),
        cmocka_unit_test(as_many_classes_as_allowed),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
