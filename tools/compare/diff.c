/* Two sessions, node by node: where do they part?
 *
 * The difference of a value is max |a - b| / max |a|. A node may differ by its own rounding and by what its inputs' differences
 * become:
 *
 *     bound = eps (4 sqrt(L) + 16) w + 16 d
 *
 * eps: half a unit of the coarser of the two precisions (f32 2^-24, f16 and tf32 2^-11, bf16 2^-8, i8 2^-7). L: terms of a sum
 * (multiply-adds of an output element): the error of a sum in another order grows as sqrt(L). w: 16 where one of the two is
 * Winograd, else 1. d: the largest difference of any node before it. So one wrong layer stands out wherever it lies, and
 * differences that merely travel on do not.
 *
 * Ranking can swap rows whose scores are nearly equal, and everything behind it then has its rows in another order. So behind
 * topk and nms rows are compared with their partners: the same anchor, the same class and the same place. Where the inputs differ
 * at all, one row in fifty may be without one or beyond the bound, by having stood next to a threshold; such a row is left out
 * from there on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "runtime/file.h"

static const double growth = 16, rows_lost = 0.02;
enum { OUTPUTS = 4, NO_PARTNER = -1, MOST_STAGES = 16 };

struct value {
    float *data;
    int64_t dims[4];
    int rank;
    int64_t count;
};

/* Which row of b a row of a is to be compared with; rows NULL: elements are compared as they stand. */
struct partners {
    int *row;
    int count;
};

/* How far apart a stage's nodes are. */
struct drift {
    const char *stage; /* the graph's */
    int nodes, same;
    double largest; /* difference, */
    char node[96];  /* and whose */
};

struct walk {
    struct osp_session *a, *b;
    struct osp_line line_a, line_b;
    struct value va[OUTPUTS], vb[OUTPUTS]; /* of the node that is looked at */
    int outputs;
    struct partners partners;
    double before; /* the largest difference so far */
    int nodes, same;
    double fullest; /* the largest share of its bound that a node took */
    char fullest_node[96];
    struct drift drift[MOST_STAGES]; /* in the order in which the stages run */
    int stages;
};

/* What was seen of a node. */
struct seen {
    double difference, bound;
    int lost, rows; /* rows beyond the bound or without a partner */
    int output;     /* where the largest difference lies: */
    int64_t at_a, at_b;
};

/* ---- Values ------------------------------------------------------------------------------------- */

static void free_values(struct walk *walk)
{
    for (int k = 0; k < walk->outputs; k++) {
        free(walk->va[k].data);
        free(walk->vb[k].data);
    }
    walk->outputs = 0;
}

static osp_status get(struct osp_session *session, const char *node, int k, struct value *out)
{
    char name[160];
    snprintf(name, sizeof name, k ? "%s:%d" : "%s", node, k);
    osp_status status = osp_session_value(session, name, &out->data, out->dims, &out->rank);
    out->count = 1;
    for (int i = 0; status == OSP_OK && i < out->rank; i++)
        out->count *= out->dims[i];
    return status;
}

/* All outputs of the node: names are asked for until there is none. */
static osp_status get_outputs(struct walk *walk)
{
    walk->outputs = 0;
    for (int k = 0; k < OUTPUTS; k++) {
        osp_status status = get(walk->a, walk->line_a.node, k, &walk->va[k]);
        if (status == OSP_USAGE && k > 0)
            return OSP_OK;
        if (status != OSP_OK)
            return status;
        status = get(walk->b, walk->line_a.node, k, &walk->vb[k]);
        if (status != OSP_OK) {
            free(walk->va[k].data);
            return status;
        }
        walk->outputs++;
    }
    return OSP_OK;
}

static double largest(const struct value *v)
{
    double most = 0;
    for (int64_t i = 0; i < v->count; i++)
        if (isfinite(v->data[i]))
            most = fmax(most, fabs((double)v->data[i]));
    return most > 0 ? most : 1;
}

static double apart(float a, float b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    double d = fabs((double)a - (double)b);
    return isfinite(d) ? d : INFINITY;
}

/* ---- Bounds ------------------------------------------------------------------------------------- */

static double epsilon(const char *precision)
{
    static const struct {
        const char *name;
        int bits;
    } known[] = {{"i8", 7}, {"bf16", 8}, {"f16", 11}, {"tf32", 11}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(precision, known[i].name) == 0)
            return ldexp(1, -known[i].bits);
    return ldexp(1, -24);
}

