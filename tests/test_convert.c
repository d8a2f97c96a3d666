/* osprey convert: the demo network as a checkpoint, in every way a checkpoint may come; and what is refused, with nothing left
 * behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/folder.h"
#include "tests/schema.h"
#include "tests/stream.h"
#include "tools/checkpoint/convert_model.h"
#include "tools/tools.h"

enum { MOST = 400, DEMO_TENSORS = 266 };

static const char out[] = "out.safetensors";

/* The demo network's tensors as F32, and room for more. */
static struct osp_safetensors *demo;
static struct osp_stored_tensor tensors[MOST];
static float *values[DEMO_TENSORS];
static char *folder;

static int load_demo(void **state)
{
    assert_int_equal(osp_safetensors_open(OSP_SOURCE "/models/demo/demo.safetensors", &demo), OSP_OK);
    assert_int_equal(osp_safetensors_count(demo), DEMO_TENSORS);
    for (int i = 0; i < DEMO_TENSORS; i++) {
        const struct osp_stored_tensor *t = osp_safetensors_tensor(demo, i);
        uint64_t count = t->bytes / osp_stored_size(t->type);
        values[i] = malloc(count * sizeof *values[i]);
        assert_non_null(values[i]);
        osp_stored_read(t, 0, count, values[i]);
    }
    return 0;
}

static int free_demo(void **state)
{
    for (int i = 0; i < DEMO_TENSORS; i++)
        free(values[i]);
    osp_safetensors_close(demo);
    return 0;
}

static int enter(void **state)
{
    folder = folder_enter();
    for (int i = 0; i < DEMO_TENSORS; i++) {
        tensors[i] = *osp_safetensors_tensor(demo, i);
        tensors[i].bytes = tensors[i].bytes / osp_stored_size(tensors[i].type) * sizeof(float);
        tensors[i].type = OSP_STORED_F32;
        tensors[i].data = (const uint8_t *)values[i];
    }
    return 0;
}

static int leave(void **state)
{
    folder_leave(folder);
    return 0;
}

