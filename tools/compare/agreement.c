/* Do two columns find the same objects? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "runtime/file.h"

static const double same_place = 0.5; /* IoU */

/* ---- Bounds ------------------------------------------------------------------------------------- */

static const struct agreement_bounds plain = {1e-2, 1e-4};

/* Widest first. Relative rounding: i8 2^-7, bf16 2^-8, f16 and tf32 2^-11; the bounds are what such a difference in every layer
 * makes of boxes and scores, with room. */
static const struct {
    const char *precision;
    struct agreement_bounds bounds;
} reduced[] = {{"i8", {8, 0.1}}, {"bf16", {4, 0.05}}, {"f16", {1, 0.02}}, {"tf32", {1, 0.02}}};
static const struct agreement_bounds winograd = {5e-2, 5e-4};

static void widen(struct agreement_bounds *bounds, struct agreement_bounds by)
{
    bounds->box = fmax(bounds->box, by.box);
    bounds->score = fmax(bounds->score, by.score);
}

struct agreement_bounds agreement_bounds_of(const struct cell *a, const struct cell *b)
{
    const struct cell *const cells[] = {a, b};
    struct agreement_bounds bounds = plain;
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < cells[c]->layer_count; i++) {
            const struct layer *layer = &cells[c]->layers[i];
            for (size_t k = 0; k < sizeof reduced / sizeof *reduced; k++)
                if (layer->precision && strcmp(layer->precision, reduced[k].precision) == 0)
                    widen(&bounds, reduced[k].bounds);
            if (layer->kernel && strstr(layer->kernel, "winograd"))
                widen(&bounds, winograd);
        }
    return bounds;
}

/* ---- Matching ----------------------------------------------------------------------------------- */

static double iou(const float *a, const float *b)
{
    double w = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    double h = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    if (!(w > 0 && h > 0))
        return 0;
    double area_a = ((double)a[2] - (double)a[0]) * ((double)a[3] - (double)a[1]);
    double area_b = ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
    return w * h / (area_a + area_b - w * h);
}

/* The free detection of b that overlaps `d` most, of its label or, with `flipped`, of another; -1: none at the same place. */
static int partner(const struct osp_detection *d, const struct picture_result *b, const bool *taken, bool flipped,
                   double *overlap)
{
    int best = -1;
    *overlap = 0;
    for (int i = 0; i < b->count; i++) {
        if (taken[i] || (b->items[i].label == d->label) == flipped)
            continue;
        double here = iou(d->box, b->items[i].box);
        if (here >= same_place && here > *overlap) {
            best = i;
            *overlap = here;
        }
    }
    return best;
}

static void note_pair(const struct osp_detection *a, const struct osp_detection *b, double overlap, struct agreement *out)
{
    out->matched++;
    out->score = fmax(out->score, fabs((double)a->score - (double)b->score));
    for (int k = 0; k < 4; k++)
        out->box = fmax(out->box, fabs((double)a->box[k] - (double)b->box[k]));
    out->iou = fmin(out->iou, overlap);
}

/* Could a score that differs by no more than the bound have put it on the other side of the cut? */
static bool borderline(const struct osp_detection *d, const struct picture_result *other, struct agreement_cut cut, double bound)
{
    double least = cut.score;
    if (cut.most > 0 && other->count >= cut.most)
        least = fmax(least, (double)other->items[other->count - 1].score);
    return (double)d->score <= least + bound;
}

static void match_picture(const struct picture_result *a, const struct picture_result *b, bool *done, bool *taken,
                          struct agreement_cut cut, struct agreement *out)
{
    for (int flipped = 0; flipped < 2; flipped++)
        for (int i = 0; i < a->count; i++) {
            double overlap;
            int k = done[i] ? -1 : partner(&a->items[i], b, taken, flipped, &overlap);
            if (k < 0)
                continue;
            done[i] = taken[k] = true;
            if (flipped)
                out->flips++;
            else
                note_pair(&a->items[i], &b->items[k], overlap, out);
        }
    for (int i = 0; i < a->count; i++)
        out->missing += !done[i] && !borderline(&a->items[i], b, cut, out->score_bound);
    for (int i = 0; i < b->count; i++)
        out->extra += !taken[i] && !borderline(&b->items[i], a, cut, out->score_bound);
}

