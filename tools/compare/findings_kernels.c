/* Rules about what the kernels reach, from the layers of a cell. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "tools/report/view.h"

/* The layers that a rule counts: their time, that of all, and the one that takes longest. */
struct tally {
    double seconds, all;
    int count;
    const struct layer *worst;
    double worst_seconds;
};

typedef bool layer_test(const struct look *look, const struct layer *layer, double seconds);

static struct tally tally(const struct look *look, layer_test *test)
{
    struct tally t = {0};
    for (int i = 0; i < look->cell->layer_count; i++) {
        const struct layer *layer = &look->cell->layers[i];
        double seconds = layer->seconds.count > 0 ? samples_median(&layer->seconds) : 0;
        t.all += seconds;
        if (!(seconds > 0) || !test(look, layer, seconds))
            continue;
        t.seconds += seconds;
        t.count++;
        if (seconds > t.worst_seconds) {
            t.worst_seconds = seconds;
            t.worst = layer;
        }
    }
    return t;
}

static bool beyond(const struct look *look, const struct tally *t, double *value)
{
    *value = t->all > 0 ? t->seconds / t->all : 0;
    return *value > look->threshold;
}

/* "5 layers take 38 % of the network's 20.1 ms (threshold 25 %)" */
static void begin(const struct look *look, const struct tally *t, const char *which, char sentence[FINDING_ROOM])
{
    char share[FIGURE_ROOM], all[FIGURE_ROOM], threshold[FIGURE_ROOM];
    snprintf(sentence, FINDING_ROOM, "%d layer%s %s take%s %s of the network's %s (threshold %s).", t->count,
             t->count == 1 ? "" : "s", which, t->count == 1 ? "s" : "", figure(share, t->seconds / t->all, UNIT_SHARE),
             figure(all, t->all, UNIT_SECONDS), figure(threshold, look->threshold, UNIT_SHARE));
}

static bool half_idle(const struct look *look, const struct layer *layer, double seconds)
{
    return layer->waves > 0 && layer->waves / ceil(layer->waves) < 0.5;
}

bool finding_small_maps(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    struct tally t = tally(look, half_idle);
    if (!beyond(look, &t, value))
        return false;
    begin(look, &t, "with too few blocks to fill the device", sentence);
    text_add(sentence, FINDING_ROOM, " The longest is %s (%s): its blocks fill the device %.2f times.",
             text_or(t.worst->node, "?"), text_or(t.worst->shape, "?"), t.worst->waves);
    return true;
}

static bool thin(const struct look *look, const struct layer *layer, double seconds)
{
    return layer->occupancy > 0 && layer->occupancy < 0.25;
}

bool finding_occupancy(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char share[FIGURE_ROOM];
    struct tally t = tally(look, thin);
    if (!beyond(look, &t, value))
        return false;
    begin(look, &t, "with an occupancy below 25 %", sentence);
    text_add(sentence, FINDING_ROOM, " The longest is %s with %s: %s.", text_or(t.worst->node, "?"),
             text_or(t.worst->kernel, "?"), figure(share, t.worst->occupancy, UNIT_SHARE));
    return true;
}

/* Its bytes would take longer than its arithmetic, and it moves more than half as many a second as the memory can. */
static bool bound_by_memory(const struct look *look, const struct layer *layer, double seconds)
{
    double moved = layer->bytes / look->of->peak_bytes, computed = 2 * layer->macs_done / look->of->peak_flops;
    return moved > 0.5 * seconds && moved > computed;
}

bool finding_memory(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char reached[FIGURE_ROOM], peak[FIGURE_ROOM];
    if (!(look->of->peak_bytes > 0) || !(look->of->peak_flops > 0))
        return false;
    struct tally t = tally(look, bound_by_memory);
    if (!beyond(look, &t, value))
        return false;
    begin(look, &t, "bound by memory", sentence);
    text_add(sentence, FINDING_ROOM, " The longest is %s: %s of the %s that were measured.", text_or(t.worst->node, "?"),
             figure(reached, t.worst->bytes / t.worst_seconds, UNIT_BANDWIDTH),
             figure(peak, look->of->peak_bytes, UNIT_BANDWIDTH));
    return true;
}

/* Convolutions and matrix products together: FLOP, seconds, and the seconds that the roofline allows. */
struct arithmetic {
    double flop, seconds, least;
    const char *worst; /* the kernel that loses most against the roofline */
};

static struct arithmetic arithmetic(const struct look *look)
{
    struct arithmetic sum = {0};
    double lost = 0;
    for (int i = 0; i < look->cell->layer_count; i++) {
        const struct layer *layer = &look->cell->layers[i];
        double seconds = layer->seconds.count > 0 ? samples_median(&layer->seconds) : 0;
        if (!(layer->macs_done > 0) || !(seconds > 0))
            continue;
        double least = layer_bound(layer, look->of);
        sum.flop += 2 * layer->macs_done;
        sum.seconds += seconds;
        sum.least += least;
        if (seconds - least > lost) {
            lost = seconds - least;
            sum.worst = layer->kernel;
        }
    }
    return sum;
}

