/* The two convolutions that compete on the cpu backend, Winograd and the direct rung: how far their sums are from exact ones,
 * layer by layer, which of them a plan takes, and what their short cuts must not change. And the same of the CUDA kernels on the
 * emulator: their Winograd shares no code with the cpu's, and gives its bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases/cases.h"
#include "cpu/tile.h"
#include "runtime/constant.h"

/* The relative error in the 2-norm that a layer may have (spec: the gate of F(4x4)). */
static const double GATE = 5e-6;

struct layer {
    const char *name;
    int64_t c, h, w, k;
    bool winograd; /* chosen by cost */
};

/* Channels and maps of the networks here; outputs are few where only sums matter. */
static const struct layer layers[] = {
    {"body.layer1 conv2", 64, 50, 68, 64, true},   {"body.layer2 conv2", 128, 25, 34, 128, true},
    {"body.layer3 conv2", 256, 25, 34, 256, true}, {"body.layer4 conv2", 512, 25, 34, 512, true},
    {"fpn and rpn, P5", 256, 25, 34, 256, true},   {"16 channels, a large map", 16, 160, 224, 16, true},
    {"3 channels", 3, 64, 64, 16, false},          {"a map of one square", 256, 4, 4, 256, false},
};

static const struct osp_backend *backend_of(const char *name)
{
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, name))
            return osp_backends[i];
    fail_msg("no backend is called %s", name);
    return NULL;
}

static const struct osp_backend *cpu(void) { return backend_of("cpu"); }

static const struct osp_kernel *rung_of(const struct osp_backend *backend, const char *name)
{
    const struct osp_ladder *ladder = backend->ops[OSP_conv2d];
    for (int i = 0; i < ladder->count; i++)
        if (!strcmp(ladder->rungs[i]->name, name))
            return ladder->rungs[i];
    fail_msg("no rung is called %s", name);
    return NULL;
}

static const struct osp_kernel *rung(const char *name) { return rung_of(cpu(), name); }

static const union osp_attrs attrs = {.conv2d = {3, 3, 1, 1, OSP_LINEAR}};

static struct osp_call call_of(const struct layer *layer, int64_t n)
{
    return (struct osp_call){.op = OSP_conv2d,
                             .attrs = &attrs,
                             .inputs = 1,
                             .outputs = 1,
                             .in = {{OSP_F32, {4, {n, layer->h, layer->w, layer->c}}, NULL}},
                             .out = {{OSP_F32, {4, {n, layer->h, layer->w, layer->k}}, NULL}}};
}

static void *room(int64_t count, size_t size)
{
    void *memory = aligned_alloc(64, ((size_t)count * size + 63) / 64 * 64);
    assert_non_null(memory);
    return memory;
}

/* A sum of twelve uniform numbers less six has mean 0 and variance 1 and is close to normal. */
static double normal(struct case_random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += case_uniform(random, 0, 1);
    return sum;
}

/* Output i in double, by the definition. */
static double exact(const struct layer *layer, const float *x, const float *w, int64_t i)
{
    int64_t k = i % layer->k, q = i / layer->k % layer->w, p = i / layer->k / layer->w;
    double sum = 0;
    for (int64_t r = 0; r < 3; r++)
        for (int64_t s = 0; s < 3; s++)
            if (p + r >= 1 && p + r <= layer->h && q + s >= 1 && q + s <= layer->w)
                for (int64_t c = 0; c < layer->c; c++)
                    sum += (double)x[((p + r - 1) * layer->w + q + s - 1) * layer->c + c] *
                           (double)w[((k * layer->c + c) * 3 + r) * 3 + s];
    return sum;
}

/* Device memory for a tensor, filled from `host`; NULL for NULL. */
static void *put(const struct osp_backend *backend, struct osp_device *device, const struct osp_tensor *tensor, const float *host)
{
    void *memory = NULL;
    size_t bytes = sizeof *host * (size_t)osp_shape_count(&tensor->shape);
    if (!host)
        return NULL;
    assert_int_equal(backend->memory->alloc(device, bytes, &memory), OSP_OK);
    assert_int_equal(backend->memory->upload(device, memory, host, bytes), OSP_OK);
    return memory;
}

