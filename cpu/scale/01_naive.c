/* scale / naive
 *
 * CHANGE  the definition, written down: channels lie side by side, so the compiler makes vectors of the inner loop by itself
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   what one core can read and write
 * NEEDS   any shape
 */
#include "cpu/scale/scale.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct scale scale = scale_of(call);
    for (int64_t i = 0; i < scale.n * scale.positions; i++)
        scale_position(&scale, i);
    return OSP_OK;
}

extern const struct osp_kernel cpu_scale_naive;
const struct osp_kernel cpu_scale_naive = {.name = "naive", .run = run};
