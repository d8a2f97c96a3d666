/* resize against torchvision's GeneralizedRCNNTransform, written in double; only where a pixel looks is f32, as it is there. */
#include <math.h>

#include "cases.h"

/* ImageNet's, as torchvision has them. */
#define NORM(times_)                                                                                                             \
    {                                                                                                                            \
        .resize = {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}, .times = (times_) }                        \
    }

/* offset h w resized_h resized_w */
static const int64_t shrink[] = {0, 37, 53, 21, 30};
static const int64_t grow[] = {0, 7, 5, 29, 20};
static const int64_t same[] = {0, 32, 64, 32, 64};
static const int64_t point[] = {0, 1, 1, 9, 11};
static const int64_t to_point[] = {0, 13, 9, 1, 1};
static const int64_t column[] = {0, 61, 1, 32, 1};
static const int64_t fused[] = {0, 2, 640, 3, 1199}; /* at this width, rounding the product first would move pixels by 1e-4 */
static const int64_t batch[] = {11, 20, 31, 32, 50, 3000, 9, 9, 5, 5, 4000, 31, 20, 50, 32}; /* gaps between the pictures */

#define PICTURE(rows, bytes)                                                                                                     \
    {                                                                                                                            \
        INTEGERS(OSP_U8, 0, 255, bytes),                                                                                         \
            GIVEN(OSP_I64, rows, sizeof(rows) / sizeof(int64_t) / OSP_IMAGE_FIELDS, OSP_IMAGE_FIELDS)                            \
    }

static const struct test_case cases[] = {
    {.name = "shrink", .attrs = NORM(1), .dims = {1, 32, 32}, .in = PICTURE(shrink, 37 * 53 * 3)},
    {.name = "grow", .attrs = NORM(1), .dims = {1, 32, 32}, .in = PICTURE(grow, 7 * 5 * 3)},
    {.name = "same size, no padding", .attrs = NORM(1), .dims = {1, 32, 64}, .in = PICTURE(same, 32 * 64 * 3)},
    {.name = "normalised twice", .attrs = NORM(2), .dims = {1, 64, 32}, .in = PICTURE(shrink, 37 * 53 * 3)},
    {.name = "one pixel, enlarged", .attrs = NORM(1), .dims = {1, 32, 32}, .in = PICTURE(point, 3)},
    {.name = "to one pixel", .attrs = NORM(1), .dims = {1, 32, 32}, .in = PICTURE(to_point, 13 * 9 * 3)},
    {.name = "one column", .attrs = NORM(1), .dims = {1, 32, 32}, .in = PICTURE(column, 61 * 3)},
    {.name = "fused source index", .attrs = NORM(1), .dims = {1, 32, 1216}, .in = PICTURE(fused, 2 * 640 * 3)},
    {.name = "batch", .attrs = NORM(1), .dims = {3, 64, 64}, .in = PICTURE(batch, 6000)},
};

struct axis { /* where one output position looks */
    int64_t first, second;
    double share; /* of the second */
};

static struct axis look(int64_t to, int64_t in, int64_t out)
{
    float source = fmaf((float)in / (float)out, (float)to + 0.5f, -0.5f);
    if (source < 0)
        source = 0;
    struct axis axis = {.first = (int64_t)floorf(source)};
    if (axis.first > in - 1)
        axis.first = in - 1;
    axis.second = axis.first + 1 > in - 1 ? in - 1 : axis.first + 1;
    axis.share = fmin((double)source - (double)axis.first, 1);
    return axis;
}

/* A normalised byte, and how far f32 may be from it. */
static double normal(const struct osp_resize_attrs *attrs, int byte, int c, double *error)
{
    double x = byte / 255.0;
    *error = 0x1p-24 * x;
    for (int i = 0; i < attrs->times; i++) {
        double centred = x - (double)attrs->mean[c];
        x = centred / (double)attrs->std[c];
        *error = (*error + 0x1p-24 * fabs(centred)) / (double)attrs->std[c] + 0x1p-24 * fabs(x);
    }
    return x;
}

static void reference(const struct case_view *view)
{
    const struct osp_resize_attrs *attrs = &view->test->attrs.resize;
    struct osp_dims dims = view->test->dims;
    for (int64_t i = 0; i < (int64_t)dims.n * dims.h * dims.w * 3; i++) {
        int64_t c = i % 3, x = i / 3 % dims.w, y = i / 3 / dims.w % dims.h, n = i / 3 / dims.w / dims.h;
        const int64_t *image = case_longs(view, OSP_RESIZE_IMAGES) + n * OSP_IMAGE_FIELDS;
        view->want[0][i] = 0;
        if (y >= image[OSP_IMAGE_RESIZED_H] || x >= image[OSP_IMAGE_RESIZED_W])
            continue;
        struct axis v = look(y, image[OSP_IMAGE_H], image[OSP_IMAGE_RESIZED_H]);
        struct axis u = look(x, image[OSP_IMAGE_W], image[OSP_IMAGE_RESIZED_W]);
        for (int corner = 0; corner < 4; corner++) {
            int64_t row = corner / 2 ? v.second : v.first, column_ = corner % 2 ? u.second : u.first;
            double share = (corner / 2 ? v.share : 1 - v.share) * (corner % 2 ? u.share : 1 - u.share), error;
            int64_t at = image[OSP_IMAGE_OFFSET] + (row * image[OSP_IMAGE_W] + column_) * 3 + c;
            double value = normal(attrs, case_bytes(view, OSP_RESIZE_PIXELS)[at], (int)c, &error);
            view->want[0][i] += share * value;
            view->slack[0][i] += share * (error + case_slack(5, fabs(value)));
        }
    }
}

const struct case_table cases_resize = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
