/* The stand-in, found and asked; and a layer's life on it. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if __has_include(<cuda.h>)
#include <cuda.h> /* before our own declarations of it */
#endif
#include "cudnn_fake.h"

#if CUDNN_FAKE
#include "runtime/constant.h"
#include "runtime/shape.h"
#include "tools/ptx/api.h"

char cudnn_fake_path[1024], cudnn_fake_driver[1024];
struct cudnn_fake fake;
static void (*allocated)(struct ptx_driver_alive *alive);

bool cudnn_fake_runs(void)
{
    if (*CUDA_NVCC)
        return true;
    print_message("NOT RUN: the program holds no kernels, for want of nvcc\n");
    return false;
}

const struct osp_backend *cudnn_fake_backend(const char *name)
{
    int i = 0;
    while (strcmp(osp_backends[i]->name, name) != 0)
        i++;
    return osp_backends[i];
}

/* The heuristics as they may well be: the fast engines first, of which f32 may take none. */
static void offer_usual(void)
{
    fake.offer(1u << FAKE_TF32 | 1u << FAKE_WINOGRAD | 1u << FAKE_LOOSE | 1u << FAKE_ROUNDED | 1u << FAKE_UNSUPPORTED |
                   1u << FAKE_LARGE,
               0, 1u << FAKE_WORKSPACE);
}

static void find_all(void *library)
{
#define FIND(field) *(void **)&fake.field = dlsym(library, "fake_nvidia_" #field)
    FIND(driver);
    FIND(fail_at);
    FIND(calls);
    FIND(call_name);
    FIND(alive);
    FIND(misuse);
    FIND(versions);
    FIND(offer);
    FIND(engine);
    FIND(operations);
    FIND(products);
}

int cudnn_fake_begin(void **state)
{
    const char *build = getenv("BUILD");
    snprintf(cudnn_fake_path, sizeof cudnn_fake_path, "%s/tests/libnvidia-fake.so", build ? build : "build");
    snprintf(cudnn_fake_driver, sizeof cudnn_fake_driver, "%s/libcuda-ptx.so", build ? build : "build");
    void *library = dlopen(cudnn_fake_path, RTLD_NOW), *driver = dlopen(cudnn_fake_driver, RTLD_NOW);
    if (!library || !driver) {
        print_error("%s\n", dlerror());
        return 1;
    }
    find_all(library);
    *(void **)&allocated = dlsym(driver, "ptx_driver_allocated");
    fake.versions(90100, 120000);
    return !fake.driver(cudnn_fake_driver);
}

int cudnn_fake_open(void **state)
{
    cudnn_stand_in(cudnn_fake_path, cudnn_fake_path);
    fake.fail_at(0, 0);
    offer_usual();
    return 0;
}

/* Nothing is left, and nothing was called wrongly. */
void cudnn_expect_clean(const char *when)
{
    static const struct ptx_driver_alive none;
    struct ptx_driver_alive alive;
    const char *misuse = fake.misuse();
    allocated(&alive);
    if (*misuse)
        fail_msg("%s: %s", when, misuse);
    if (fake.alive() || memcmp(&alive, &none, sizeof alive) != 0)
        fail_msg("%s: %d descriptors and handles are left, %llu bytes of device memory, %llu contexts", when, fake.alive(),
                 (unsigned long long)alive.device_bytes, (unsigned long long)alive.contexts);
}

int cudnn_fake_close(void **state)
{
    fake.fail_at(0, 0);
    cudnn_stand_in(NULL, NULL);
    return 0;
}

/* ---- One layer, from opening a device to closing it ----------------------------------------------------- */

static const struct osp_kernel *rung_of(const char *where, const struct cudnn_layer *layer, const char *rung)
{
    const struct osp_ladder *ladder = cudnn_fake_backend(where)->ops[layer->linear ? OSP_linear : OSP_conv2d];
    int i = 0;
    while (strcmp(ladder->rungs[i]->name, rung) != 0)
        i++;
    return ladder->rungs[i];
}

/* Small whole numbers, so that every order of sums gives the same bits. */
static void fill(float *to, int count, int seed)
{
    for (int i = 0; i < count; i++)
        to[i] = (float)((i * 7 + seed) % 13 - 6);
}

static osp_status put(const struct osp_memory *memory, struct osp_device *device, const void *host, size_t bytes, void **out)
{
    osp_status status = memory->alloc(device, bytes, out);
    return status || !host ? status : memory->upload(device, *out, host, bytes);
}