osp_status agreement_of(const struct picture_result *a, const struct picture_result *b, int pictures,
                        struct agreement_bounds bounds, struct agreement_cut cut, struct agreement *out)
{
    out->matched = out->missing = out->extra = out->flips = 0;
    out->box = out->score = 0;
    out->iou = 1;
    out->box_bound = bounds.box;
    out->score_bound = bounds.score;
    for (int p = 0; p < pictures; p++) {
        bool *flags = calloc((size_t)a[p].count + (size_t)b[p].count + 1, sizeof *flags);
        if (!flags)
            return osp_fail(OSP_MEMORY, "out of memory while detections are matched");
        match_picture(&a[p], &b[p], flags, flags + a[p].count, cut, out);
        free(flags);
    }
    out->agree = out->missing + out->extra + out->flips == 0 && out->box <= out->box_bound && out->score <= out->score_bound;
    return OSP_OK;
}

/* ---- All pairs ---------------------------------------------------------------------------------- */

/* Pixels of the pictures to one of the network's input. */
static double picture_scale(const struct workload *workload)
{
    double input = (double)workload->height * workload->width * workload->pictures;
    double scale = input > 0 ? sqrt(workload->megapixels * 1e6 / input) : 1;
    return scale > 1 ? scale : 1;
}

/* Results of the workload's pictures? */
static bool has_results(const struct study *study, int column, int w)
{
    const struct cell *cell = &study->columns[column].cells[w];
    return cell->measured && cell->picture_count > 0 && cell->picture_count == study->workloads[w].pictures;
}

static osp_status add_pair(struct study *study, int a, int b, int w, struct agreement_cut cut)
{
    const struct cell *first = &study->columns[a].cells[w], *second = &study->columns[b].cells[w];
    struct agreement_bounds bounds = agreement_bounds_of(first, second);
    struct agreement *agreement;
    bounds.box *= picture_scale(&study->workloads[w]);
    osp_status status = study_add_agreement(study, &agreement);
    if (status != OSP_OK)
        return status;
    agreement->a = a;
    agreement->b = b;
    agreement->workload = w;
    return agreement_of(first->pictures, second->pictures, study->workloads[w].pictures, bounds, cut, agreement);
}

osp_status agreements_find(struct study *study, struct agreement_cut cut)
{
    osp_status status = OSP_OK;
    for (int a = 0; a < study->column_count; a++)
        for (int b = a + 1; b < study->column_count; b++)
            for (int w = 0; w < study->workload_count && status == OSP_OK; w++)
                if (has_results(study, a, w) && has_results(study, b, w))
                    status = add_pair(study, a, b, w, cut);
    return status;
}

/* ---- In words ----------------------------------------------------------------------------------- */

/* The pair's worst over its workloads. */
static int sum_pair(const struct study *study, int a, int b, struct agreement *sum)
{
    int found = 0;
    *sum = (struct agreement){.a = a, .b = b, .iou = 1, .agree = true};
    for (int i = 0; i < study->agreement_count; i++) {
        const struct agreement *one = &study->agreements[i];
        if (one->a != a || one->b != b)
            continue;
        found++;
        sum->matched += one->matched;
        sum->missing += one->missing;
        sum->extra += one->extra;
        sum->flips += one->flips;
        sum->box = fmax(sum->box, one->box);
        sum->score = fmax(sum->score, one->score);
        sum->iou = fmin(sum->iou, one->iou);
        sum->box_bound = fmax(sum->box_bound, one->box_bound);
        sum->score_bound = fmax(sum->score_bound, one->score_bound);
        sum->agree = sum->agree && one->agree;
        sum->first_node = one->first_node ? one->first_node : sum->first_node;
    }
    return found;
}

static void print_pair(const struct study *study, const struct agreement *pair, FILE *out)
{
    fprintf(out, "  %-8s %s and %s: ", pair->agree ? "agree" : "DIFFER", study->columns[pair->a].name,
            study->columns[pair->b].name);
    fprintf(out, "%d box%s in both", pair->matched, pair->matched == 1 ? "" : "es");
    if (pair->missing || pair->extra || pair->flips)
        fprintf(out, ", %d missing, %d extra, %d of another label", pair->missing, pair->extra, pair->flips);
    if (pair->box == 0 && pair->score == 0)
        fprintf(out, ", to the bit");
    else
        fprintf(out, ", apart by %.2g pixels (bound %.2g) and %.2g of score (bound %.2g)", pair->box, pair->box_bound,
                pair->score, pair->score_bound);
    if (pair->first_node)
        fprintf(out, "; the networks part at %s", pair->first_node);
    fputc('\n', out);
}

int agreements_print(const struct study *study, FILE *out)
{
    int differ = 0, pairs = 0;
    for (int a = 0; a < study->column_count; a++)
        for (int b = a + 1; b < study->column_count; b++) {
            struct agreement sum;
            if (sum_pair(study, a, b, &sum) == 0)
                continue;
            if (pairs++ == 0)
                fprintf(out, "\nagreement: detections matched by label and place\n");
            print_pair(study, &sum, out);
            differ += !sum.agree;
        }
    return differ;
}
