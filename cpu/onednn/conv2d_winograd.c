/* conv2d / winograd (onednn)
 *
 * CHANGE  oneDNN's Winograd, F(4x4,3x3); it knows only its own layout, channels in blocks of 16, so activations are reordered
 * into it and back FASTER  36 multiply-adds do the work of 144 LIMIT   the reorders: one pass more over x and one over the output
 * NEEDS   a 3x3 filter with stride 1, channels and outputs in whole blocks, no residual; AVX-512
 */
#include "cpu/onednn/onednn.h"

#include "cpu/conv2d/conv2d.h"

enum { CHANNELS = 16 }; /* of a block: oneDNN 2.6.3 leaves outputs unwritten where the last one is not full */

/* What is left of the direct convolution's time, reorders apart: oneDNN 2.6.3 on the layers of ResNet-50 with a pyramid. */
#define WINOGRAD_SHARE 0.45

static dnnl_status_t describe(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                              struct onednn_request *out)
{
    return onednn_describe_conv2d(device, call, images, dnnl_convolution_winograd, out);
}

static const char *refuses(const struct osp_device *opaque, const struct osp_call *call)
{
    const struct onednn_device *device = onednn_of(opaque);
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    if (a->r != 3 || a->s != 3 || a->stride != 1)
        return "it does 3x3 filters with stride 1 only";
    const struct conv2d conv = conv2d_of(call);
    if (conv.c % CHANNELS || conv.k % CHANNELS)
        return "it does channels and outputs that are multiples of 16 only";
    if (call->in[OSP_CONV2D_RESIDUAL].shape.rank != 0)
        return "oneDNN adds a residual to what lies in its own layout";
    struct onednn_request request = {.primitive = NULL};
    int before = onednn_threads_set(device);
    dnnl_status_t status = describe(device, call, call->in[0].shape.dim[0], &request);
    if (request.primitive)
        device->dnnl->primitive_desc_destroy(request.primitive);
    onednn_threads_restore(before);
    return status ? "oneDNN has no Winograd for this shape on this machine" : NULL;
}

static double cost(const struct osp_device *device, const struct osp_call *call)
{
    const struct conv2d conv = conv2d_of(call);
    double floats = (double)(conv.n * conv.h * conv.w * conv.c) + (double)(conv.n * conv.p * conv.q * conv.k);
    return onednn_conv2d_seconds(device, call) * WINOGRAD_SHARE + 2 * sizeof(float) * floats / ONEDNN_REORDER;
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return onednn_scratch(device, call, describe);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct onednn_rows rows = onednn_conv2d_rows(call);
    return onednn_run(device, call, state, describe, &rows);
}

extern const struct osp_kernel onednn_conv2d_winograd;
const struct osp_kernel onednn_conv2d_winograd = {
    "winograd",         .refuses = refuses, .cost = cost, .prepare = onednn_prepare, .release = onednn_release,
    .scratch = scratch, .run = run};
