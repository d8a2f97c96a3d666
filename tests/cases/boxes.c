#include "boxes.h"

#include <float.h>
#include <math.h>

void make_boxes(const struct test_case *test, int slot, struct osp_tensor *out)
{
    const struct box_rule *rule = test->extra;
    struct case_random random = {(uint64_t)slot};
    float *box = out->data;
    for (int64_t i = 0; i < osp_shape_count(&out->shape) / 4; i++, box += 4) {
        for (int axis = 0; axis < 2; axis++) {
            double low = case_uniform(&random, 0, rule->extent), side = case_uniform(&random, rule->min_side, rule->max_side);
            box[axis] = (float)(rule->whole ? floor(low) : low);
            box[axis + 2] = box[axis] + (float)(rule->whole ? floor(side) : side);
        }
        for (int j = 0; i < rule->first_count && j < 4; j++)
            box[j] = rule->first[i][j];
    }
}

void make_strange(const struct test_case *test, int slot, struct osp_tensor *out)
{
    static const float strange[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN};
    struct case_random random = {(uint64_t)slot};
    for (int64_t i = 0; i < osp_shape_count(&out->shape); i++) {
        int64_t choice = case_integer(&random, 0, 2 * CASE_COUNT(strange) - 1);
        ((float *)out->data)[i] = choice < CASE_COUNT(strange) ? strange[choice] : (float)case_integer(&random, -2, 2);
    }
}

/* One axis: low and high end, from what f32 may be off by is derived too. */
static double decode_axis(double low, double high, double shift, double stretch, double *out_low, double *out_high)
{
    double size = high - low, centre = low + size / 2, clamp = log(1000.0 / 16);
    double half = exp(stretch > clamp ? clamp : stretch) * size / 2;
    *out_low = centre + shift * size - half;
    *out_high = centre + shift * size + half;
    /* The clamped stretch and its quotient are off by an ulp each before exp: |stretch| more ulps of half. */
    return case_slack(8, fabs(low) + fabs(high) + fabs(shift * size)) + case_slack(8 + 2 * fmin(fabs(stretch), 5), half);
}

static bool is_float(double x) { return fabs(x) <= (double)FLT_MAX; }

static double clip(double x, double most) { return x < 0 ? 0 : x > most ? most : x; }

enum box_verdict box_reference(const double reference[4], const float deltas[4], const float weights[4], double min_size,
                               const int64_t *image, double box[4], double *slack)
{
    double d[4];
    for (int i = 0; i < 4; i++)
        d[i] = (double)deltas[i] / (double)weights[i];
    double across = decode_axis(reference[0], reference[2], d[0], d[2], &box[0], &box[2]);
    double down = decode_axis(reference[1], reference[3], d[1], d[3], &box[1], &box[3]);
    *slack = across > down ? across : down;
    for (int i = 0; i < 4; i++)
        if (!is_float(box[i]))
            return BOX_NONFINITE;
    for (int i = 0; i < 4; i++)
        box[i] = clip(box[i], (double)image[i % 2 ? OSP_IMAGE_RESIZED_H : OSP_IMAGE_RESIZED_W]);
    return box[2] - box[0] >= min_size && box[3] - box[1] >= min_size ? BOX_KEPT : BOX_SMALL;
}

void want_candidate(const struct case_view *view, int64_t i, const double *box, double box_slack, double score,
                    double score_slack, int group)
{
    for (int j = 0; j < 4; j++) {
        view->want[OSP_DECODE_OUT_BOXES][i * 4 + j] = box ? box[j] : 0;
        view->slack[OSP_DECODE_OUT_BOXES][i * 4 + j] = box ? box_slack : 0;
    }
    view->want[OSP_DECODE_OUT_SCORES][i] = box ? score : 0;
    view->slack[OSP_DECODE_OUT_SCORES][i] = box ? score_slack : 0;
    view->want[OSP_DECODE_OUT_GROUPS][i] = box ? group : -1;
}