static int index_of(const char *name)
{
    for (int i = 0; i < DEMO_TENSORS; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return i;
    fail_msg("no tensor %s", name);
    return -1;
}

/* ---- Remarks ------------------------------------------------------------------------------------- */

static char remarks[4096];

static void remember(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void remember(const char *format, ...)
{
    size_t length = strlen(remarks);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(remarks + length, sizeof remarks - length, format, arguments);
    va_end(arguments);
    strncat(remarks, "\n", sizeof remarks - strlen(remarks) - 1);
}

static osp_status convert(const char *in, struct convert_options o, struct convert_report *report)
{
    remarks[0] = '\0';
    o.input = in;
    o.output = out;
    o.remark = remember;
    return convert_model(&o, report);
}

static const struct convert_options nothing_said = {.bn_eps = -1};

static void assert_remarks(const char *words)
{
    if (!strstr(remarks, words))
        fail_msg("\"%s\" does not say \"%s\"", remarks, words);
}

/* It fails like this, says so, and leaves nothing but the input. */
static void assert_refused(const char *in, struct convert_options o, osp_status status, const char *words)
{
    struct convert_report report;
    int before = folder_count();
    osp_status got = convert(in, o, &report);
    if (got == OSP_OK)
        convert_report_free(&report);
    assert_int_equal(got, status);
    folder_assert_says(words);
    assert_int_equal(folder_count(), before);
}

/* Writes the tensors as a checkpoint, expects them refused, and removes it. */
static void refuse_stream(int count, struct convert_options o, osp_status status, const char *words)
{
    stream_write("in.pth", NULL, "", tensors, count);
    assert_refused("in.pth", o, status, words);
    unlink("in.pth");
}

/* ---- What comes out -------------------------------------------------------------------------------- */

/* The file holds the demo's tensors, with these bits. */
static void assert_written(bool f16)
{
    struct osp_safetensors *file;
    assert_int_equal(osp_safetensors_open(out, &file), OSP_OK);
    assert_int_equal(osp_safetensors_count(file), DEMO_TENSORS);
    for (int i = 0; i < DEMO_TENSORS; i++) {
        const struct osp_stored_tensor *want = f16 ? osp_safetensors_tensor(demo, i) : &tensors[i];
        const struct osp_stored_tensor *got = osp_safetensors_find(file, want->name);
        assert_non_null(got);
        assert_int_equal(got->type, want->type);
        assert_int_equal(got->rank, want->rank);
        assert_memory_equal(got->dim, want->dim, sizeof got->dim);
        assert_memory_equal(got->data, want->data, want->bytes);
    }
    osp_safetensors_close(file);
}

static void convert_well(const char *in, struct convert_options o, struct convert_report *report)
{
    osp_status status = convert(in, o, report);
    if (status != OSP_OK)
        fail_msg("%s", osp_message());
}

static void plain(void **state)
{
    static const char *const names[] = {"face", "motorcycle", "airplane"};
    struct convert_options o = nothing_said;
    struct convert_report report;
    struct osp_model_info info;
    o.classes = names;
    o.class_count = 3;
    stream_write("in.pth", NULL, "", tensors, DEMO_TENSORS);
    convert_well("in.pth", o, &report);
    assert_string_equal(remarks, "");
    osp_model_describe(report.model, &info);
    assert_string_equal(info.architecture, "fasterrcnn_efficientnet_lite0_fpn");
    assert_string_equal(info.source_name, "in.pth");
    assert_string_equal(info.input_norm, "once");
    assert_true(info.bn_eps == 1e-3 && info.classes == 4 && info.min_size == 320 && report.tensors == DEMO_TENSORS);
    assert_string_equal(osp_model_class(report.model, 3), "airplane");
    convert_report_free(&report);
    assert_written(false);

    o.f16 = true;
    o.bn_eps = 2e-3;
    o.min_size = 200;
    o.max_size = 300;
    o.resize = "f32-reciprocal";
    convert_well("in.pth", o, &report);
    osp_model_describe(report.model, &info);
    assert_true(info.bn_eps == 2e-3 && info.min_size == 200 && info.max_size == 300);
    assert_string_equal(info.resize, "f32-reciprocal");
    convert_report_free(&report);
    assert_written(true);
    unlink("in.pth");
    unlink(out);
}

/* Under a key, with a prefix, with counters, with names from before torchvision 0.13, and with a tensor too many. */
static void dressed(void **state)
{
    static const int64_t count = 7;
    char names[MOST][128];
    struct convert_report report;
    int renamed = 0, n = DEMO_TENSORS;
    for (int i = 0; i < DEMO_TENSORS; i++) {
        const char *name = tensors[i].name, *tail = strrchr(name, '.');
        snprintf(names[i], sizeof names[i], "%s", name);
        if (strncmp(name, "rpn.head.conv.", 14) == 0)
            snprintf(names[i], sizeof names[i], "rpn.head.conv%s", tail), renamed++;
        else if (strstr(name, "_blocks.") && strncmp(name, "backbone.fpn.", 13) == 0)
            snprintf(names[i], sizeof names[i], "%.*s%s", (int)(tail - 2 - name), name, tail), renamed++;
        tensors[i].name = names[i];
    }
    tensors[n++] =
        (struct osp_stored_tensor){"backbone.body.bn1.num_batches_tracked", OSP_STORED_I64, 0, {0}, (const uint8_t *)&count, 8};
    tensors[n++] = (struct osp_stored_tensor){"extra.weight", OSP_STORED_F32, 1, {1}, (const uint8_t *)values[0], 4};
    assert_int_equal(renamed, 2 + 12);
    stream_write("in.pth", "model", "module.", tensors, n);
    convert_well("in.pth", nothing_said, &report);
    assert_remarks("the state dict is under \"model\"");
    assert_remarks("every name began with \"module.\"");
    assert_remarks("14 names from before torchvision 0.13");
    assert_remarks("the 3 classes are called class_1, class_2, ...");
    assert_remarks("1 tensors are no part of fasterrcnn_efficientnet_lite0_fpn: 'extra.weight'");
    assert_int_equal(report.dropped, 1);
    assert_int_equal(report.unused, 1);
    assert_string_equal(report.key, "model");
    assert_string_equal(osp_model_class(report.model, 3), "class_3");
    convert_report_free(&report);
    unlink("in.pth");
    unlink(out);
}

/* F16, BF16 and F64 are widened or rounded to F32. */
static void other_types(void **state)
{
    struct convert_report report;
    int bias = index_of("roi_heads.box_predictor.cls_score.bias");
    uint16_t half[4], brain[4];
    double wide[4];
    float kept_values[4];
    memcpy(kept_values, values[bias], sizeof kept_values);
    for (int i = 0; i < 4; i++) {
        values[bias][i] = (float)i - 1.5f;
        half[i] = osp_f32_to_f16(values[bias][i]);
        memcpy(&brain[i], (const char *)&values[bias][i] + 2, 2);
        wide[i] = values[bias][i];
    }
    const struct {
        enum osp_stored type;
        const void *data;
    } kinds[] = {{OSP_STORED_F16, half}, {OSP_STORED_BF16, brain}, {OSP_STORED_F64, wide}};
    for (int k = 0; k < 3; k++) {
        struct osp_stored_tensor kept = tensors[bias];
        tensors[bias].type = kinds[k].type;
        tensors[bias].data = kinds[k].data;
        tensors[bias].bytes = 4 * osp_stored_size(kinds[k].type);
        stream_write("in.pth", NULL, "", tensors, DEMO_TENSORS);
        tensors[bias] = kept;
        convert_well("in.pth", nothing_said, &report);
        convert_report_free(&report);
        assert_written(false);
    }
    memcpy(values[bias], kept_values, sizeof kept_values);
    unlink("in.pth");
    unlink(out);
}

/* A converted file goes in again with all its settings. */
static void again(void **state)
{
    struct convert_report report;
    convert_well(OSP_SOURCE "/models/demo/demo.safetensors", nothing_said, &report);
    assert_string_equal(remarks, "");
    assert_string_equal(osp_model_class(report.model, 2), "motorcycle");
    convert_report_free(&report);
    assert_written(false);
    assert_refused(out, nothing_said, OSP_USAGE, "allowed is another file than the input");
    unlink(out);
}

/* The checksum in a name is compared; a date is none. */
static void checksum_in_name(void **state)
{
    struct convert_report report;
    struct osp_model_info info;
    char name[64];
    stream_write("in.pth", NULL, "", tensors, DEMO_TENSORS);
    convert_well("in.pth", nothing_said, &report);
    osp_model_describe(report.model, &info);
    snprintf(name, sizeof name, "net-%.8s.pth", info.source_sha256);
    convert_report_free(&report);
    rename("in.pth", name);
    convert_well(name, nothing_said, &report);
    convert_report_free(&report);
    rename(name, "net-20260131.pth");
    convert_well("net-20260131.pth", nothing_said, &report);
    convert_report_free(&report);
    unlink(out);
    rename("net-20260131.pth", "net-0123abcd.pth");
    assert_refused("net-0123abcd.pth", nothing_said, OSP_REFUSED, "allowed 0123abcd..., as its name says");
    unlink("net-0123abcd.pth");
}

/* ---- What is refused ------------------------------------------------------------------------------- */

/* A checkpoint with tensors of these names, of one element each but for the class scores. */
static int only_names(const char *const *names, int classes)
{
    int n = 0;
    for (; names[n]; n++) {
        tensors[n] = (struct osp_stored_tensor){names[n], OSP_STORED_F32, 1, {1}, (const uint8_t *)values[0], 4};
        if (strcmp(names[n], "roi_heads.box_predictor.cls_score.weight") == 0)
            tensors[n] = (struct osp_stored_tensor){
                names[n], OSP_STORED_F32, 2, {classes, 1}, (const uint8_t *)values[0], 4 * (uint64_t)classes};
    }
    return n;
}

static void which_network(void **state)
{
    struct convert_options o = nothing_said;
    int n = only_names(osp_zoo_find("fasterrcnn_mobilenet_v3_large_fpn")->signs, 3);
    refuse_stream(n, o, OSP_USAGE,
                  "say which with --model: fasterrcnn_mobilenet_v3_large_fpn, fasterrcnn_mobilenet_v3_large_320_fpn");
    o.model = "fasterrcnn_resnet50_fpn";
    refuse_stream(n, o, OSP_USAGE, "--model: found fasterrcnn_resnet50_fpn, allowed is what the tensors are of");
    o.model = "yolo";
    refuse_stream(n, o, OSP_USAGE, "--model: found yolo, allowed are fasterrcnn_resnet50_fpn, ");
    o.model = "fasterrcnn_mobilenet_v3_large_320_fpn";
    refuse_stream(n, o, OSP_USAGE,
                  "its 2 classes are not COCO's, so say how its pictures were normalised in training: --input-norm twice if "
                  "Detecto saved it, --input-norm once");
    o.norm_times = 2;
    refuse_stream(n, o, OSP_REFUSED, "the network needs"); /* misshapen: found when the temporary is opened */
    n = only_names((const char *[]){"roi_heads.mask_predictor.conv5_mask.weight", NULL}, 0);
    refuse_stream(n, nothing_said, OSP_REFUSED, "found the weights of a Mask R-CNN");
    n = only_names((const char *[]){"w", "b", NULL}, 0);
    refuse_stream(n, nothing_said, OSP_REFUSED, "found 2 tensors of an unknown network (b, w), allowed are those of");
    n = only_names((const char *[]){"rpn.head.conv.weight", "rpn.head.conv.0.0.weight", NULL}, 0);
    refuse_stream(n, nothing_said, OSP_REFUSED, "tensor 'rpn.head.conv.0.0.weight': found under its old and its new name");
}

/* ResNet-50 v1: eps 0 unless there are counters. The network is refused for its shapes, after the remark. */
static void batch_norm_eps(void **state)
{
    struct convert_options o = nothing_said;
    int n = only_names(osp_zoo_find("fasterrcnn_resnet50_fpn")->signs, 3);
    o.norm_times = 2;
    refuse_stream(n, o, OSP_REFUSED, "");
    assert_remarks("batch norm eps 0 is taken");
    tensors[n++] = (struct osp_stored_tensor){
        "backbone.body.bn1.num_batches_tracked", OSP_STORED_F32, 1, {1}, (const uint8_t *)values[0], 4};
    refuse_stream(n, o, OSP_REFUSED, "");
    assert_null(strstr(remarks, "batch norm eps"));
}

static void settings(void **state)
{
    static const char *const names[] = {"__background__", "a", "b", "c", "d"};
    struct convert_options o = nothing_said;
    o.classes = names + 1;
    o.class_count = 2;
    refuse_stream(DEMO_TENSORS, o, OSP_USAGE, "--classes: found 2 names, allowed are 3");
    o.class_count = 4;
    refuse_stream(DEMO_TENSORS, o, OSP_USAGE, "--classes: found 4 names, allowed are 3");
    o = nothing_said;
    o.norm_times = 2;
    refuse_stream(DEMO_TENSORS, o, OSP_USAGE, "--input-norm: found twice, allowed is once for fasterrcnn_efficientnet_lite0_fpn");
    o = nothing_said;
    o.min_size = 700;
    refuse_stream(DEMO_TENSORS, o, OSP_USAGE, "--min-size: found 700, allowed is at most the longer side, 640");
}

static void bad_values(void **state)
{
    int weight = index_of("roi_heads.box_predictor.cls_score.weight"), bias = index_of("roi_heads.box_predictor.cls_score.bias");
    float kept[2] = {values[weight][5], values[bias][1]};
    struct convert_options o = nothing_said;
    struct convert_report report;
    values[weight][5] = NAN;
    values[bias][1] = INFINITY;
    refuse_stream(DEMO_TENSORS, o, OSP_REFUSED,
                  "found 2 values that are NaN or infinite ('roi_heads.box_predictor.cls_score.bias': 1, "
                  "'roi_heads.box_predictor.cls_score.weight': 1)");
    o.allow_nonfinite = true;
    stream_write("in.pth", NULL, "", tensors, DEMO_TENSORS);
    convert_well("in.pth", o, &report);
    assert_remarks("2 values are NaN or infinite");
    assert_int_equal(report.nonfinite, 2);
    convert_report_free(&report);
    struct osp_safetensors *file;
    assert_int_equal(osp_safetensors_open(out, &file), OSP_OK);
    assert_string_equal(osp_safetensors_meta(file, "nonfinite"), "2");
    osp_safetensors_close(file);
    unlink("in.pth");
    unlink(out);

    values[bias][1] = kept[1];
    values[weight][5] = 65520;
    o = nothing_said;
    o.f16 = true;
    refuse_stream(DEMO_TENSORS, o, OSP_REFUSED,
                  "tensor 'roi_heads.box_predictor.cls_score.weight': element 5 is 65520, allowed with --f16");
    values[weight][5] = kept[0];
    tensors[bias].type = OSP_STORED_I32;
    refuse_stream(DEMO_TENSORS, nothing_said, OSP_REFUSED,
                  "tensor 'roi_heads.box_predictor.cls_score.bias': found type I32, allowed F32");
}

/* Tensors that the network wants otherwise, and names that say nothing: the sentence is of the input, and what stood at the
 * output's place still does. */
static void bad_tensors(void **state)
{
    int bias = index_of("roi_heads.box_head.fc7.bias");
    struct osp_stored_tensor kept = tensors[bias];
    folder_put(out, "as before");
    tensors[bias].name = "roi_heads.box_head.fc9.bias";
    refuse_stream(DEMO_TENSORS, nothing_said, OSP_REFUSED, "in.pth: tensor 'roi_heads.box_head.fc7.bias': missing");
    tensors[bias] = kept;
    tensors[bias].dim[0]--;
    tensors[bias].bytes -= 4;
    refuse_stream(DEMO_TENSORS, nothing_said, OSP_REFUSED, "in.pth: tensor 'roi_heads.box_head.fc7.bias': shape");
    folder_assert_holds(out, "as before");
    unlink(out);
    assert_refused("nowhere.pth", nothing_said, OSP_UNREADABLE, "nowhere.pth: ");
}

/* ---- The command ---------------------------------------------------------------------------------- */

/* Runs `osprey convert` with standard output going to a file; its exit status. */
static int command(const char *const *arguments)
{
    char *argv[16] = {NULL};
    int argc = 0, kept = dup(STDOUT_FILENO), file = open("printed", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0);
    argv[argc++] = strdup("convert");
    for (; *arguments; arguments++)
        argv[argc++] = strdup(*arguments);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    int status = tool_convert(argc, argv);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(file);
    close(kept);
    while (argc > 0)
        free(argv[--argc]);
    return status;
}

#define RUN(...) command((const char *const[]){__VA_ARGS__, NULL})

static void command_line(void **state)
{
    stream_write("in.pth", NULL, "", tensors, DEMO_TENSORS);
    folder_put("names.txt", "face\r\n motorcycle \nairplane\n");
    folder_put("few.txt", "face\n\nairplane\n");
    assert_int_equal(RUN("in.pth", "-o", out, "--classes-file", "names.txt", "--json"), EXIT_DONE);
    char why[512];
    assert_true(schema_accepts_file(OSP_SOURCE "/tools/convert.schema.json", "printed", why, sizeof why));
    json_t *printed = json_load_file("printed", JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_array_get(json_object_get(printed, "classes"), 2)), "motorcycle");
    assert_string_equal(json_string_value(json_object_get(printed, "file")), out);
    assert_int_equal(json_integer_value(json_object_get(printed, "parameters")), 4051395);
    json_decref(printed);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes", "face,motorcycle,airplane", "--f16"), EXIT_DONE);
    assert_written(true);
    assert_int_equal(RUN("--help"), EXIT_DONE);

    unlink(out);
    assert_int_equal(RUN("in.pth"), EXIT_USAGE);
    assert_int_equal(RUN("-o", out), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "in.pth", "-o", out), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--input-norm", "thrice"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--resize", "single"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes", "a,b,c", "--classes-file", "names.txt"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes", "a,b"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes", "a,,c"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes-file", "few.txt"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--classes-file", "nowhere.txt"), EXIT_USAGE);
    assert_int_equal(RUN("in.pth", "-o", out, "--bn-eps", "2"), EXIT_USAGE);
    assert_int_equal(RUN("names.txt", "-o", out), EXIT_MODEL);
    assert_int_equal(RUN("nowhere.pth", "-o", out), EXIT_MODEL);
    assert_int_equal(RUN("in.pth", "-o", "no/such/folder/out"), EXIT_UNWRITTEN);
    assert_int_equal(folder_count(), 4);
    unlink("in.pth");
    unlink("names.txt");
    unlink("few.txt");
    unlink("printed");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(plain),    TEST(dressed),    TEST(other_types), TEST(again),        TEST(checksum_in_name), TEST(which_network),
        TEST(settings), TEST(bad_values), TEST(bad_tensors), TEST(command_line), TEST(batch_norm_eps)};
    return cmocka_run_group_tests(tests, load_demo, free_demo);
}
