/* The mean of one bin over all channels, for rung `registers`. */
#include "cpu/roi_align/bin.h"
#include "cpu/simd.h"

/* The value between four neighbours, in `lanes` channels. */
SIMD_INLINE vf four_taps(const struct roi_sample *sample, const float *map, int lanes)
{
    vf v[4];
    for (int i = 0; i < 4; i++) {
        const float *tap = map + sample->offset[i];
        v[i] = sample->weight[i] * (lanes == LANES ? vf_load(tap) : vf_load_part(tap, lanes));
    }
    return v[0] + v[1] + v[2] + v[3];
}

void SIMD(roi_bin)(const struct roi_sample *samples, int count, float divisor, const float *map, int64_t channels, float *out)
{
    int64_t c = 0;
    for (; c + 2 * LANES <= channels; c += 2 * LANES) {
        vf first = {0}, second = {0};
        for (int i = 0; i < count; i++) {
            first += four_taps(&samples[i], map + c, LANES);
            second += four_taps(&samples[i], map + c + LANES, LANES);
        }
        vf_store(out + c, first / divisor);
        vf_store(out + c + LANES, second / divisor);
    }
    for (; c < channels; c += LANES) {
        int lanes = channels - c < LANES ? (int)(channels - c) : LANES;
        vf sum = {0};
        for (int i = 0; i < count; i++)
            sum += four_taps(&samples[i], map + c, lanes);
        vf_store_part(out + c, sum / divisor, lanes);
    }
}
