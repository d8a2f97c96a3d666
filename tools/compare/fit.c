/* Lines through a sweep, and where two of them cross. */
#include <math.h>
#include <string.h>

#include "compare.h"
#include "runtime/file.h"
#include "tools/report/view.h"

/* ---- Arithmetic --------------------------------------------------------------------------------- */

bool fit_line(const double *x, const double *y, int count, struct fit *out)
{
    double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
    for (int i = 0; i < count; i++) { /* weights 1/y^2: it is the relative residuals whose squares are least */
        double weight = 1 / (y[i] * y[i]);
        w += weight;
        wx += weight * x[i];
        wy += weight * y[i];
    }
    double mean_x = wx / w, mean_y = wy / w;
    for (int i = 0; i < count; i++) {
        double weight = 1 / (y[i] * y[i]);
        wxx += weight * (x[i] - mean_x) * (x[i] - mean_x);
        wxy += weight * (x[i] - mean_x) * (y[i] - mean_y);
    }
    if (count < 2 || !(wxx > 0))
        return false;
    out->each = wxy / wxx;
    out->fixed = mean_y - out->each * mean_x;
    out->error = 0;
    out->points = count;
    for (int i = 0; i < count; i++)
        out->error = fmax(out->error, fabs(out->fixed + out->each * x[i] - y[i]) / y[i]);
    return true;
}

double break_even_from(double fixed_a, double each_a, double fixed_b, double each_b)
{
    if (fixed_b + each_b < fixed_a + each_a && each_b <= each_a)
        return 1;
    if (!(each_b < each_a))
        return NAN;
    double n = floor((fixed_b - fixed_a) / (each_a - each_b)) + 1;
    if (!(n < 1e15)) /* beyond it a double has no step of 1 */
        return NAN;
    /* The quotient is rounded: step to where the comparison itself turns. */
    while (n > 1 && fixed_b + each_b * (n - 1) < fixed_a + each_a * (n - 1))
        n--;
    while (!(fixed_b + each_b * n < fixed_a + each_a * n))
        n++;
    return n;
}

/* ---- Of a study --------------------------------------------------------------------------------- */

static double place_of(const struct workload *workload)
{
    return strcmp(workload->sweep, "size") == 0 ? (double)workload->height * workload->width / 1e6 : workload->batch;
}

static bool usable(const struct study *study, int column, int w)
{
    return view_cell(study, column, w) && study->workloads[w].chunks <= 1;
}

/* Median of each point of a sweep; returns how many points. */
static int points_of(const struct study *study, int column, const char *sweep, double *x, double *y, int room)
{
    int count = 0;
    for (int w = 0; w < study->workload_count && count < room; w++)
        if (strcmp(study->workloads[w].sweep, sweep) == 0 && usable(study, column, w)) {
            x[count] = place_of(&study->workloads[w]);
            y[count++] = samples_median(&study->columns[column].cells[w].total);
        }
    return count;
}

static osp_status fit_sweep(struct study *study, int column, const char *sweep)
{
    enum { MOST = 64 };
    double x[MOST], y[MOST];
    struct fit line, *fit;
    int count = points_of(study, column, sweep, x, y, MOST);
    if (!fit_line(x, y, count, &line))
        return OSP_OK;
    osp_status status = study_add_fit(study, &fit);
    if (status != OSP_OK)
        return status;
    line.column = column;
    line.sweep = strdup(sweep);
    *fit = line;
    return line.sweep ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while a line is fitted");
}

/* What n pictures cost: the line through the batches; without one, n times a single picture. */
static bool cost_line(const struct study *study, int column, double *fixed, double *each)
{
    const struct fit *line = view_fit(study, column, "batch");
    if (line) {
        *fixed = line->fixed;
        *each = line->each;
        return true;
    }
    for (int w = 0; w < study->workload_count; w++)
        if (study->workloads[w].pictures == 1 && usable(study, column, w)) {
            *fixed = 0;
            *each = samples_median(&study->columns[column].cells[w].total);
            return true;
        }
    return false;
}

