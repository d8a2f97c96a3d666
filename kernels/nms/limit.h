/* Whether the overlap of two boxes is above a threshold, without the division and to the bit the same: inter / uni > threshold in
 * f32. A quotient rounds to more than the threshold when it is above the middle between that and the next float, or is the middle
 * and the threshold's last bit is 1 (ties go to even). So inter is compared with middle * uni, which is threshold * uni + half *
 * uni: one fmaf rounds inter - threshold * uni, and since rounding keeps order, only where it meets half * uni is anything left
 * open. That is decided in double, where a product of 25 and 24 bits is exact. */
#ifndef OSPREY_KERNELS_NMS_LIMIT_H
#define OSPREY_KERNELS_NMS_LIMIT_H

#include "runtime/ops.h"

struct nms_limit {
    float threshold; /* not negative */
    float half;      /* the middle less the threshold, a power of two; NaN: double decides all */
    double middle;
    int odd; /* the threshold's last bit */
};

/* Where half * uni is exact: neither factor is near the smallest floats. */
#define NMS_LEAST_THRESHOLD 0x1p-30f
#define NMS_LEAST_UNION     0x1p-60f

static inline struct nms_limit nms_limit_of(float threshold)
{
    const double next = (double)nextafterf(threshold, INFINITY), half = (next - (double)threshold) / 2;
    struct nms_limit limit = {threshold, (float)half, (double)threshold + half, (int)(osp_bits(threshold) & 1)};
    if (!(threshold >= NMS_LEAST_THRESHOLD && threshold <= 1))
        limit.half = NAN;
    return limit;
}

/* inter: not negative, or NaN; uni: anything but -0, which no difference is. NaN is not above. */
OSP_SCALAR int nms_is_above(const struct nms_limit *limit, float inter, float uni)
{
    const float rest = fmaf(-limit->threshold, uni, inter), need = limit->half * uni;
    if (uni >= NMS_LEAST_UNION && (rest < need || rest > need))
        return rest > need;
    const double exact = (double)inter, bar = limit->middle * (double)uni;
    return uni >= 0 && (exact > bar || (exact == bar && limit->odd && uni > 0 && uni < INFINITY));
}

#endif