/* Runs a backend's rung on n images, residual may be NULL. */
static void convolve_on(const struct osp_backend *backend, const struct layer *layer, int64_t n, const struct osp_kernel *kernel,
                        const struct osp_device_options *options, const float *w, const float *x, const float *residual,
                        float *out)
{
    struct osp_constant *constant;
    struct osp_device *device;
    struct osp_node_state state = {0};
    struct osp_call call = call_of(layer, n);
    struct osp_tensor *in = call.in;
    assert_int_equal(osp_constant_new(w, &(struct osp_shape){4, {layer->k, layer->c, 3, 3}}, &constant), OSP_OK);
    assert_int_equal(backend->open(options, &device), OSP_OK);
    call.constant[OSP_WEIGHT] = constant;
    assert_int_equal(kernel->prepare(device, &call, &state), OSP_OK);
    if (kernel->scratch)
        assert_int_equal(backend->memory->alloc(device, kernel->scratch(device, &call), &call.scratch), OSP_OK);
    in[OSP_CONV2D_X].data = put(backend, device, &in[OSP_CONV2D_X], x);
    in[OSP_CONV2D_RESIDUAL] = (struct osp_tensor){OSP_F32, call.out[0].shape, NULL};
    in[OSP_CONV2D_RESIDUAL].data = put(backend, device, &in[OSP_CONV2D_RESIDUAL], residual);
    call.out[0].data = put(backend, device, &call.out[0], out);
    assert_int_equal(kernel->run(device, &call, &state), OSP_OK);
    assert_int_equal(
        backend->memory->download(device, out, call.out[0].data, sizeof *out * (size_t)osp_shape_count(&call.out[0].shape)),
        OSP_OK);
    void *const memory[] = {in[OSP_CONV2D_X].data, in[OSP_CONV2D_RESIDUAL].data, call.out[0].data, call.scratch};
    for (int i = 0; i < CASE_COUNT(memory); i++)
        backend->memory->free(device, memory[i]);
    kernel->release(device, &state);
    backend->close(device);
    osp_constant_free(constant);
}

static void convolve(const struct layer *layer, int64_t n, const struct osp_kernel *kernel,
                     const struct osp_device_options *options, const float *w, const float *x, const float *residual, float *out)
{
    convolve_on(cpu(), layer, n, kernel, options, w, x, residual, out);
}

/* Inputs are normal numbers behind a ReLU, weights normal with He's variance 2 / (C*R*S). */
static void fill(const struct layer *layer, int64_t n, float *x, float *w)
{
    struct case_random random = {(uint64_t)layer->c};
    for (int64_t i = 0; i < n * layer->h * layer->w * layer->c; i++)
        x[i] = (float)fmax(normal(&random), 0);
    for (int64_t i = 0; i < layer->k * layer->c * 9; i++)
        w[i] = (float)(normal(&random) * sqrt(2.0 / (double)(layer->c * 9)));
}

/* Every 37th output is judged. */
static double relative_error(const struct layer *layer, const struct osp_kernel *kernel)
{
    int64_t pixels = layer->h * layer->w, weights = layer->k * layer->c * 9;
    float *x = room(pixels * layer->c, sizeof *x), *w = room(weights, sizeof *w), *out = room(pixels * layer->k, sizeof *out);
    fill(layer, 1, x, w);
    convolve(layer, 1, kernel, &(struct osp_device_options){.threads = 2}, w, x, NULL, out);
    double wrong = 0, all = 0;
    for (int64_t i = 0; i < pixels * layer->k; i += 37) {
        double want = exact(layer, x, w, i), error = out[i] - want;
        wrong += error * error;
        all += want * want;
    }
    free(out);
    free(w);
    free(x);
    return sqrt(wrong / all);
}

static void error_within_the_gate(void **state)
{
    for (int i = 0; i < CASE_COUNT(layers); i++) {
        double winograd = relative_error(&layers[i], rung("winograd")), direct = relative_error(&layers[i], rung("tile"));
        print_message("%-26s %4lld channels: relative error %.2g, direct %.2g\n", layers[i].name, (long long)layers[i].c,
                      winograd, direct);
        if (!(winograd <= GATE))
            fail_msg("%s: relative error %g, allowed %g", layers[i].name, winograd, GATE);
    }
}

/* The CUDA kernels' Winograd has the bits of the cpu's, of which the test above says how far they are from exact sums. The layers
 * use each of its tiles; the last one is more than one strip. */