static osp_status add_break_even(struct study *study, int a, int b)
{
    double fixed_a, each_a, fixed_b, each_b;
    if (!cost_line(study, a, &fixed_a, &each_a) || !cost_line(study, b, &fixed_b, &each_b))
        return OSP_OK;
    struct break_even *even;
    osp_status status = study_add_break_even(study, &even);
    if (status != OSP_OK)
        return status;
    double start_a = view_start(&study->columns[a]), start_b = view_start(&study->columns[b]);
    even->a = a;
    even->b = b;
    even->with_start = break_even_from(start_a + fixed_a, each_a, start_b + fixed_b, each_b);
    even->without_start = break_even_from(fixed_a, each_a, fixed_b, each_b);
    even->batch = view_fit(study, a, "batch") && view_fit(study, b, "batch") ? even->without_start : NAN;
    even->with_start = even->with_start <= 1 ? 0 : even->with_start;
    even->without_start = even->without_start <= 1 ? 0 : even->without_start;
    return OSP_OK;
}

osp_status fits_find(struct study *study)
{
    osp_status status = OSP_OK;
    for (int c = 0; c < study->column_count && status == OSP_OK; c++)
        if (!study->columns[c].emulated) {
            status = fit_sweep(study, c, "batch");
            if (status == OSP_OK)
                status = fit_sweep(study, c, "size");
        }
    for (int a = 0; a < study->column_count; a++)
        for (int b = 0; b < study->column_count && status == OSP_OK; b++)
            if (a != b && !study->columns[a].emulated && !study->columns[b].emulated)
                status = add_break_even(study, a, b);
    return status;
}

/* ---- In words ----------------------------------------------------------------------------------- */

static void print_line(const struct study *study, const struct fit *fit, FILE *out)
{
    bool size = strcmp(fit->sweep, "size") == 0;
    fprintf(out, "  %-24s %.2f ms + %.2f ms a %s", study->columns[fit->column].name, 1e3 * fit->fixed, 1e3 * fit->each,
            size ? "megapixel of network input" : "picture");
    if (fit->points > 2)
        fprintf(out, "; no point of %d is off by more than %.1f %%", fit->points, 100 * fit->error);
    else
        fprintf(out, "; from two points, so how well it fits is not known");
    if (fit->fixed < 0)
        fprintf(out, "; below zero, for %s", size ? "larger inputs cost more a pixel" : "a picture costs more in larger batches");
    fputc('\n', out);
}

/* "at once", "from 12 pictures on", "never" */
static const char *from_when(double pictures, char room[64])
{
    if (isnan(pictures))
        return "never";
    if (pictures <= 1)
        return "from the first picture on";
    snprintf(room, 64, "from %.0f pictures on", pictures);
    return room;
}

/* Where neither is ahead for good at once, the one that is in the end. */
static void print_break_even(const struct study *study, const struct break_even *even, FILE *out)
{
    char with[64], without[64];
    fprintf(out, "  %s before %s: %s; start-up counted, %s", study->columns[even->b].name, study->columns[even->a].name,
            from_when(even->without_start, without), from_when(even->with_start, with));
    if (even->batch > 1)
        fprintf(out, "; a batch of %.0f is the least at which one run is faster", even->batch);
    double error = view_fit_error(study, even->a, even->b);
    if (error > ROUGH_FIT)
        fprintf(out, "; roughly, for points are off the lines by up to %.0f %%", 100 * error);
    fputc('\n', out);
}

void fits_print(const struct study *study, FILE *out)
{
    for (int i = 0; i < study->fit_count; i++) {
        if (i == 0)
            fprintf(out, "\nfixed cost and cost of each\n");
        print_line(study, &study->fits[i], out);
    }
    int told = 0;
    for (int i = 0; i < study->break_even_count; i++) {
        const struct break_even *even = &study->break_evens[i];
        bool of_first = even->a == 0 || even->b == 0;
        if (!of_first || (isnan(even->with_start) && isnan(even->without_start)))
            continue;
        if (told++ == 0)
            fprintf(out, "\nwho is done first\n");
        print_break_even(study, even, out);
    }
}
