/* Rules about where a run's time goes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "findings.h"
#include "tools/report/view.h"

/* "81.2 ms of 120 ms, 68 %" */
static const char *part_of(char text[4 * FIGURE_ROOM], double part, double whole)
{
    char a[FIGURE_ROOM], b[FIGURE_ROOM], c[FIGURE_ROOM];
    snprintf(text, 4 * FIGURE_ROOM, "%s of %s, %s", figure(a, part, UNIT_SECONDS), figure(b, whole, UNIT_SECONDS),
             figure(c, part / whole, UNIT_SHARE));
    return text;
}

static const char *workload_name(const struct look *look)
{
    return text_or(look->study->workloads[look->workload].name, "this workload");
}

/* `part` seconds of the run are more than the threshold allows. */
static bool beyond(const struct look *look, const char *what, double part, double whole, double *value,
                   char sentence[FINDING_ROOM])
{
    char text[4 * FIGURE_ROOM], threshold[FIGURE_ROOM];
    *value = whole > 0 ? part / whole : 0;
    if (!(*value > look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM, "%s: %s takes %s (threshold %s).", workload_name(look), what, part_of(text, part, whole),
             figure(threshold, look->threshold, UNIT_SHARE));
    return true;
}

bool finding_decode(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    return beyond(look, "decoding the picture files", view_stage_seconds(look->cell, "decode"), look->total, value, sentence);
}

bool finding_preprocess(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    return beyond(look, "resizing and normalising", view_stage_seconds(look->cell, "preprocess"), look->total, value, sentence);
}

bool finding_transfer(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    double up = view_stage_seconds(look->cell, "upload"), down = view_stage_seconds(look->cell, "download");
    return look->of->gpu && beyond(look, "copying to and from the device", up + down, look->total, value, sentence);
}

bool finding_launch(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    if (!look->of->gpu || !(look->cell->gaps > 0))
        return false;
    if (!beyond(look, "waiting between kernels", look->cell->gaps, look->network + look->cell->gaps, value, sentence))
        return false;
    if (look->cell->layer_count > 0) {
        char each[FIGURE_ROOM];
        text_add(sentence, FINDING_ROOM, " That is %s before each of %d nodes.",
                 figure(each, look->cell->gaps / look->cell->layer_count, UNIT_SECONDS), look->cell->layer_count);
    }
    return true;
}

bool finding_first_run(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char start[FIGURE_ROOM], each[FIGURE_ROOM], worst[FIGURE_ROOM];
    const struct once *o = &look->of->once;
    const struct {
        const char *name;
        double seconds;
    } parts[] = {{"starting the program", o->program_start},
                 {"opening the model", o->open_model},
                 {"opening the device", o->open_device},
                 {"loading kernels", o->load_modules},
                 {"planning", o->plan},
                 {"packing weights", o->pack},
                 {"the first run's own cost", o->first_run}};
    size_t most = 0;
    double sum = view_start(look->of), picture = view_per_picture(look->study, look->column, look->workload);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].seconds > 0 && !(parts[most].seconds >= parts[i].seconds))
            most = i;
    *value = sum / picture;
    if (!(*value > look->threshold))
        return false;
    snprintf(
        sentence, FINDING_ROOM,
        "Start-up takes %s, as long as %.0f pictures of %s each (threshold: %.0f); most of it is %s, %s. A process that does "
        "fewer pictures spends more than half its time on it.",
        figure(start, sum, UNIT_SECONDS), *value, figure(each, picture, UNIT_SECONDS), look->threshold, parts[most].name,
        figure(worst, parts[most].seconds, UNIT_SECONDS));
    return true;
}

