/* conv2d / wrong_tap
 *
 * CHANGE  the plainest rung, with the first two taps of every filter in each other's place: a fault to be found
 * FASTER  it is not
 * LIMIT   as naive's
 * NEEDS   a filter with two taps in a row
 */
#include "cpu/conv2d/conv2d.h"

static const char *refuses(const struct osp_device *device, const struct osp_call *call)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    return shape.dim[3] > 1 ? NULL : "a filter with one tap in a row has no wrong one";
}

static osp_status prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    osp_status status = cpu_rows_prepare(device, call, state);
    const struct weight_rows *rows = state->data;
    for (int64_t filter = 0; status == OSP_OK && filter < shape.dim[0] * shape.dim[1]; filter++) {
        float *taps = rows->w + filter * shape.dim[2] * shape.dim[3], first = taps[0];
        taps[0] = taps[1];
        taps[1] = first;
    }
    return status;
}

extern const struct osp_kernel cpu_conv2d_naive, sim_conv2d_wrong_tap;

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return cpu_conv2d_naive.run(device, call, state);
}

const struct osp_kernel sim_conv2d_wrong_tap = {"wrong_tap", .refuses = refuses, .prepare = prepare, .release = cpu_rows_release,
                                                .run = run};

extern const struct osp_kernel cpu_conv2d_threads, cpu_conv2d_lanes, cpu_conv2d_tile, cpu_conv2d_winograd;
extern const struct osp_ladder sim_conv2d_ladder;

/* The cpu's rungs, and at the foot, where no plan goes by itself, the wrong one. */
static const struct osp_kernel *const rungs[] = {&sim_conv2d_wrong_tap, &cpu_conv2d_naive, &cpu_conv2d_threads,
                                                 &cpu_conv2d_lanes,     &cpu_conv2d_tile,  &cpu_conv2d_winograd};
const struct osp_ladder sim_conv2d_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