static double bound_of(const struct walk *walk)
{
    double elements = (double)walk->va[0].count, terms = elements > 0 ? walk->line_a.macs / elements : 0;
    double eps = fmax(epsilon(walk->line_a.precision), epsilon(walk->line_b.precision));
    bool winograd = strstr(walk->line_a.kernel, "winograd") || strstr(walk->line_b.kernel, "winograd");
    return eps * (4 * sqrt(terms) + 16) * (winograd ? 16 : 1) + growth * walk->before;
}

/* ---- Partners ----------------------------------------------------------------------------------- */

static osp_status partners_room(struct walk *walk, int count)
{
    free(walk->partners.row);
    walk->partners.row = malloc((count ? (size_t)count : 1) * sizeof *walk->partners.row);
    walk->partners.count = count;
    if (!walk->partners.row)
        return osp_fail(OSP_MEMORY, "out of memory while values are compared");
    return OSP_OK;
}

/* Behind topk: the row with the same position in its map, nearest in rank (positions of different levels can be equal). */
static osp_status pair_topk(struct walk *walk)
{
    const struct value *ia = &walk->va[1], *ib = &walk->vb[1];
    osp_status status = partners_room(walk, (int)ia->count);
    for (int t = 0; status == OSP_OK && t < (int)ia->count; t++) {
        walk->partners.row[t] = NO_PARTNER;
        for (int far = 0; far < (int)ib->count && walk->partners.row[t] == NO_PARTNER; far++)
            for (int side = -1; side <= 1; side += 2)
                if (t + side * far >= 0 && t + side * far < (int)ib->count && ib->data[t + side * far] == ia->data[t])
                    walk->partners.row[t] = t + side * far;
    }
    return status;
}

static double box_distance(const float *a, const float *b)
{
    double most = 0;
    for (int k = 0; k < 4; k++)
        most = fmax(most, apart(a[k], b[k]));
    return most;
}

/* Behind nms: the free row of the same class at the nearest place, first come first served, at most as far as the bound lets it
 * be. Rows past the count are nobody's. */
static osp_status pair_nms(struct walk *walk, double bound)
{
    int rows = (int)walk->va[1].count, count_a = (int)walk->va[3].data[0], count_b = (int)walk->vb[3].data[0];
    double far = bound * largest(&walk->va[0]);
    char *taken = calloc(rows ? (size_t)rows : 1, 1);
    osp_status status = taken ? partners_room(walk, rows) : osp_fail(OSP_MEMORY, "out of memory while values are compared");
    for (int t = 0; status == OSP_OK && t < rows; t++) {
        int best = NO_PARTNER;
        double nearest = INFINITY;
        for (int u = 0; t < count_a && u < count_b && u < rows; u++) {
            double d = taken[u] || walk->va[2].data[t] != walk->vb[2].data[u]
                           ? INFINITY
                           : box_distance(walk->va[0].data + 4 * t, walk->vb[0].data + 4 * u);
            if (d <= far && d < nearest) {
                best = u;
                nearest = d;
            }
        }
        walk->partners.row[t] = best;
        if (best >= 0)
            taken[best] = 1;
    }
    free(taken);
    return status;
}

/* Behind box_decode a row has become `slots` rows: the slot of the same class in the partner's. */
static osp_status pair_slots(struct walk *walk)
{
    int rows = (int)walk->va[1].count, old = walk->partners.count, slots = old > 0 ? rows / old : 0;
    int *before = walk->partners.row;
    walk->partners.row = NULL;
    osp_status status = partners_room(walk, rows);
    for (int i = 0; status == OSP_OK && i < rows; i++) {
        int partner = slots > 0 ? before[i / slots] : NO_PARTNER;
        walk->partners.row[i] = NO_PARTNER;
        for (int s = 0; partner >= 0 && s < slots && walk->va[2].data[i] >= 0; s++)
            if (walk->vb[2].data[partner * slots + s] == walk->va[2].data[i])
                walk->partners.row[i] = partner * slots + s;
    }
    free(before);
    return status;
}

/* Rows of a that count but have no partner, and rows of b that are more than a's. */
static int unpaired(const struct walk *walk, bool nms)
{
    int lost = 0, rows = walk->partners.count;
    if (nms) {
        rows = (int)walk->va[3].data[0];
        lost = (int)walk->vb[3].data[0] > rows ? (int)walk->vb[3].data[0] - rows : 0;
    }
    for (int t = 0; t < rows && t < walk->partners.count; t++)
        lost += walk->partners.row[t] == NO_PARTNER;
    return lost;
}

