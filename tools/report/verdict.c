/* The answer in words. */
#include <math.h>
#include <stdio.h>

#include "view.h"

static const char *name_of(const struct view *view, int column) { return text_or(view->study->columns[column].name, "?"); }

/* ", 99 % interval 1.8x to 2.0x" */
static void add_interval(char *out, const struct estimate *e)
{
    char low[FIGURE_ROOM], high[FIGURE_ROOM];
    if (!isfinite(e->low) || !isfinite(e->high))
        text_add(out, VERDICT_ROOM, " (too few runs for an interval)");
    else if (e->high > 10 * e->low)
        text_add(out, VERDICT_ROOM, " (its runs were too uneven to say how much)");
    else
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
    bool noise = isfinite(e.low) && estimate_is_noise(&e);
    figure(before, view_per_picture(view->study, view->before, view->main), UNIT_SECONDS);
    figure(after, view_per_picture(view->study, view->after, view->main), UNIT_SECONDS);
    if (view->gpu)
        text_add(out, VERDICT_ROOM, "%s: ", noise ? "No difference beyond the noise" : e.value > 1 ? "Yes" : "No");
    if (noise)
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture and %s takes %s, which is within the noise", fast, device, after,
                 slow, before);
    else if (e.value > 1)
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture where %s takes %s: it is %s as fast", fast, device, after, slow,
                 before, figure(ratio, e.value, UNIT_RATIO));
    else
        text_add(out, VERDICT_ROOM, "%s%s takes %s for a picture where %s takes %s: it takes %s as long", fast, device, after,
                 slow, before, figure(ratio, 1 / e.value, UNIT_RATIO));
    if (e.value < 1 && !noise)
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
    char share[FIGURE_ROOM];
    out[0] = 0;
    const struct break_even *even = view->after >= 0 ? view_break_even(view->study, view->before, view->after) : NULL;
    if (!even)
        return out;
    bool swept = view_fit(view->study, view->before, "batch") && view_fit(view->study, view->after, "batch");
    const struct break_even *back = view_break_even(view->study, view->after, view->before);
    double from = swept || even->batch >= 0 ? even->batch : even->without_start, until = back ? back->without_start : NAN;
    if (!(from >= 0) && until > 1)
        text_add(out, VERDICT_ROOM, "Only below a batch of %.0f: from there on %s is the faster one.", until,
                 name_of(view, view->before));
    else if (!(from >= 0))
        text_add(out, VERDICT_ROOM, "Never: %s stays behind however many there are.", name_of(view, view->after));
    else if (from <= 1)
        text_add(out, VERDICT_ROOM, "From the first picture on, once it is running.");
    else
        text_add(out, VERDICT_ROOM, "From a batch of %.0f on, once it is running.", from);
    if (even->with_start > 1)
        text_add(out, VERDICT_ROOM, " With its start-up counted, from %.0f pictures on.", ceil(even->with_start));
    else if (even->with_start >= 0)
        text_add(out, VERDICT_ROOM, " With its start-up counted, from the first picture on.");
    else if (back && back->with_start > 1)
        text_add(out, VERDICT_ROOM, " With start-up counted, below %.0f pictures.", ceil(back->with_start));
    else
        text_add(out, VERDICT_ROOM, " With its start-up counted, never.");
    double error = view_fit_error(view->study, view->before, view->after);
    if (error > ROUGH_FIT)
        text_add(out, VERDICT_ROOM, " Roughly: points are off the fitted lines by up to %s.", figure(share, error, UNIT_SHARE));
    if (!swept && !(even->batch >= 0))
        text_add(out, VERDICT_ROOM, " One picture at a time: batches were not measured (--batch 1,2,4,8).");
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

/* "0.00003": a small number as people write it. */
static const char *plain(char text[FIGURE_ROOM], double value)
{
    int decimals = value > 0 ? (int)fmin(fmax(1 - floor(log10(value)), 0), 9) : 0;
    snprintf(text, FIGURE_ROOM, "%.*f", decimals, value);
    return text;
}

const char *verdict_agree(const struct view *view, char out[VERDICT_ROOM])
{
    int differ = 0;
    double box = 0, score = 0;
    char figures[2][FIGURE_ROOM];
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
        text_add(out, VERDICT_ROOM, "Yes, in all %d comparison%s: ", study->agreement_count,
                 study->agreement_count == 1 ? "" : "s");
    if (!differ && box == 0 && score == 0)
        text_add(out, VERDICT_ROOM, "boxes and scores are equal to the bit.");
    else if (!differ)
        text_add(out, VERDICT_ROOM, "boxes are at most %s pixels apart, and scores %s.", plain(figures[0], box),
                 score > 0 ? plain(figures[1], score) : "are equal");
    return out;
}

const char *verdict_busy(const struct view *view, char out[VERDICT_ROOM])
{
    const struct machine *busiest = NULL;
    char share[FIGURE_ROOM];
    out[0] = 0;
    for (int m = 0; m < view->study->machine_count; m++) {
        const struct machine *machine = &view->study->machines[m];
        if (machine->core_wait > (busiest ? busiest->core_wait : BUSY_MACHINE))
            busiest = machine;
    }
    if (busiest)
        text_add(out, VERDICT_ROOM,
                 "%s was busy: %s of the time this program waited for a core that others had. Columns take turns, so all of them "
                 "suffered, "
                 "and those with more threads more; measure again on a quiet machine before you believe small differences.",
                 view->study->machine_count > 1 ? text_or(busiest->host, "A machine") : "The machine",
                 figure(share, busiest->core_wait, UNIT_SHARE));
    return out;
}