static void the_bits_of_the_cpu(const char *name, const struct osp_device_options *options)
{
    static const struct layer made[] = {{.c = 64, .h = 50, .w = 68, .k = 64},   {.c = 256, .h = 25, .w = 34, .k = 256},
                                        {.c = 512, .h = 13, .w = 17, .k = 512}, {.c = 5, .h = 30, .w = 7, .k = 19},
                                        {.c = 8, .h = 64, .w = 96, .k = 256},   {.c = 16, .h = 340, .w = 343, .k = 16}};
    const struct osp_backend *backend = backend_of(name);
    for (int i = 0; i < CASE_COUNT(made); i++) {
        const struct layer *layer = &made[i];
        int64_t pixels = layer->h * layer->w, outputs = pixels * layer->k;
        float *x = room(pixels * layer->c, sizeof *x), *w = room(layer->k * layer->c * 9, sizeof *w);
        float *want = room(outputs, sizeof *want), *out = room(outputs, sizeof *out);
        fill(layer, 1, x, w);
        memset(out, 0xff, sizeof *out * (size_t)outputs);
        convolve(layer, 1, rung("winograd"), &(struct osp_device_options){.threads = 2}, w, x, NULL, want);
        convolve_on(backend, layer, 1, rung_of(backend, "winograd"), options, w, x, NULL, out);
        for (int64_t k = 0; k < outputs; k++)
            if (memcmp(&want[k], &out[k], sizeof *out) != 0)
                fail_msg("%lld channels, output %lld: %.9g, on the cpu %.9g", (long long)layer->c, (long long)k, (double)out[k],
                         (double)want[k]);
        free(out);
        free(want);
        free(w);
        free(x);
    }
}

static void the_emulator_has_the_bits_of_the_cpu(void **state)
{
    the_bits_of_the_cpu("emu", &(struct osp_device_options){.threads = 2});
}

static void the_ptx_has_the_bits_of_the_cpu(void **state)
{
    struct osp_device *device;
    struct osp_device_options options = {.driver = "ptx"};
    if (backend_of("cuda")->open(&options, &device) == OSP_UNAVAILABLE) {
        print_message("NOT RUN: %s\n", osp_message());
        skip();
    }
    backend_of("cuda")->close(device);
    the_bits_of_the_cpu("cuda", &options);
}

/* What a plan takes must not depend on what it runs on or how many pictures share a batch: either would change bits. */
static void one_choice_everywhere(void **state)
{
    static const char *const isas[] = {"portable", "avx2", "avx512"};
    for (int i = 0; i < CASE_COUNT(isas); i++)
        for (int threads = 1; threads <= 16; threads += 5) {
            struct osp_device *device;
            osp_status status = cpu()->open(&(struct osp_device_options){.threads = threads, .isa = isas[i]}, &device);
            if (status == OSP_UNAVAILABLE)
                continue; /* not on this machine */
            assert_int_equal(status, OSP_OK);
            for (int l = 0; l < CASE_COUNT(layers); l++)
                for (int64_t n = 1; n <= 9; n += 4) {
                    struct osp_call call = call_of(&layers[l], n);
                    double winograd = rung("winograd")->cost(device, &call), direct = rung("tile")->cost(device, &call);
                    if ((winograd < direct) != layers[l].winograd)
                        fail_msg("%s, %lld pictures, %s, %d threads: winograd %g s, direct %g s", layers[l].name, (long long)n,
                                 isas[i], threads, winograd, direct);
                }
            cpu()->close(device);
        }
}

/* The same of the CUDA kernels: nothing of a GPU is asked, and the pictures of a batch change nothing. */
static void one_choice_on_every_gpu(void **state)
{
    static const struct layer chosen[] = {
        {"body.layer1 conv2", 64, 200, 272, 64, false}, {"body.layer2 conv2", 128, 100, 136, 128, true},
        {"body.layer3 conv2", 256, 50, 68, 256, true},  {"body.layer4 conv2", 512, 25, 34, 512, true},
        {"fpn and rpn, P6", 256, 13, 17, 256, false},   {"16 channels, a large map", 16, 160, 224, 16, false},
    };
    const struct osp_backend *emu = backend_of("emu");
    for (int l = 0; l < CASE_COUNT(chosen); l++)
        for (int64_t n = 1; n <= 9; n += 4) {
            struct osp_call call = call_of(&chosen[l], n);
            double winograd = rung_of(emu, "winograd")->cost(NULL, &call), direct = rung_of(emu, "warp")->cost(NULL, &call);
            if ((winograd < direct) != chosen[l].winograd)
                fail_msg("%s, %lld pictures: winograd %g s, direct %g s", chosen[l].name, (long long)n, winograd, direct);
        }
}

