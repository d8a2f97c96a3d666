/* The answer in words. */
#include <math.h>
#include <stdio.h>

#include "view.h"

static const char *name_of(const struct view *view, int column) { return text_or(view->study->columns[column].name, "?"); }

/* ", 99 % interval 1.8x to 2.0x" */
static void add_interval(char *out, const struct estimate *e)
{
    char low[FIGURE_ROOM], high[FIGURE_ROOM];
    if (isfinite(e->low) && isfinite(e->high))
        text_add(out, VERDICT_ROOM, " (99 %% interval %s to %s)", figure(low, e->low, UNIT_RATIO),
                 figure(high, e->high, UNIT_RATIO));
}

static void add_comparison(const struct view *view, char *out)
{
    char before[FIGURE_ROOM], after[FIGURE_ROOM], ratio[FIGURE_ROOM];
    const char *fast = name_of(view, view->after), *slow = name_of(view, view->before);
    char device[160] = "";
    if (view->gpu && text_or(view->study->columns[view->after].device, "")[0])
        snprintf(device, sizeof device, " (%.140s)", view->study->columns[view->after].device);
    struct estimate e = view_speedup(view->study, view->before, view->after, view->main);
    figure(before, view_per_picture(view->study, view->before, view->main), UNIT_SECONDS);
    figure(after, view_per_picture(view->study, view->after, view->main), UNIT_SECONDS);
    if (view->gpu)
        text_add(out, VERDICT_ROOM, "%s: ",
                 estimate_is_noise(&e) ? "No difference beyond the noise"
                 : e.value > 1         ? "Yes"
                                       : "No");
    if (estimate_is_noise(&e))
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture and %s takes %s", fast, device, after, slow, before);
    else if (e.value > 1)
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture where %s takes %s: it is %s as fast", fast, device, after, slow,
                 before, figure(ratio, e.value, UNIT_RATIO));
    else
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture where %s takes %s: it takes %s as long", fast, device, after,
                 slow, before, figure(ratio, 1 / e.value, UNIT_RATIO));
    if (e.value < 1 && !estimate_is_noise(&e))
        e = (struct estimate){1 / e.value, 1 / e.high, 1 / e.low};
    add_interval(out, &e);
}

const char *verdict_sentence(const struct view *view, char out[VERDICT_ROOM])
{
    char time[FIGURE_ROOM];
    out[0] = 0;
    if (view->main < 0) {
        text_add(out, VERDICT_ROOM, "Nothing was measured: no column came to an end.");
        return out;
    }
    if (view->after >= 0) {
        add_comparison(view, out);
    } else if (view->reference >= 0) {
        const struct column *only = &view->study->columns[view->reference];
        text_add(out, VERDICT_ROOM, "%s takes %s for a picture%s", name_of(view, view->reference),
                 figure(time, view_per_picture(view->study, view->reference, view->main), UNIT_SECONDS),
                 only->emulated ? " in emulation, which says nothing of a GPU's speed" : "; there is nothing to compare it with");
    }
    if (!view->gpu)
        text_add(out, VERDICT_ROOM,
                 view->has_emulated ? "; CUDA was emulated here, so whether a GPU is faster is not answered"
                                    : "; no GPU was measured, so whether one is faster is not answered");
    text_add(out, VERDICT_ROOM, ".");
    return out;
}

const char *verdict_where(const struct view *view, char out[VERDICT_ROOM])
{
    const char *names[VIEW_STAGES];
    char seconds[FIGURE_ROOM], share[FIGURE_ROOM];
    out[0] = 0;
    if (view->after < 0)
        return out;
    const struct cell *before = view_cell(view->study, view->before, view->main),
                      *after = view_cell(view->study, view->after, view->main);
    int count = view_stages(view->study, view->main, names), gain = -1, loss = -1;
    double most = 0, worst = 0, gains = 0;
    for (int i = 0; i < count; i++) {
        double saved = view_stage_seconds(before, names[i]) - view_stage_seconds(after, names[i]);
        if (saved > 0)
            gains += saved;
        if (saved > most) {
            most = saved;
            gain = i;
        }
        if (saved < worst) {
            worst = saved;
            loss = i;
        }
    }
    if (gain >= 0)
        text_add(out, VERDICT_ROOM, "Mostly in %s: %s a run is saved there, %s of all that is gained.", names[gain],
                 figure(seconds, most, UNIT_SECONDS), figure(share, most / gains, UNIT_SHARE));
    if (loss >= 0 && -worst > 0.02 * samples_median(&after->total))
        text_add(out, VERDICT_ROOM, " Lost again in %s: %s a run.", names[loss], figure(seconds, -worst, UNIT_SECONDS));
    return out;
}

