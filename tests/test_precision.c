/* Reduced precision is never silent: what tf32, f16 and bf16 cannot hold is refused or becomes NaN, a GPU that lacks them says
 * so, and of the demo network the boxes stay within stated bounds, with the drift of each stage printed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "climbs.h"
#include "networks.h"
#include "runtime/backend.h"
#include "runtime/constant.h"
#include "sanitized.h"
#include "scratch.h"
#include "tools/compare/compare.h"

static const struct osp_backend *backend_of(const char *name)
{
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, name))
            return osp_backends[i];
    fail_msg("no backend is called %s", name);
    return NULL;
}

static const struct osp_kernel *rung_of(enum osp_op op, const char *name)
{
    const struct osp_ladder *ladder = backend_of("emu")->ops[op];
    for (int i = 0; i < ladder->count; i++)
        if (!strcmp(ladder->rungs[i]->name, name))
            return ladder->rungs[i];
    fail_msg("no rung is called %s", name);
    return NULL;
}

/* ---- One layer: 1x1, ReLU ------------------------------------------------------------------------------------------ */

enum { PIXELS = 6, C = 4, K = 8 };

static const union osp_attrs attrs = {.conv2d = {1, 1, 1, 0, OSP_RELU}};

static struct osp_call layer(int64_t pixels, int64_t c, int64_t k)
{
    return (struct osp_call){.op = OSP_conv2d,
                             .attrs = &attrs,
                             .inputs = 1,
                             .outputs = 1,
                             .in = {{OSP_F32, {4, {1, 1, pixels, c}}, NULL}},
                             .out = {{OSP_F32, {4, {1, 1, pixels, k}}, NULL}}};
}

static osp_status prepare(struct osp_device *device, const char *rung, struct osp_call call, const float *w,
                          struct osp_node_state *state)
{
    struct osp_constant *constant;
    struct osp_shape shape = {4, {call.out[0].shape.dim[3], call.in[0].shape.dim[3], 1, 1}};
    assert_int_equal(osp_constant_new(w, &shape, &constant), OSP_OK);
    call.constant[OSP_WEIGHT] = constant;
    osp_status status = rung_of(OSP_conv2d, rung)->prepare(device, &call, state);
    osp_constant_free(constant);
    return status;
}

static void run(const char *backend, const char *rung, struct osp_call call, const float *w, const float *x, float *out)
{
    const struct osp_backend *on = backend_of(backend);
    const size_t in_bytes = sizeof *x * (size_t)osp_shape_count(&call.in[0].shape),
                 out_bytes = sizeof *out * (size_t)osp_shape_count(&call.out[0].shape);
    struct osp_device *device;
    struct osp_node_state state = {0};
    assert_int_equal(on->open(&(struct osp_device_options){.threads = 1, .driver = "ptx"}, &device), OSP_OK);
    assert_int_equal(prepare(device, rung, call, w, &state), OSP_OK);
    assert_int_equal(on->memory->alloc(device, in_bytes, &call.in[0].data), OSP_OK);
    assert_int_equal(on->memory->upload(device, call.in[0].data, x, in_bytes), OSP_OK);
    assert_int_equal(on->memory->alloc(device, out_bytes, &call.out[0].data), OSP_OK);
    assert_int_equal(rung_of(OSP_conv2d, rung)->run(device, &call, &state), OSP_OK);
    assert_int_equal(on->memory->download(device, out, call.out[0].data, out_bytes), OSP_OK);
    on->memory->free(device, call.in[0].data);
    on->memory->free(device, call.out[0].data);
    rung_of(OSP_conv2d, rung)->release(device, &state);
    on->close(device);
}