/* Large outputs are written past the caches (tile.h): image by image, where they are small, the bits must be the same. */
static void large_outputs(void **state)
{
    static const char *const isas[] = {"portable", "avx2", "avx512"}, *const rungs[] = {"tile", "winograd"};
    static const struct layer layer = {.c = 16, .h = 45, .w = 67, .k = 64};
    enum { IMAGES = 12 };
    int64_t from = layer.h * layer.w * layer.c, to = layer.h * layer.w * layer.k;
    assert_true(to * (int64_t)sizeof(float) < TILE_STREAM_BYTES && IMAGES * to * (int64_t)sizeof(float) >= TILE_STREAM_BYTES);
    float *x = room(IMAGES * from, sizeof *x), *w = room(layer.k * layer.c * 9, sizeof *w);
    float *large = room(IMAGES * to, sizeof *large), *small = room(IMAGES * to, sizeof *small);
    float *residual = room(IMAGES * to, sizeof *residual);
    fill(&layer, IMAGES, x, w);
    for (int64_t i = 0; i < IMAGES * to; i++)
        residual[i] = (float)(i % 251);
    for (int i = 0; i < CASE_COUNT(isas) * CASE_COUNT(rungs); i++) {
        struct osp_device_options options = {.threads = 3, .isa = isas[i / CASE_COUNT(rungs)]};
        struct osp_device *device;
        const struct osp_kernel *kernel = rung(rungs[i % CASE_COUNT(rungs)]);
        if (cpu()->open(&options, &device) == OSP_UNAVAILABLE)
            continue; /* not on this machine */
        cpu()->close(device);
        memset(large, 0xff, sizeof *large * (size_t)(IMAGES * to));
        convolve(&layer, IMAGES, kernel, &options, w, x, residual, large);
        for (int64_t n = 0; n < IMAGES; n++)
            convolve(&layer, 1, kernel, &options, w, x + n * from, residual + n * to, small + n * to);
        if (memcmp(large, small, sizeof *large * (size_t)(IMAGES * to)) != 0)
            fail_msg("%s, %s: a large output has other bits than its parts", kernel->name, options.isa);
    }
    free(residual);
    free(small);
    free(large);
    free(w);
    free(x);
}

/* What lies in the padding is left out, not multiplied by zero: an infinite weight must not show where no pixel is under it. */
static void infinite_weights(void **state)
{
    static const char *const isas[] = {"portable", "avx2", "avx512"};
    static const struct layer layer = {.c = 3, .h = 9, .w = 30, .k = 40};
    int64_t outputs = layer.h * layer.w * layer.k, finite = 0;
    float *x = room(layer.h * layer.w * layer.c, sizeof *x), *w = room(layer.k * layer.c * 9, sizeof *w);
    float *want = room(outputs, sizeof *want), *out = room(outputs, sizeof *out);
    fill(&layer, 1, x, w);
    for (int64_t i = 0; i < layer.k * layer.c * 9; i += 3)
        w[i] = INFINITY; /* the left tap of every row of every filter */
    for (int i = 0; i < CASE_COUNT(isas); i++) {
        struct osp_device_options options = {.threads = 2, .isa = isas[i]};
        struct osp_device *device;
        if (cpu()->open(&options, &device) == OSP_UNAVAILABLE)
            continue; /* not on this machine */
        cpu()->close(device);
        convolve(&layer, 1, rung("naive"), &options, w, x, NULL, want);
        convolve(&layer, 1, rung("tile"), &options, w, x, NULL, out);
        for (int64_t k = 0; k < outputs; k++) {
            finite += isfinite(want[k]) != 0;
            if (out[k] != want[k] && !(isnan(out[k]) && isnan(want[k])))
                fail_msg("%s, output %lld: %g, by the definition %g", isas[i], (long long)k, (double)out[k], (double)want[k]);
        }
    }
    assert_true(finite > 0);
    free(out);
    free(want);
    free(w);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(error_within_the_gate),
                                       cmocka_unit_test(the_emulator_has_the_bits_of_the_cpu),
                                       cmocka_unit_test(the_ptx_has_the_bits_of_the_cpu),
                                       cmocka_unit_test(one_choice_everywhere),
                                       cmocka_unit_test(one_choice_on_every_gpu),
                                       cmocka_unit_test(large_outputs),
                                       cmocka_unit_test(infinite_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