const char *verdict_when(const struct view *view, char out[VERDICT_ROOM])
{
    out[0] = 0;
    const struct break_even *even = view->after >= 0 ? view_break_even(view->study, view->before, view->after) : NULL;
    if (!even)
        return out;
    if (!(even->batch >= 0))
        text_add(out, VERDICT_ROOM, "At no batch size is a run of %s the faster one.", name_of(view, view->after));
    else if (even->batch <= 1)
        text_add(out, VERDICT_ROOM, "From the first picture on, once it is running.");
    else
        text_add(out, VERDICT_ROOM, "From a batch of %.0f on, once it is running.", even->batch);
    if (even->with_start > 1)
        text_add(out, VERDICT_ROOM, " With its start-up counted, from %.0f pictures on.", ceil(even->with_start));
    else if (even->with_start >= 0)
        text_add(out, VERDICT_ROOM, " With its start-up counted, from the first picture on.");
    else
        text_add(out, VERDICT_ROOM, " With its start-up counted, never.");
    return out;
}

const char *verdict_why(const struct view *view, char out[VERDICT_ROOM])
{
    const char *names[VIEW_STAGES];
    char share[FIGURE_ROOM], gain[FIGURE_ROOM];
    out[0] = 0;
    int column = view->after >= 0 ? view->after : view->reference;
    const struct cell *cell = view_cell(view->study, column, view->main);
    if (!cell || view->study->columns[column].emulated)
        return out;
    int count = view_stages(view->study, view->main, names), largest = -1;
    for (int i = 0; i < count; i++)
        if (largest < 0 || view_stage_seconds(cell, names[i]) > view_stage_seconds(cell, names[largest]))
            largest = i;
    double total = samples_median(&cell->total), part = largest >= 0 ? view_stage_seconds(cell, names[largest]) : 0;
    if (part > 0 && part < total)
        text_add(out, VERDICT_ROOM, "The largest stage, %s, takes %s of a run of %s: were it free, a run would be %s as fast.",
                 names[largest], figure(share, part / total, UNIT_SHARE), name_of(view, column),
                 figure(gain, total / (total - part), UNIT_RATIO));
    int findings = 0;
    for (int i = 0; i < view->study->finding_count; i++)
        findings += view->study->findings[i].column == column;
    if (findings)
        text_add(out, VERDICT_ROOM, " %d finding%s below sa%s what holds it back.", findings, findings == 1 ? "" : "s",
                 findings == 1 ? "ys" : "y");
    else
        text_add(out, VERDICT_ROOM, " No rule found anything else that holds it back.");
    return out;
}

const char *verdict_agree(const struct view *view, char out[VERDICT_ROOM])
{
    int differ = 0;
    double box = 0, score = 0;
    const struct study *study = view->study;
    out[0] = 0;
    for (int i = 0; i < study->agreement_count; i++) {
        differ += !study->agreements[i].agree;
        box = fmax(box, study->agreements[i].box);
        score = fmax(score, study->agreements[i].score);
    }
    if (study->agreement_count == 0)
        return out;
    if (differ)
        text_add(out, VERDICT_ROOM, "No: %d of %d comparisons of detections go beyond their bounds.", differ,
                 study->agreement_count);
    else
        text_add(out, VERDICT_ROOM,
                 "Yes, in all %d comparisons: no box is further apart than %.2g pixels and no score than %.2g.",
                 study->agreement_count, box, score);
    return out;
}