/* ---- Comparing ---------------------------------------------------------------------------------- */

static void note(struct seen *seen, double difference, int output, int64_t at_a, int64_t at_b)
{
    if (!(difference > seen->difference))
        return;
    seen->difference = difference;
    seen->output = output;
    seen->at_a = at_a;
    seen->at_b = at_b;
}

static void compare_elements(const struct value *a, const struct value *b, int output, struct seen *seen)
{
    double scale = largest(a);
    for (int64_t i = 0; i < a->count && i < b->count; i++)
        note(seen, apart(a->data[i], b->data[i]) / scale, output, i, i);
}

/* Row by row with the partners; a row beyond the bound has no partner from here on. */
static void compare_rows(struct walk *walk, const struct value *a, const struct value *b, int output, struct seen *seen)
{
    double scale = largest(a);
    int64_t width = a->count / walk->partners.count;
    for (int t = 0; t < walk->partners.count; t++) {
        int u = walk->partners.row[t];
        double row = 0;
        for (int64_t i = 0; u >= 0 && i < width; i++) {
            double d = apart(a->data[t * width + i], b->data[u * width + i]) / scale;
            row = fmax(row, d);
            note(seen, d, output, t * width + i, u * width + i);
        }
        if (row > seen->bound) {
            seen->lost++;
            walk->partners.row[t] = NO_PARTNER;
        }
    }
}

static bool is_op(const struct walk *walk, const char *op) { return strcmp(walk->line_a.op, op) == 0; }

static osp_status look(struct walk *walk, struct seen *seen)
{
    bool topk = is_op(walk, "topk"), nms = is_op(walk, "nms"), slots = is_op(walk, "box_decode");
    osp_status status = OSP_OK;
    *seen = (struct seen){.bound = bound_of(walk)};
    if (topk) {
        compare_elements(&walk->va[0], &walk->vb[0], 0, seen); /* sorted: swaps of what is equal do not show */
        status = pair_topk(walk);
    } else if (nms) {
        status = pair_nms(walk, seen->bound);
    } else if (slots && walk->partners.row) {
        status = pair_slots(walk);
    }
    if (status != OSP_OK)
        return status;
    if (topk || nms)
        seen->lost = unpaired(walk, nms);
    for (int k = 0; k < walk->outputs && !topk; k++) {
        const struct value *a = &walk->va[k], *b = &walk->vb[k];
        bool boxes = nms || slots || is_op(walk, "rpn_decode"); /* outputs boxes, scores, classes, and a count */
        if (boxes && k >= 2)
            continue;
        if (walk->partners.row && walk->partners.count > 0 && a->count % walk->partners.count == 0 &&
            (boxes || a->dims[0] == walk->partners.count))
            compare_rows(walk, a, b, k, seen);
        else
            compare_elements(a, b, k, seen);
    }
    seen->rows = walk->partners.count;
    return OSP_OK;
}

/* By elements no difference may pass the bound; by rows, few enough. */
static bool beyond(const struct walk *walk, const struct seen *seen)
{
    bool by_rows = walk->partners.row && seen->rows > 0;
    double allowed = walk->before > 0 && by_rows ? ceil(rows_lost * seen->rows) : 0;
    return by_rows ? seen->lost > allowed : seen->difference > seen->bound;
}

/* ---- The walk ----------------------------------------------------------------------------------- */

static void print_place(FILE *out, const struct value *v, int64_t at)
{
    int64_t place[4];
    for (int i = v->rank - 1; i >= 0; i--) {
        place[i] = at % v->dims[i];
        at /= v->dims[i];
    }
    for (int i = 0; i < v->rank; i++)
        fprintf(out, "%s%lld", i ? "," : "[", (long long)place[i]);
    fputc(']', out);
}

static void print_beyond(const struct walk *walk, const struct seen *seen, FILE *out)
{
    const struct value *a = &walk->va[seen->output], *b = &walk->vb[seen->output];
    fprintf(out, "  the first node beyond its bound: %s (%s), %s against %s\n", walk->line_a.node, walk->line_a.stage,
            walk->line_a.kernel, walk->line_b.kernel);
    if (seen->difference > 0) {
        fprintf(out, "  output %d differs by %.3g of its largest value, bound %.3g; most at ", seen->output, seen->difference,
                seen->bound);
        print_place(out, a, seen->at_a);
        fprintf(out, ": %.9g against %.9g\n", (double)a->data[seen->at_a], (double)b->data[seen->at_b]);
    }
    if (seen->lost)
        fprintf(out, "  %d of %d rows differ, or have no partner\n", seen->lost, seen->rows);
    fprintf(out, "  nodes before it: %d, of which %d equal to the bit; the largest difference is %.3g\n", walk->nodes, walk->same,
            walk->before);
}