static void weights_that_do_not_fit(void **state)
{
    static const struct {
        const char *rung;
        float weight;
        const char *sentence; /* NULL: it is taken */
    } rows[] = {
        {"f16", 65504, NULL},
        {"f16", 65520, "a weight of output 3 is 65520, which f16 cannot hold"},
        {"f16", -1e6f, "a weight of output 3 is -1e+06, which f16 cannot hold"},
        {"f16", NAN, "nan, which f16 cannot hold"},
        {"bf16", 65520, NULL},
        {"bf16", 3.38e38f, NULL},
        {"bf16", 3.4e38f, "a weight of output 3 is 3.4e+38, which bf16 cannot hold"},
        {"bf16", INFINITY, "inf, which bf16 cannot hold"},
        {"tf32", 3.4e38f, NULL},
        {"tf32", 3.4028e38f, "a weight of output 3 is 3.4028e+38, which tf32 cannot hold"},
        {"tf32", -INFINITY, "-inf, which tf32 cannot hold"},
    };
    struct osp_device *device;
    assert_int_equal(backend_of("emu")->open(&(struct osp_device_options){.threads = 1}, &device), OSP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct osp_node_state packed = {0};
        float w[K * C] = {0};
        w[3 * C + 1] = rows[i].weight;
        osp_status status = prepare(device, rows[i].rung, layer(PIXELS, C, K), w, &packed);
        assert_int_equal(status, rows[i].sentence ? OSP_USAGE : OSP_OK);
        if (status && !strstr(osp_message(), rows[i].sentence))
            fail_msg("%s", osp_message());
        assert_int_equal(packed.data == NULL, status != OSP_OK);
        rung_of(OSP_conv2d, rows[i].rung)->release(device, &packed);
    }
    backend_of("emu")->close(device);
}

/* One value of pixel 2; all weights are -1, so that ReLU makes 0 of what is not NaN. */
static void an_activation_that_does_not_fit(void **state)
{
    static const struct {
        const char *rung;
        float value;
        bool held;
    } rows[] = {{"f16", 65504, true},  {"f16", 65519, true},  {"f16", 65520, false}, {"f16", -65520, false},
                {"f16", 1e30f, false}, {"bf16", 1e30f, true}, {"tf32", 1e30f, true}, {"f16", 0, true},
                {"bf16", NAN, false},  {"tf32", NAN, false}};
    float w[K * C], x[PIXELS * C], out[PIXELS * K];
    for (int i = 0; i < K * C; i++)
        w[i] = -1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int e = 0; e < PIXELS * C; e++)
            x[e] = 1;
        x[2 * C + 3] = rows[i].value;
        run("emu", rows[i].rung, layer(PIXELS, C, K), w, x, out);
        for (int e = 0; e < PIXELS * K; e++)
            if (isnan(out[e]) != (e / K == 2 && !rows[i].held))
                fail_msg("%s, %g: output %d is %g", rows[i].rung, (double)rows[i].value, e, (double)out[e]);
    }
}

static void an_old_gpu(void **state)
{
    const struct osp_backend *cuda = backend_of("cuda");
    struct osp_device *device;
    struct osp_call call = layer(PIXELS, C, K);
    setenv("PTX_DRIVER_SM", "75", 1);
    assert_int_equal(cuda->open(&(struct osp_device_options){.driver = "ptx"}, &device), OSP_OK);
    assert_null(rung_of(OSP_conv2d, "f16")->refuses(device, &call));
    assert_string_equal(rung_of(OSP_conv2d, "tf32")->refuses(device, &call), "tf32 needs compute capability 8.0 or newer");
    assert_string_equal(rung_of(OSP_conv2d, "bf16")->refuses(device, &call), "bf16 needs compute capability 8.0 or newer");
    cuda->close(device);
    unsetenv("PTX_DRIVER_SM");
}

/* Whole numbers on as many pixels as make each GPU take its large tile (128 outputs) and its middle one (64); the cases of
 * tests/cases, which are small, run the small one there. 40 channels are more stages than fit at once. */
