/* roi_align, against the same in double, value by value. A coordinate is off by a few ulps in f32, and a value by that times the
 * slope between two taps; cases keep away from places where a sample or a level changes over, or hit them exactly. */
#include "boxes.h"

#include <math.h>

static double level_scale(const struct osp_call *call, const int64_t *images, int level)
{
    int64_t tallest = 0;
    for (int64_t n = 0; n < call->in[OSP_ROI_ALIGN_IMAGES].shape.dim[0]; n++)
        tallest = (int64_t)fmax((double)tallest, (double)images[n * OSP_IMAGE_FIELDS + OSP_IMAGE_RESIZED_H]);
    return exp2(rint(log2((double)call->in[OSP_ROI_ALIGN_FEATURES + level].shape.dim[1] / (double)tallest)));
}

static int level_of(const struct case_view *view, const float *box)
{
    const struct osp_roi_align_attrs *attrs = &view->call->attrs->roi_align;
    const int64_t *images = case_longs(view, OSP_ROI_ALIGN_IMAGES);
    double kmin = -log2(level_scale(view->call, images, 0));
    double kmax = -log2(level_scale(view->call, images, attrs->levels - 1));
    double area = ((double)box[2] - (double)box[0]) * ((double)box[3] - (double)box[1]);
    double k = floor(attrs->canonical_level + log2(sqrt(area) / (double)attrs->canonical_scale) + 1e-6);
    return area > 0 ? (int)(fmin(fmax(k, kmin), kmax) - kmin) : 0;
}

/* Where sample i of `ratio` in bin p lies on an axis; NaN when that is off the map. */
static double sample_at(double low, double high, double scale, int bins, int p, int ratio, int i, int64_t length)
{
    double bin = fmax((high - low) * scale, 1) / bins;
    double at = low * scale + p * bin + (i + 0.5) * bin / ratio;
    return at >= -1 && at <= (double)length ? fmin(fmax(at, 0), (double)(length - 1)) : (double)NAN;
}

struct map {
    const float *data; /* (H,W,C) */
    int64_t h, w, c;
};

static double tap(const struct map *map, int64_t y, int64_t x, int64_t c)
{
    y = y < map->h ? y : map->h - 1;
    x = x < map->w ? x : map->w - 1;
    return (double)map->data[(y * map->w + x) * map->c + c];
}

static double between(const struct map *map, double y, double x, int64_t c)
{
    int64_t y0 = (int64_t)y, x0 = (int64_t)x;
    double fy = y - (double)y0, fx = x - (double)x0;
    return (1 - fy) * ((1 - fx) * tap(map, y0, x0, c) + fx * tap(map, y0, x0 + 1, c)) +
           fy * ((1 - fx) * tap(map, y0 + 1, x0, c) + fx * tap(map, y0 + 1, x0 + 1, c));
}

enum { LARGEST_TAP = 1 }; /* of all cases */

static double bin_mean(const struct case_view *view, const struct map *map, const float *box, double scale, int p, int q,
                       int64_t c)
{
    const struct osp_roi_align_attrs *attrs = &view->call->attrs->roi_align;
    int ratio = attrs->sampling_ratio;
    double sum = 0;
    for (int iy = 0; iy < ratio; iy++)
        for (int ix = 0; ix < ratio; ix++) {
            double y = sample_at((double)box[1], (double)box[3], scale, attrs->size, p, ratio, iy, map->h);
            double x = sample_at((double)box[0], (double)box[2], scale, attrs->size, q, ratio, ix, map->w);
            if (!isnan(y) && !isnan(x))
                sum += between(map, y, x, c);
        }
    return sum / (ratio * ratio);
}

static void reference(const struct case_view *view)
{
    const struct osp_call *call = view->call;
    const int64_t *out = call->out[0].shape.dim; /* (N*T,size,size,C) */
    int64_t t = call->in[OSP_ROI_ALIGN_PROPOSALS].shape.dim[1];
    for (int64_t i = 0; i < osp_shape_count(&call->out[0].shape); i++) {
        int64_t c = i % out[3], q = i / out[3] % out[2], p = i / out[3] / out[2] % out[1], row = i / out[3] / out[2] / out[1];
        view->want[0][i] = 0;
        if (row % t >= case_rows(view, OSP_ROI_ALIGN_COUNTS, row / t, t))
            continue;
        const float *box = case_floats(view, OSP_ROI_ALIGN_PROPOSALS) + row * 4;
        int level = level_of(view, box);
        const int64_t *dim = call->in[OSP_ROI_ALIGN_FEATURES + level].shape.dim;
        struct map map = {case_floats(view, OSP_ROI_ALIGN_FEATURES + level) + row / t * dim[1] * dim[2] * dim[3], dim[1], dim[2],
                          dim[3]};
        double scale = level_scale(call, case_longs(view, OSP_ROI_ALIGN_IMAGES), level);
        view->want[0][i] = bin_mean(view, &map, box, scale, (int)p, (int)q, c);
        view->slack[0][i] = case_slack(16, LARGEST_TAP) + case_slack(16, LARGEST_TAP) * (double)(dim[1] + dim[2]);
    }
}

/* Two pictures of different heights in a batch of 256 x 320; maps of 1/4 to 1/32. */
static const int64_t two_images[2][OSP_IMAGE_FIELDS] = {{0, 1, 1, 250, 320}, {0, 1, 1, 130, 100}};
#define TWO_IMAGES GIVEN(OSP_I64, two_images, 2, OSP_IMAGE_FIELDS)
static const int64_t one_image[1][OSP_IMAGE_FIELDS] = {{0, 1, 1, 16, 20}};
#define ONE_IMAGE GIVEN(OSP_I64, one_image, 1, OSP_IMAGE_FIELDS)
static const int32_t some[2] = {8, 3}, none[2] = {0, 0}, wrong[2] = {-1, 99};

