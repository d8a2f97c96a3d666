/* For the tests of the overlay cudnn: the stand-in for NVIDIA's libraries (fake/nvidia.h) on the driver that interprets PTX, and
 * one layer run from opening a device to closing it. CUDNN_FAKE is 0 where there are no headers of cuDNN 9 and cuBLAS. */
#ifndef OSPREY_TESTS_CUDNN_FAKE_H
#define OSPREY_TESTS_CUDNN_FAKE_H

#if __has_include(<cudnn_graph.h>) && __has_include(<cublasLt.h>)
#include <cudnn_graph.h>
#endif
#if defined CUDNN_MAJOR && CUDNN_MAJOR == 9
#define CUDNN_FAKE 1
#else
#define CUDNN_FAKE 0
#endif

#if CUDNN_FAKE
#include "fake/nvidia.h"
#include "kernels/cudnn/cudnn.h"

extern char cudnn_fake_path[1024], cudnn_fake_driver[1024]; /* files */

/* The stand-in's functions for tests. */
struct cudnn_fake {
    __typeof__(&fake_nvidia_driver) driver;
    __typeof__(&fake_nvidia_fail_at) fail_at;
    __typeof__(&fake_nvidia_calls) calls;
    __typeof__(&fake_nvidia_call_name) call_name;
    __typeof__(&fake_nvidia_alive) alive;
    __typeof__(&fake_nvidia_misuse) misuse;
    __typeof__(&fake_nvidia_versions) versions;
    __typeof__(&fake_nvidia_offer) offer;
    __typeof__(&fake_nvidia_engine) engine;
    __typeof__(&fake_nvidia_operations) operations;
    __typeof__(&fake_nvidia_products) products;
};
extern struct cudnn_fake fake;

int cudnn_fake_begin(void **state); /* of a test program: finds the files */
bool cudnn_fake_runs(void);         /* false, and said: the program was built without nvcc, and there are no kernels */
int cudnn_fake_open(void **state);  /* of a test: from now on the overlay opens the stand-in */
int cudnn_fake_close(void **state);

const struct osp_backend *cudnn_fake_backend(const char *name);

/* Nothing is left of the stand-in's or the driver's, and nothing was called wrongly; else the test fails. */
void cudnn_expect_clean(const char *when);

/* ---- One layer -------------------------------------------------------------------------------------- */

enum { IMAGES = 2, H = 5, W = 6, C = 8, K = 12, OUT = IMAGES * H * W * K, IN = IMAGES * H * W * C };

/* conv2d with bias and residual, of whose images half count; or linear with bias. */
struct cudnn_layer {
    const char *rung;
    int filter; /* 3 or 1 */
    enum osp_activation activation;
    int linear; /* the op linear, of IMAGES*H*W rows */
};

struct cudnn_outcome {
    osp_status status;
    char sentence[1024]; /* what failed, or why the rung refused */
    bool refused;
    float out[OUT];
};

/* One for each form, precision and way to end. */
enum { CUDNN_LAYERS = 8 };
extern const struct cudnn_layer cudnn_layers[CUDNN_LAYERS];

/* Opens a device, packs, runs, closes. */
void cudnn_run_layer(const struct cudnn_layer *layer, struct cudnn_outcome *out);
/* It ran, and its output has the bits of the cpu's plainest rung; else the test fails. */
void cudnn_expect_right(const struct cudnn_layer *layer, const struct cudnn_outcome *found);
#endif
#endif
