/* depthwise / direct (onednn)
 *
 * CHANGE  the convolution is oneDNN's, with as many groups as channels
 * FASTER  code generated for the very shape
 * LIMIT   memory: a few multiply-adds for each value read
 * NEEDS   any shape; where oneDNN has no fast code for one it is slow
 */
#include "cpu/onednn/onednn.h"

#include "cpu/depthwise/depthwise.h"

static dnnl_status_t describe(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                              struct onednn_request *out)
{
    const struct depthwise d = depthwise_of(call);
    const struct onednn_convolution convolution = {
        .n = images,
        .h = d.h,
        .w = d.w,
        .c = d.c,
        .k = d.c,
        .r = d.r,
        .s = d.s,
        .p = d.p,
        .q = d.q,
        .stride = d.stride,
        .pad = d.pad,
        .depthwise = true,
        .activation = d.activation,
        .algorithm = dnnl_convolution_direct,
    };
    return onednn_describe_convolution(device, call, &convolution, out);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct depthwise d = depthwise_of(call);
    const struct osp_tensor all = {.data = NULL};
    const struct onednn_rows rows = {1, d.n, d.h * d.w * d.c, d.p * d.q * d.c, &all, d.x, NULL, d.out};
    return onednn_run(device, call, state, describe, &rows);
}

extern const struct osp_kernel onednn_depthwise_direct;
const struct osp_kernel onednn_depthwise_direct = {"direct", .prepare = onednn_prepare, .release = onednn_release, .run = run};