static osp_status run_on(const struct osp_backend *where, struct osp_device *device, const struct osp_kernel *kernel,
                         struct osp_call *call, struct cudnn_outcome *out)
{
    static float x[IN], residual[OUT];
    const int32_t counts[1] = {IMAGES / 2};
    struct osp_node_state state = {0};
    const struct osp_memory *memory = where->memory;
    const char *refusal = kernel->refuses ? kernel->refuses(device, call) : NULL;
    int linear = call->op == OSP_linear;
    void *data[5] = {NULL};
    if (refusal) {
        out->refused = true;
        snprintf(out->sentence, sizeof out->sentence, "%s", refusal);
        return OSP_OK;
    }
    fill(x, IN, 1);
    fill(residual, OUT, 2);
    osp_status status = kernel->prepare(device, call, &state);
    size_t scratch = kernel->scratch ? kernel->scratch(device, call) : 0;
    if (!status)
        status = put(memory, device, x, sizeof x, &data[0]);
    if (!status && !linear)
        status = put(memory, device, residual, sizeof residual, &data[1]);
    if (!status && !linear)
        status = put(memory, device, counts, sizeof counts, &data[2]);
    if (!status)
        status = put(memory, device, NULL, sizeof out->out, &data[3]);
    if (!status)
        status = put(memory, device, NULL, scratch, &data[4]);
    for (int i = 0; i < call->inputs; i++)
        call->in[i].data = data[i];
    call->out[0].data = data[3];
    call->scratch = data[4];
    if (!status)
        status = kernel->run(device, call, &state);
    if (!status)
        status = memory->download(device, out->out, data[3], sizeof out->out);
    if (status)
        snprintf(out->sentence, sizeof out->sentence, "%s", osp_message());
    for (int i = 0; i < 5; i++)
        memory->free(device, data[i]);
    kernel->release(device, &state);
    return status;
}

static void live(const char *where, const struct osp_device_options *options, const struct cudnn_layer *layer, const char *rung,
                 struct cudnn_outcome *out)
{
    float weights[K * C * 9], biases[K];
    struct osp_constant *weight, *bias;
    struct osp_device *device;
    *out = (struct cudnn_outcome){.refused = false};
    fill(weights, K * C * 9, 3);
    fill(biases, K, 4);
    const struct osp_shape filter = {layer->linear ? 2 : 4, {K, C, layer->filter, layer->filter}};
    assert_int_equal(osp_constant_new(weights, &filter, &weight), OSP_OK);
    assert_int_equal(osp_constant_new(biases, &(struct osp_shape){1, {K}}, &bias), OSP_OK);
    union osp_attrs attrs = {.conv2d = {layer->filter, layer->filter, 1, layer->filter / 2, layer->activation}};
    if (layer->linear)
        attrs = (union osp_attrs){.linear = {layer->activation}};
    struct osp_call call = {.op = layer->linear ? OSP_linear : OSP_conv2d,
                            .attrs = &attrs,
                            .dims = {IMAGES, 0, 0},
                            .inputs = layer->linear ? 1 : 3,
                            .constant = {weight, bias}};
    call.in[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = {4, {IMAGES, H, W, C}}};
    if (layer->linear)
        call.in[0].shape = (struct osp_shape){2, {IMAGES * H * W, C}};
    call.in[1] = (struct osp_tensor){.dtype = OSP_F32, .shape = {4, {IMAGES, H, W, K}}};
    call.in[2] = (struct osp_tensor){.dtype = OSP_I32, .shape = {1, {1}}};
    assert_int_equal(osp_infer(&call), OSP_OK);
    out->status = cudnn_fake_backend(where)->open(options, &device);
    if (!out->status) {
        out->status = run_on(cudnn_fake_backend(where), device, rung_of(where, layer, rung), &call, out);
        cudnn_fake_backend(where)->close(device);
    } else {
        snprintf(out->sentence, sizeof out->sentence, "%s", osp_message());
    }
    osp_constant_free(weight);
    osp_constant_free(bias);
}

void cudnn_run_layer(const struct cudnn_layer *layer, struct cudnn_outcome *out)
{
    live("cudnn", &(struct osp_device_options){.driver = cudnn_fake_driver}, layer, layer->rung, out);
}

const struct cudnn_layer cudnn_layers[CUDNN_LAYERS] = {{"plain", 3, OSP_HARDSWISH, 0},   {"fused", 3, OSP_RELU6, 0},
                                                       {"matmul", 1, OSP_RELU, 0},       {"matmul", 1, OSP_HARDSIGMOID, 0},
                                                       {"matmul", 1, OSP_RELU, 1},       {"plain_tf32", 3, OSP_RELU, 0},
                                                       {"fused_tf32", 3, OSP_LINEAR, 0}, {"matmul_tf32", 1, OSP_LINEAR, 0}};

void cudnn_expect_right(const struct cudnn_layer *layer, const struct cudnn_outcome *found)
{
    struct cudnn_outcome wanted;
    live("cpu", &(struct osp_device_options){.threads = 1}, layer, "naive", &wanted);
    if (found->status || found->refused)
        fail_msg("%s: %s", layer->rung, found->sentence);
    for (int i = 0; i < OUT; i++)
        if (found->out[i] != wanted.out[i])
            fail_msg("%s: output %d is %.9g, the cpu's %.9g", layer->rung, i, (double)found->out[i], (double)wanted.out[i]);
}
#endif