static void large_tiles(void **state)
{
    enum { CHANNELS = 40, MOST = 60 * 128 };
    static const struct {
        const char *sm;
        int64_t tiles;
    } gpus[] = {{"75", 31}, {"80", 60}};
    static const char *const rungs[] = {"f16", "tf32", "bf16"};
    float *x = malloc(MOST * CHANNELS * sizeof *x), *out = malloc(MOST * 128 * sizeof *out), w[128 * CHANNELS];
    assert_true(x && out);
    for (int i = 0; i < MOST * CHANNELS; i++)
        x[i] = (float)((i * 7 + i / 11) % 13 - 6);
    for (int i = 0; i < 128 * CHANNELS; i++)
        w[i] = (float)((i * 5 + i / 17) % 11 - 5);
    for (int g = 0; g < 2; g++)
        for (int n = 0; n < (g ? 6 : 2); n++) {
            const int64_t pixels = gpus[g].tiles * 128, k = n % 2 ? 64 : 128;
            setenv("PTX_DRIVER_SM", gpus[g].sm, 1);
            run("cuda", rungs[n / 2], layer(pixels, CHANNELS, k), w, x, out);
            for (int64_t i = 0; i < pixels * k; i += 3) {
                float sum = 0;
                for (int c = 0; c < CHANNELS; c++)
                    sum += x[i / k * CHANNELS + c] * w[i % k * CHANNELS + c];
                if (out[i] != (sum < 0 ? 0 : sum))
                    fail_msg("%s on sm_%s, %d outputs: output %d of pixel %d is %g, not %g", rungs[n / 2], gpus[g].sm, (int)k,
                             (int)(i % k), (int)(i / k), (double)out[i], (double)sum);
            }
        }
    unsetenv("PTX_DRIVER_SM");
    free(x);
    free(out);
}

/* The loop of every rung of reduced precision: matrix instructions, fed by ldmatrix from rows that no bank holds twice, while
 * cp.async brings the next. */
static void how_tensor_cores_are_fed(void **state)
{
    json_t *json = climb_json("conv2d", "1x16x16x32,64,3,1", "emu"), *rung, *kernel;
    static const char *const classes[] = {"MMA", "LDSM", "LDGSTS"};
    size_t i, k;
    int seen = 0;
    json_array_foreach(json_object_get(json, "rungs"), i, rung)
    {
        if (!strcmp(text_of(rung, "precision"), "f32"))
            continue;
        json_array_foreach(json_object_get(rung, "kernels"), k, kernel)
        {
            const json_t *shared = json_object_get(kernel, "shared"), *code = json_object_get(kernel, "code");
            if (!(number_of(shared, "wavefronts") > 0) ||
                number_of(shared, "wavefronts") != number_of(shared, "ideal_wavefronts"))
                fail_msg("%s: %g passes over the banks, %g could do", text_of(kernel, "kernel"), number_of(shared, "wavefronts"),
                         number_of(shared, "ideal_wavefronts"));
            if (!code)
                print_message("NOT RUN: the machine code of %s: built without nvcc\n", text_of(kernel, "kernel"));
            for (int c = 0; code && c < 3; c++)
                if (!(number_of(json_object_get(code, "loop"), classes[c]) > 0))
                    fail_msg("%s: no %s in its loop", text_of(kernel, "kernel"), classes[c]);
            seen++;
        }
    }
    assert_int_equal(seen, 3);
    json_decref(json);
}

/* ---- Networks ------------------------------------------------------------------------------------------------------ */

/* By how much boxes may be off, in pixels, and scores: kernels/README.md states the same. */
static const struct {
    const char *name;
    double box, score;
} precisions[] = {{"tf32", 1, 0.02}, {"f16", 1, 0.02}, {"bf16", 4, 0.05}};

static struct osp_detections detect(const struct osp_model *model, const struct osp_image *picture,
                                    const struct osp_session_options *options)
{
    struct osp_session *session;
    struct osp_detections found = {0};
    if (osp_session_open(model, options, &session) || osp_detect(session, picture, &found))
        fail_msg("%s, %s: %s", options->backend, options->precision, osp_message());
    osp_session_close(session);
    return found;
}

/* The same labels in the same order; box and score: how far they are off. */
static void compare(const struct osp_detections *want, const struct osp_detections *got, const char *what, double *box,
                    double *score)
{
    *box = *score = 0;
    if (got->count != want->count)
        fail_msg("%s: %d boxes, %d wanted", what, got->count, want->count);
    for (int i = 0; i < want->count; i++) {
        assert_int_equal(got->items[i].label, want->items[i].label);
        *score = fmax(*score, fabs((double)got->items[i].score - (double)want->items[i].score));
        for (int k = 0; k < 4; k++)
            *box = fmax(*box, fabs((double)got->items[i].box[k] - (double)want->items[i].box[k]));
    }
}

/* Under a sanitizer one network and one precision have to do. */
enum { NETWORKS = SANITIZED ? 1 : 2, PRECISIONS = SANITIZED ? 1 : 3 };

