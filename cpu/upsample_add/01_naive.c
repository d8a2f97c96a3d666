/* upsample_add / naive
 *
 * CHANGE  the definition, written down: channels lie side by side, so the compiler makes vectors of the inner loop by itself
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   what one core can read and write
 * NEEDS   any shape
 */
#include "cpu/upsample_add/upsample_add.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct upsample_add up = upsample_add_of(call);
    for (int64_t n = 0; n < up.n; n++)
        for (int64_t y = 0; y < up.h; y++)
            upsample_add_row(&up, n, y);
    return OSP_OK;
}

extern const struct osp_kernel cpu_upsample_add_naive;
const struct osp_kernel cpu_upsample_add_naive = {.name = "naive", .run = run};
