/* Rounds: every column once, in turning order, until enough is known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "print.h"
#include "runtime/file.h"
#include "statistics.h"
#include "tools/signals.h"

/* One column at the workload that is being measured. */
struct runner {
    int c;
    double spent;  /* seconds in its runs, the first too */
    double width;  /* half of the interval over the value; NaN: not known yet */
    int looked_at; /* samples when the width was last worked out */
    bool out;      /* takes no part any more */
};

struct rounds {
    struct measure *m;
    int w, round;
    struct runner *runners;
    int count;
};

static struct cell *cell_of(const struct rounds *r, const struct runner *runner)
{
    return &r->m->study->columns[runner->c].cells[r->w];
}

static void tell(const struct rounds *r, const struct runner *runner)
{
    const struct measure_options *o = &r->m->options;
    if (o->progress)
        o->progress(o->user, &(struct measure_progress){r->m->study->columns[runner->c].name, r->m->study->workloads[r->w].name,
                                                        r->round, runner->spent, o->seconds, runner->width, o->narrow});
}

/* ---- Runs ----------------------------------------------------------------------------------------- */

/* Host memory that a column's run came to at most: what the program had before any column, what this one brought, and the run's
 * own. */
static void note_memory(struct rounds *r, const struct runner *runner, double before)
{
    struct subject *subject = &r->m->subjects[runner->c];
    struct cell *cell = cell_of(r, runner);
    size_t free_bytes, total;
    double bytes = r->m->base_bytes + subject->own_bytes + fmax(0, peak_resident_bytes() - before);
    subject->own_bytes += resident_bytes() - before;
    if (!isnan(subject->device_bytes))
        bytes = osp_session_memory(subject->session, &free_bytes, &total) ? NAN
                                                                          : (double)(total - free_bytes) - subject->device_bytes;
    if (isnan(cell->peak_bytes) || bytes > cell->peak_bytes)
        cell->peak_bytes = bytes;
}

static osp_status run(struct rounds *r, struct runner *runner, struct tally *tally)
{
    double before = resident_bytes(), waited = waited_for_cores();
    peak_reset();
    osp_status status = run_workload(r->m, runner->c, r->w, tally);
    waited = waited_for_cores() - waited;
    tally->waited = waited < 0 ? 0 : waited; /* below 0: a thread has ended meanwhile */
    if (status)
        return status;
    note_memory(r, runner, before);
    runner->spent += tally->total;
    return OSP_OK;
}

/* A failed run ends its column, and only that; except that a study that has no memory is of no use. */
static osp_status failed(struct rounds *r, struct runner *runner)
{
    struct cell *cell = cell_of(r, runner);
    runner->out = true;
    cell->partial = true;
    return measure_fail_column(r->m, runner->c);
}

/* What is paid once, from the first run of all. */
static void note_once(struct rounds *r, const struct runner *runner, const struct tally *tally)
{
    struct subject *subject = &r->m->subjects[runner->c];
    struct once *once = &r->m->study->columns[runner->c].once;
    struct osp_device_info device;
    if (subject->ran)
        return;
    subject->ran = true;
    osp_session_device(subject->session, &device);
    double loading = device.load_seconds - subject->load_seconds;
    once->plan = tally->plan;
    once->pack = fmax(0, tally->pack - loading);
    if (device.gpu)
        once->load_modules = loading;
    subject->first = tally->total - tally->plan - tally->pack + r->m->first_decode;
}

/* The run that pays for plan and packing. Where one run takes all the time that the column has, it is the sample too, less those.
 */
static osp_status warm(struct rounds *r, struct runner *runner)
{
    struct tally tally;
    osp_status status = run(r, runner, &tally);
    if (status)
        return failed(r, runner);
    note_once(r, runner, &tally);
    if (tally.total >= r->m->options.seconds) {
        tally.total -= tally.plan + tally.pack;
        status = run_record(r->m, runner->c, r->w, &tally);
        cell_of(r, runner)->partial = runner->out = true;
    }
    free(tally.layer_seconds);
    return status;
}

/* A column that comes near its limit has had its time; so a slow one does not wait for a narrow interval. */
static void judge(struct rounds *r, struct runner *runner)
{
    const struct measure_options *o = &r->m->options;
    struct cell *cell = cell_of(r, runner);
    int n = cell->total.count;
    if (n >= o->least && n >= runner->looked_at + runner->looked_at / 8) {
        struct estimate e = samples_location(&cell->total);
        runner->width = (e.high - e.low) / 2 / e.value;
        runner->looked_at = n;
    }
    if (n >= o->most || runner->spent + runner->spent / (n + 1) > o->seconds) {
        runner->out = true;
        cell->partial = !(runner->width <= o->narrow);
    }
}

static osp_status measured_run(struct rounds *r, struct runner *runner)
{
    struct tally tally;
    osp_status status = run(r, runner, &tally);
    if (status)
        return failed(r, runner);
    status = run_record(r->m, runner->c, r->w, &tally);
    free(tally.layer_seconds);
    judge(r, runner);
    return status;
}

