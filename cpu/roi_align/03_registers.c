/* roi_align / registers
 *
 * CHANGE  the samples of a bin are listed first; then a vector of channels, as wide as this machine has them, goes over the
 *         whole list with its sum in a register
 * FASTER  one store a value, where `channels` loads and stores the sum for every sample; fewer, wider instructions
 * LIMIT   the caches: four rows of taps for each sample, next to no arithmetic
 * NEEDS   any shape
 */
#include <omp.h>

#include "cpu/roi_align/bin.h"
#include "cpu/roi_align/roi_align.h"

static roi_bin *const bins[CPU_ISA_COUNT] = {roi_bin_portable, roi_bin_avx2, roi_bin_avx512};

/* One thread's work space. */
struct space {
    struct roi_tap *y, *x;      /* (size*ratio) each */
    struct roi_sample *samples; /* (ratio*ratio) */
};

static size_t space_bytes(const struct osp_roi_align_attrs *attrs)
{
    size_t size = (size_t)attrs->size, ratio = (size_t)attrs->sampling_ratio;
    return 2 * size * ratio * sizeof(struct roi_tap) + ratio * ratio * sizeof(struct roi_sample);
}

static struct space space_of(const struct osp_call *call, int thread)
{
    const struct osp_roi_align_attrs *attrs = &call->attrs->roi_align;
    char *bytes = (char *)call->scratch + (size_t)thread * space_bytes(attrs);
    struct roi_sample *samples = (struct roi_sample *)bytes;
    struct roi_tap *y = (struct roi_tap *)(samples + attrs->sampling_ratio * attrs->sampling_ratio);
    return (struct space){.samples = samples, .y = y, .x = y + attrs->size * attrs->sampling_ratio};
}

/* Lists the samples of bin (p,q) that lie on the map. Returns how many. */
static int list_samples(const struct roi *roi, const struct space *space, int p, int q, int ratio)
{
    int count = 0;
    for (int iy = p * ratio; iy < (p + 1) * ratio; iy++)
        for (int ix = q * ratio; ix < (q + 1) * ratio; ix++) {
            struct roi_tap y = space->y[iy], x = space->x[ix];
            if (y.low < 0 || x.low < 0)
                continue;
            int64_t top = y.low * roi->w, bottom = y.high * roi->w;
            space->samples[count++] = (struct roi_sample){
                .offset = {(top + x.low) * roi->c, (top + x.high) * roi->c, (bottom + x.low) * roi->c,
                           (bottom + x.high) * roi->c},
                .weight = {y.near * x.near, y.near * x.far, y.far * x.near, y.far * x.far},
            };
        }
    return count;
}

static void align(const struct roi *roi, int size, int ratio, const struct space *space, roi_bin *bin)
{
    roi_taps(roi, size, ratio, space->y, space->x);
    float *out = roi->out;
    for (int p = 0; p < size; p++)
        for (int q = 0; q < size; q++, out += roi->c)
            bin(space->samples, list_samples(roi, space, p, q, ratio), (float)(ratio * ratio), roi->map, roi->c, out);
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return (size_t)cpu_of(device)->threads * space_bytes(&call->attrs->roi_align);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_roi_align_attrs *attrs = &call->attrs->roi_align;
    struct roi_pyramid pyramid = roi_pyramid_of(call);
    roi_bin *bin = bins[cpu_of(device)->isa];
#pragma omp parallel for num_threads(cpu_of(device)->threads) schedule(dynamic, 4)
    for (int64_t i = 0; i < call->out[0].shape.dim[0]; i++) {
        struct space space = space_of(call, omp_get_thread_num());
        struct roi roi = roi_of(call, &pyramid, i);
        if (roi.map)
            align(&roi, attrs->size, attrs->sampling_ratio, &space, bin);
        else
            roi_zero(call, &roi);
    }
    return OSP_OK;
}

const struct osp_kernel cpu_roi_align_registers = {.name = "registers", .scratch = scratch, .run = run};