/* On either side of the changes of level and exactly there, for a canonical scale of 56; the last lies within the 1e-6. */
static const float level_steps[][4] = {{3, 3, 31, 31},   {3, 3, 30.9f, 31}, {1, 2, 57, 58},   {1, 2, 57, 57.9f},
                                       {0, 0, 112, 112}, {0, 0, 111, 112},  {0, 0, 319, 249}, {0, 0, 56, 55.99996f}};
static const struct box_rule pyramid_rois = {
    .extent = 200, .min_side = 1, .max_side = 180, .first = level_steps, .first_count = 8};

/* On a map of 16 x 20 at scale 1: over each edge, past it, exactly one cell before 0, at the far edge, without an area, turned
 * round. */
static const float edge_rois[][4] = {{-5, -5, 3, 3}, {15, 10, 30, 30},     {-20, -20, -10, -10},         {25, 2, 30, 9},
                                     {2, 17, 9, 30}, {-1.5f, 0, -0.5f, 1}, {19.5f, 15.5f, 20.5f, 16.5f}, {5, 5, 5, 5},
                                     {9, 9, 2, 3},   {0, 0, 20, 16}};
static const struct box_rule edges = {
    .extent = 10, .min_side = 1, .max_side = 9, .first = edge_rois, .first_count = CASE_COUNT(edge_rois)};

#define BAD (float)NAN
#define FAR (float)INFINITY
static const float strange_rois[6][4] = {{BAD, 1, 9, 9},         {1, 1, 9, BAD},         {1, 1, FAR, 9},
                                         {-FAR, -FAR, FAR, FAR}, {3e38f, 0, 3.2e38f, 9}, {-3e38f, 0, 3e38f, 9}};

#define PYRAMID(c)                                                                                                               \
    UNIFORM(-1, 1, 2, 64, 80, c), UNIFORM(-1, 1, 2, 32, 40, c), UNIFORM(-1, 1, 2, 16, 20, c), UNIFORM(-1, 1, 2, 8, 10, c)
#define PYRAMID_ATTRS                                                                                                            \
    {                                                                                                                            \
        .levels = 4, .size = 7, .sampling_ratio = 2, .canonical_level = 4, .canonical_scale = 56                                 \
    }
#define ONE_LEVEL(size_, ratio)                                                                                                  \
    {                                                                                                                            \
        .levels = 1, .size = (size_), .sampling_ratio = (ratio), .canonical_level = 4, .canonical_scale = 224                    \
    }

static const struct test_case cases[] = {
    {.name = "four levels, two images, ragged counts",
     .attrs.roi_align = PYRAMID_ATTRS,
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), GIVEN(OSP_I32, some, 2), TWO_IMAGES, PYRAMID(3)}},
    {.name = "four levels, no counts",
     .attrs.roi_align = PYRAMID_ATTRS,
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), {0}, TWO_IMAGES, PYRAMID(3)}},
    {.name = "counts of 0",
     .attrs.roi_align = PYRAMID_ATTRS,
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), GIVEN(OSP_I32, none, 2), TWO_IMAGES, PYRAMID(3)}},
    {.name = "counts outside 0..T",
     .attrs.roi_align = PYRAMID_ATTRS,
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), GIVEN(OSP_I32, wrong, 2), TWO_IMAGES, PYRAMID(3)}},
    {.name = "two levels of the same scale: the first is read",
     .attrs.roi_align = {.levels = 2, .size = 7, .sampling_ratio = 2, .canonical_level = 4, .canonical_scale = 224},
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), GIVEN(OSP_I32, some, 2), TWO_IMAGES, UNIFORM(-1, 1, 2, 8, 10, 6),
            UNIFORM(-1, 1, 2, 8, 10, 6)}},
    {.name = "over the edges",
     .attrs.roi_align = ONE_LEVEL(4, 2),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 16, 20, 5)}},
    {.name = "proposals that are not finite",
     .attrs.roi_align = ONE_LEVEL(4, 2),
     .in = {GIVEN(OSP_F32, strange_rois, 1, 6, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 16, 20, 5)}},
    {.name = "one sample, one bin, channels that lack one of many vectors",
     .attrs.roi_align = ONE_LEVEL(1, 1),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 16, 20, 95)}},
    {.name = "nine samples, fourteen bins, one channel",
     .attrs.roi_align = ONE_LEVEL(14, 3),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 16, 20, 1)}},
    {.name = "channels that fill no vector, whole numbers",
     .attrs.roi_align = ONE_LEVEL(2, 2),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, INTEGERS(OSP_F32, -1, 1, 1, 16, 20, 37)}},
    {.name = "a map of one row",
     .attrs.roi_align = ONE_LEVEL(4, 2),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 1, 20, 4)}},
    {.name = "channels for more than a warp, four levels",
     .attrs.roi_align = PYRAMID_ATTRS,
     .extra = &pyramid_rois,
     .in = {MADE(OSP_F32, make_boxes, 2, 12, 4), GIVEN(OSP_I32, some, 2), TWO_IMAGES, PYRAMID(132)}},
    {.name = "a map of one column",
     .attrs.roi_align = ONE_LEVEL(4, 2),
     .extra = &edges,
     .in = {MADE(OSP_F32, make_boxes, 1, 14, 4), {0}, ONE_IMAGE, UNIFORM(-1, 1, 1, 16, 1, 4)}},
};

static const struct case_rung rungs[] = {{.name = "cuda/roi_align/columns", .may_refuse = true}};

const struct case_table cases_roi_align = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