/* ---- Rounds --------------------------------------------------------------------------------------- */

static bool wants_more(const struct rounds *r)
{
    bool any = false;
    for (int i = 0; i < r->count; i++)
        any = any || (!r->runners[i].out && !(r->runners[i].width <= r->m->options.narrow));
    return any && !signal_caught();
}

static void note_clock(const struct rounds *r, const struct runner *runner, bool first)
{
    struct cell *cell = cell_of(r, runner);
    struct osp_device_info device;
    if (!r->m->subjects[runner->c].session)
        return;
    osp_session_device(r->m->subjects[runner->c].session, &device);
    clock_and_heat(&device, first ? &cell->clock_mhz_first : &cell->clock_mhz_last, &cell->temperature);
}

/* Rounds until every column is narrow or out. */
static osp_status all_rounds(struct rounds *r)
{
    osp_status status = OSP_OK;
    for (r->round = 1; !status && wants_more(r); r->round++) {
        for (int i = 0; !status && i < r->count && !signal_caught(); i++) {
            struct runner *runner = &r->runners[(i + r->round) % r->count];
            if (runner->out)
                continue;
            tell(r, runner);
            status = measured_run(r, runner);
            if (r->round == 1)
                note_clock(r, runner, true);
        }
    }
    return status;
}

static osp_status measure_work(struct measure *m, int w, struct runner *runners, int count)
{
    struct rounds r = {m, w, 0, runners, count};
    osp_status status = OSP_OK;
    for (int i = 0; !status && i < count && !signal_caught(); i++) {
        tell(&r, &runners[i]);
        status = warm(&r, &runners[i]);
    }
    if (!status)
        status = all_rounds(&r);
    for (int i = 0; i < count; i++) {
        struct cell *cell = cell_of(&r, &runners[i]);
        note_clock(&r, &runners[i], false);
        if (signal_caught())
            cell->partial = cell->partial || !(runners[i].width <= m->options.narrow);
    }
    return status;
}

/* What of the first run was neither paid once and named, nor what every run costs. */
static void note_first_runs(struct measure *m)
{
    for (int c = 0; c < m->subject_count; c++) {
        struct column *column = &m->study->columns[c];
        for (int w = 0; isnan(column->once.first_run) && w < column->cell_count; w++)
            if (column->cells[w].total.count > 1 && !isnan(m->subjects[c].first)) {
                column->once.first_run = fmax(0, m->subjects[c].first - samples_median(&column->cells[w].total));
                break;
            }
    }
}

static const struct stage *find_stage(const struct cell *cell, const char *name)
{
    for (int i = 0; i < cell->stage_count; i++)
        if (!strcmp(cell->stages[i].name, name))
            return &cell->stages[i];
    return NULL;
}

/* Nodes that are launched one by one are timed from one's end to the next one's, gaps and all; the same network captured as a
 * graph has none. */
static void note_gaps(struct study *study, const struct column *graph)
{
    static const char suffix[] = ":graph";
    size_t length = strlen(graph->name);
    if (length < sizeof suffix || strcmp(graph->name + length - (sizeof suffix - 1), suffix) != 0)
        return;
    for (int c = 0; c < study->column_count; c++) {
        struct column *column = &study->columns[c];
        if (strlen(column->name) != length - (sizeof suffix - 1) || strncmp(column->name, graph->name, strlen(column->name)) != 0)
            continue;
        for (int w = 0; w < column->cell_count; w++) {
            struct cell *cell = &column->cells[w];
            const struct stage *whole = find_stage(&graph->cells[w], "network");
            double nodes = 0;
            for (int i = 0; i < cell->stage_count; i++)
                nodes += stage_is_host(cell->stages[i].name) ? 0 : samples_median(&cell->stages[i].seconds);
            if (cell->measured && whole)
                cell->gaps = fmax(0, nodes - samples_median(&whole->seconds));
        }
    }
}

osp_status measure_run(struct measure *m)
{
    osp_status status = OSP_OK;
    struct runner *runners = calloc(m->subject_count ? (size_t)m->subject_count : 1, sizeof *runners);
    if (!runners)
        return osp_fail(OSP_MEMORY, "out of memory while measuring");
    struct load before = load_now();
    for (int w = 0; !status && w < m->work_count && !signal_caught(); w++) {
        int count = 0;
        for (int c = 0; c < m->subject_count; c++) {
            const struct cell *cell = &m->study->columns[c].cells[w];
            if (m->subjects[c].session && !cell->measured && !cell->skipped)
                runners[count++] = (struct runner){.c = c, .width = NAN};
        }
        if (count)
            status = measure_work(m, w, runners, count);
    }
    free(runners);
    load_since(m, &before);
    note_first_runs(m);
    for (int c = 0; c < m->subject_count; c++)
        note_gaps(m->study, &m->study->columns[c]);
    for (int c = 0; m->options.peaks && c < m->subject_count && !signal_caught(); c++)
        column_measure_peaks(m, c);
    m->study->partial = m->study->partial || signal_caught();
    return status;
}