static void boxes_stay(void **state)
{
    /* The demo network on a photo; ResNet-50 with FPN on a small picture, whose random weights give scores that bf16's steps
     * confuse. */
    static const struct {
        int network, precisions;
    } tried[] = {{0, 3}, {4, 2}};
    for (int n = 0; n < NETWORKS; n++) {
        const char *label = networks[tried[n].network].label;
        struct osp_model *model;
        struct osp_image *picture;
        if (network_open(&networks[tried[n].network], &model, &picture))
            fail_msg("%s: %s", label, osp_message());
        struct osp_detections want = detect(model, picture, &(struct osp_session_options){.backend = "cpu", .precision = "f32"});
        assert_true(want.count > 0);
        for (int p = 0; p < tried[n].precisions && p < PRECISIONS; p++) {
            double box, score;
            struct osp_detections got =
                detect(model, picture, &(struct osp_session_options){.backend = "emu", .precision = precisions[p].name});
            compare(&want, &got, precisions[p].name, &box, &score);
            print_message("%s, %s: %d boxes, off by %.2g pixels and %.2g\n", label, precisions[p].name, got.count, box, score);
            if (box > precisions[p].box || score > precisions[p].score)
                fail_msg("beyond %g pixels and %g", precisions[p].box, precisions[p].score);
            assert_true(box > 0); /* it was asked for, and something else has run */
            osp_detections_free(&got);
        }
        osp_detections_free(&want);
        osp_image_free(picture);
        osp_model_close(model);
    }
}

static char *drift_of(const struct osp_model *model, const struct osp_image *picture, const char *precision)
{
    struct osp_session *a, *b;
    struct agreement agreement = {0};
    static char *text; /* static: gcc takes a local one for dangling */
    static size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(osp_session_open(model, &(struct osp_session_options){.backend = "emu", .keep = 1}, &a), OSP_OK);
    assert_int_equal(
        osp_session_open(model, &(struct osp_session_options){.backend = "emu", .keep = 1, .precision = precision}, &b), OSP_OK);
    if (diff_sessions(a, b, picture, &agreement, out))
        fail_msg("%s: %s", precision, osp_message());
    osp_session_close(a);
    osp_session_close(b);
    fclose(out);
    assert_null(agreement.first_node);
    return text;
}

/* What osprey compare --diff prints: every stage that multiplies, and of those before proposals, whose ranks may swap, a drift
 * that is the type's. */
static void drift_by_stage(void **state)
{
    static const char *const stages[] = {"body", "fpn", "rpn", "box_head"};
    struct osp_model *model;
    struct osp_image *picture;
    assert_int_equal(osp_image_load(networks[0].photo, NULL, &picture), OSP_OK);
    if (network_open_small(&model))
        fail_msg("%s", osp_message());
    for (int p = 0; p < 3; p++) {
        char *text = drift_of(model, picture, precisions[p].name);
        const double eps = p == 2 ? 0x1p-8 : 0x1p-11;
        print_message("%s\n%s", precisions[p].name, text);
        for (int i = 0; i < 4; i++) {
            char line[32];
            int nodes = 0, same = 0;
            double drift = 0;
            snprintf(line, sizeof line, "\n  %-13s ", stages[i]);
            const char *at = strstr(text, line);
            if (!at || sscanf(at + strlen(line), "%d %d %lf", &nodes, &same, &drift) != 3)
                fail_msg("%s: no line of %s", precisions[p].name, stages[i]);
            if (same >= nodes || drift < eps / 64 || (i < 3 && drift > 64 * eps))
                fail_msg("%s, %s: %d of %d nodes equal, drift %g", precisions[p].name, stages[i], same, nodes, drift);
        }
        free(text);
    }
    osp_image_free(picture);
    osp_model_close(model);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_that_do_not_fit),
        cmocka_unit_test(an_activation_that_does_not_fit),
        cmocka_unit_test(an_old_gpu),
        cmocka_unit_test(large_tiles),
        cmocka_unit_test(how_tensor_cores_are_fed),
        cmocka_unit_test(boxes_stay),
        cmocka_unit_test(drift_by_stage),
    };
    process_find(argv[0]);
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
