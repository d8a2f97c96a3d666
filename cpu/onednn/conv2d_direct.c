/* conv2d / direct (onednn)
 *
 * CHANGE  the convolution is oneDNN's: NHWC in and out, weights in the layout it asks for, bias, residual and activation as
 *         post-ops
 * FASTER  code generated for the very shape, at 95 % of the peak of the multiply-adders and more
 * LIMIT   the number of multiply-adds; a residual is first copied into the output, to which oneDNN adds
 * NEEDS   any shape
 */
#include "cpu/onednn/onednn.h"

static dnnl_status_t describe(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                              struct onednn_request *out)
{
    return onednn_describe_conv2d(device, call, images, dnnl_convolution_direct, out);
}

static double cost(const struct osp_device *device, const struct osp_call *call) { return onednn_conv2d_seconds(device, call); }

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct onednn_rows rows = onednn_conv2d_rows(call);
    return onednn_run(device, call, state, describe, &rows);
}

extern const struct osp_kernel onednn_conv2d_direct;
const struct osp_kernel onednn_conv2d_direct = {"direct", .cost = cost, .prepare = onednn_prepare, .release = onednn_release,
                                                .run = run};