bool finding_far_from_roofline(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char share[FIGURE_ROOM], reached[FIGURE_ROOM], peak[FIGURE_ROOM], threshold[FIGURE_ROOM];
    struct arithmetic sum = arithmetic(look);
    *value = sum.least / sum.seconds;
    if (!(sum.seconds > 0) || !(*value < look->threshold))
        return false;
    snprintf(
        sentence, FINDING_ROOM,
        "Convolutions and matrix products reach %s, %s of what the measured peaks (%s and its memory) allow them (threshold %s); "
        "most is lost in %s.",
        figure(reached, sum.flop / sum.seconds, UNIT_FLOPS), figure(share, *value, UNIT_SHARE),
        figure(peak, look->of->peak_flops, UNIT_FLOPS), figure(threshold, look->threshold, UNIT_SHARE), text_or(sum.worst, "?"));
    return true;
}

bool finding_near_roofline(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char share[FIGURE_ROOM], reached[FIGURE_ROOM], peak[FIGURE_ROOM], threshold[FIGURE_ROOM];
    struct arithmetic sum = arithmetic(look);
    *value = sum.flop / sum.seconds / look->of->peak_flops;
    if (look->of->gpu || !(sum.seconds > 0) || !(*value > look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM,
             "Convolutions and matrix products run at %s, %s of the measured peak of %s (threshold %s).%s",
             figure(reached, sum.flop / sum.seconds, UNIT_FLOPS), figure(share, *value, UNIT_SHARE),
             figure(peak, look->of->peak_flops, UNIT_FLOPS), figure(threshold, look->threshold, UNIT_SHARE),
             *value > 1 ? " Above 100 % is possible: Winograd does fewer operations than are counted." : "");
    return true;
}

/* The same backend on the same machine with as many threads, unpinned. */
static int unpinned(const struct look *look)
{
    for (int c = 0; c < look->study->column_count; c++) {
        const struct column *other = &look->study->columns[c];
        if (!text_or(other->kernels, "")[0] && !strcmp(text_or(other->backend, ""), text_or(look->of->backend, "")) &&
            other->machine == look->of->machine && other->threads == look->of->threads && !other->emulated &&
            !strcmp(text_or(other->precision, ""), text_or(look->of->precision, "")) && view_cell(look->study, c, look->workload))
            return c;
    }
    return -1;
}

bool finding_pins(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    const double least_alone = 2; /* times the threshold, where the runs are too few for an interval */
    char ratio[FIGURE_ROOM], low[FIGURE_ROOM], high[FIGURE_ROOM], saved[FIGURE_ROOM], threshold[FIGURE_ROOM],
        interval[3 * FIGURE_ROOM];
    const char *names[VIEW_STAGES];
    int other = text_or(look->of->kernels, "")[0] ? unpinned(look) : -1, worst = 0;
    if (other < 0)
        return false;
    struct estimate e = view_speedup(look->study, look->column, other, look->workload);
    *value = e.value;
    if (!(isfinite(e.low) ? e.low > look->threshold : e.value > least_alone * look->threshold))
        return false;
    const struct cell *better = view_cell(look->study, other, look->workload);
    int count = view_stages(look->study, look->workload, names);
    double most = 0;
    for (int i = 0; i < count; i++) {
        double lost = view_stage_seconds(look->cell, names[i]) - view_stage_seconds(better, names[i]);
        if (lost > most) {
            most = lost;
            worst = i;
        }
    }
    snprintf(interval, sizeof interval, "too few runs for an interval");
    if (isfinite(e.low))
        snprintf(interval, sizeof interval, "99 %% interval %s to %s", figure(low, e.low, UNIT_RATIO),
                 figure(high, e.high, UNIT_RATIO));
    snprintf(sentence, FINDING_ROOM,
             "Pinned to %s it takes %s as long as %s, whose kernels the plan chose (%s, threshold %s); %s more go into %s.",
             look->of->kernels, figure(ratio, e.value, UNIT_RATIO), text_or(look->study->columns[other].name, "?"), interval,
             figure(threshold, look->threshold, UNIT_RATIO), figure(saved, most, UNIT_SECONDS), count ? names[worst] : "the run");
    return true;
}

/* Is this type, of `length` letters, some column's of the same backend? */
static bool used(const struct study *study, const char *backend, const char *type, size_t length)
{
    for (int c = 0; c < study->column_count; c++) {
        const char *precision = text_or(study->columns[c].precision, "");
        if (!strcmp(text_or(study->columns[c].backend, ""), backend) && strlen(precision) == length &&
            !strncmp(precision, type, length))
            return true;
    }
    return false;
}

bool finding_precision(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char unused[100] = "";
    *value = 0;
    for (const char *at = text_or(look->of->precisions, ""); *at;) {
        size_t length = strcspn(at, " ");
        if (length > 0 && !used(look->study, text_or(look->of->backend, ""), at, length)) {
            text_add(unused, sizeof unused, "%s%.*s", unused[0] ? ", " : "", (int)length, at);
            ++*value;
        }
        at += length + (at[length] == ' ');
    }
    bool widest = !strcmp(text_or(look->of->precision, ""), "f32");
    if (!widest || !(*value >= look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM,
             "It computes in %s; the device also has %s, which no column uses (threshold: one such type).", look->of->precision,
             unused);
    return true;
}