static void print_none(const struct walk *walk, FILE *out)
{
    fprintf(out, "  no node of %d differs by more than its bound; %d are equal to the bit", walk->nodes, walk->same);
    if (walk->fullest > 0)
        fprintf(out, "; nearest to its bound is %s, at %.2g of it", walk->fullest_node, walk->fullest);
    fputc('\n', out);
}

static void note_drift(struct walk *walk, const struct seen *seen)
{
    struct drift *drift = &walk->drift[walk->stages > 0 ? walk->stages - 1 : 0];
    if (walk->stages == 0 || (strcmp(drift->stage, walk->line_a.stage) != 0 && walk->stages < MOST_STAGES))
        *(drift = &walk->drift[walk->stages++]) = (struct drift){.stage = walk->line_a.stage};
    drift->nodes++;
    drift->same += seen->difference == 0 && seen->lost == 0;
    if (seen->difference <= drift->largest)
        return;
    drift->largest = seen->difference;
    snprintf(drift->node, sizeof drift->node, "%s", walk->line_a.node);
}

/* Nothing where nothing differs. */
static void print_drift(const struct walk *walk, FILE *out)
{
    if (walk->same == walk->nodes)
        return;
    fprintf(out, "  %-13s %5s %5s %10s  %s\n", "stage", "nodes", "equal", "drift", "of its largest value, most at");
    for (int i = 0; i < walk->stages; i++) {
        const struct drift *drift = &walk->drift[i];
        fprintf(out, "  %-13s %5d %5d", drift->stage, drift->nodes, drift->same);
        if (drift->largest > 0)
            fprintf(out, " %10.2e  %s", drift->largest, drift->node);
        fputc('\n', out);
    }
}

/* One node. Returns through `found` whether it is the one. */
static osp_status step(struct walk *walk, struct agreement *agreement, bool *found, FILE *out)
{
    struct seen seen;
    osp_status status = get_outputs(walk);
    if (status == OSP_OK)
        status = look(walk, &seen);
    if (status == OSP_OK)
        note_drift(walk, &seen);
    if (status == OSP_OK && beyond(walk, &seen)) {
        *found = true;
        print_beyond(walk, &seen, out);
        agreement->first_node = strdup(walk->line_a.node);
        agreement->first_difference = seen.difference; /* infinite: not a number on one side */
        agreement->first_bound = seen.bound;
        agreement->agree = false;
        if (!agreement->first_node)
            status = osp_fail(OSP_MEMORY, "out of memory while values are compared");
    } else if (status == OSP_OK) {
        double share = seen.difference / seen.bound;
        if (share <= 1 && share > walk->fullest) {
            walk->fullest = share;
            snprintf(walk->fullest_node, sizeof walk->fullest_node, "%s", walk->line_a.node);
        }
        walk->nodes++;
        walk->same += seen.difference == 0 && seen.lost == 0;
        walk->before = fmax(walk->before, fmin(seen.difference, seen.bound));
    }
    free_values(walk);
    return status;
}

static osp_status run_once(struct osp_session *session, const struct osp_image *image)
{
    struct osp_detections found;
    osp_status status = osp_detect(session, image, &found);
    if (status == OSP_OK)
        osp_detections_free(&found);
    return status;
}

osp_status diff_sessions(struct osp_session *a, struct osp_session *b, const struct osp_image *image, struct agreement *agreement,
                         FILE *out)
{
    struct walk walk = {.a = a, .b = b};
    bool found = false;
    osp_status status = run_once(a, image);
    if (status == OSP_OK)
        status = run_once(b, image);
    const struct osp_plan *plan_a = osp_session_last_plan(a), *plan_b = osp_session_last_plan(b);
    for (int i = 0; status == OSP_OK && !found && i < osp_plan_lines(plan_a); i++) {
        osp_plan_line(plan_a, i, &walk.line_a);
        osp_plan_line(plan_b, i, &walk.line_b);
        status = step(&walk, agreement, &found, out);
    }
    if (status == OSP_OK && !found)
        print_none(&walk, out);
    if (status == OSP_OK)
        print_drift(&walk, out);
    free(walk.partners.row);
    return status;
}