bool finding_few_pictures(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    int most = 0;
    struct view view = view_of(look->study);
    for (int w = 0; w < look->study->workload_count; w++)
        if (view_cell(look->study, look->column, w) && look->study->workloads[w].pictures > most)
            most = look->study->workloads[w].pictures;
    const struct break_even *even = NULL;
    if (view.after == look->column)
        even = view_break_even(look->study, view.before, look->column);
    else if (view.reference >= 0 && view.reference != look->column)
        even = view_break_even(look->study, view.reference, look->column);
    *value = even && isfinite(even->with_start) && most > 0 ? even->with_start / most : 0;
    if (!(*value > look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM,
             "With start-up it is ahead of %s from %.0f pictures on; the largest workload here has %d (threshold: as many as are "
             "needed).",
             text_or(look->study->columns[even->a].name, "?"), ceil(even->with_start), most);
    return true;
}

/* ---- Stages that do not scale ------------------------------------------------------------------- */

/* The column that differs from this one by fewer threads alone, at most half of them; the fewest count. -1: none. */
static int fewer_threads(const struct look *look)
{
    int best = -1;
    for (int c = 0; c < look->study->column_count; c++) {
        const struct column *other = &look->study->columns[c];
        if (other->gpu || other->emulated || other->threads < 1 || 2 * other->threads > look->of->threads ||
            other->machine != look->of->machine || strcmp(text_or(other->backend, ""), text_or(look->of->backend, "")) != 0 ||
            strcmp(text_or(other->kernels, ""), text_or(look->of->kernels, "")) != 0 ||
            strcmp(text_or(other->precision, ""), text_or(look->of->precision, "")) != 0 ||
            !view_cell(look->study, c, look->workload))
            continue;
        if (best < 0 || other->threads < look->study->columns[best].threads)
            best = c;
    }
    return best;
}

/* "rpn, proposals" of the stages that are told; their seconds. */
struct told {
    char names[200];
    double seconds;
};

static void tell(struct told *told, const struct stage *stage, double seconds)
{
    text_add(told->names, sizeof told->names, "%s%s", told->names[0] ? ", " : "", text_or(stage->name, "?"));
    told->seconds += seconds;
}

static bool busy(const struct look *look)
{
    int m = look->of->machine;
    return m >= 0 && m < look->study->machine_count && look->study->machines[m].core_wait > BUSY_MACHINE;
}

static bool serial_on_cpu(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    const double least_gain = 1.2, least_share = 0.01;
    int few = fewer_threads(look);
    char text[4 * FIGURE_ROOM], threshold[FIGURE_ROOM], gain[FIGURE_ROOM];
    struct told told = {"", 0};
    if (few < 0 || busy(look)) /* threads that wait for one another and for a core tell nothing of the stage */
        return false;
    const struct cell *before = view_cell(look->study, few, look->workload);
    for (int i = 0; i < look->cell->stage_count; i++) {
        const struct stage *stage = &look->cell->stages[i];
        double now = samples_median(&stage->seconds);
        const struct stage *then = view_stage(before, text_or(stage->name, ""));
        struct estimate gained = then ? samples_ratio(&then->seconds, &stage->seconds) : (struct estimate){NAN, NAN, NAN};
        bool little = isfinite(gained.high) ? gained.high < least_gain : gained.value < least_gain; /* beyond the noise */
        if (little && now > least_share * look->total && strcmp(text_or(stage->name, ""), view_drawing) != 0)
            tell(&told, stage, now);
    }
    *value = told.seconds / look->total;
    if (!(*value > look->threshold))
        return false;
    struct estimate whole = view_speedup(look->study, few, look->column, look->workload);
    snprintf(
        sentence, FINDING_ROOM,
        "From %d to %d thread%s these stages gain less than 20 %%: %s. They take %s (threshold %s); the whole is %s as fast.",
        look->study->columns[few].threads, look->of->threads, look->of->threads == 1 ? "" : "s", told.names,
        part_of(text, told.seconds, look->total), figure(threshold, look->threshold, UNIT_SHARE),
        figure(gain, whole.value, UNIT_RATIO));
    return true;
}

/* While the host does these, the device has nothing to do. */
static bool serial_on_host(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    char text[4 * FIGURE_ROOM], threshold[FIGURE_ROOM];
    struct told told = {"", 0};
    for (int i = 0; i < look->cell->stage_count; i++) {
        const struct stage *stage = &look->cell->stages[i];
        double now = stage->seconds.count > 0 ? samples_median(&stage->seconds) : 0;
        if (!stage->device && now > 0.01 * look->total)
            tell(&told, stage, now);
    }
    *value = told.seconds / look->total;
    if (!(*value > look->threshold))
        return false;
    snprintf(sentence, FINDING_ROOM, "The device waits while the host does these stages: %s. They take %s (threshold %s).",
             told.names, part_of(text, told.seconds, look->total), figure(threshold, look->threshold, UNIT_SHARE));
    return true;
}

bool finding_serial(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    return look->of->gpu ? serial_on_host(look, value, sentence) : serial_on_cpu(look, value, sentence);
}

bool finding_copies(const struct look *look, double *value, char sentence[FINDING_ROOM])
{
    double copies = 0;
    for (int i = 0; i < look->cell->layer_count; i++)
        if (!strcmp(text_or(look->cell->layers[i].op, ""), "copy"))
            copies += samples_median(&look->cell->layers[i].seconds);
    return copies > 0 && beyond(look, "copying values between backends", copies, look->total, value, sentence);
}
