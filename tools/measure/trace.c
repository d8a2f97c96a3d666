/* A run as a trace: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format). */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "statistics.h"
#include "tools/tools.h"

enum { HOST = 1, NETWORK = 2 }; /* the threads of a process */

struct trace {
    json_t *events;
    int process, run; /* a column; one of its runs */
    bool lost;
};

static void put(struct trace *trace, json_t *event)
{
    trace->lost = json_array_append_new(trace->events, event) != 0 || trace->lost;
}

static void put_name(struct trace *trace, const char *what, int thread, const char *name)
{
    put(trace,
        json_pack("{ss ss si si s{ss}}", "ph", "M", "name", what, "pid", trace->process, "tid", thread, "args", "name", name));
}

static void put_span(struct trace *trace, int thread, const char *category, const char *name, double start, double seconds,
                     json_t *args)
{
    put(trace, json_pack("{ss ss ss si si sf sf so}", "ph", "X", "name", name, "cat", category, "pid", trace->process, "tid",
                         thread, "ts", start * 1e6, "dur", seconds * 1e6, "args", args ? args : json_object()));
}

static double sample(const struct trace *trace, const struct samples *samples)
{
    return trace->run < samples->count ? samples->values[trace->run] : 0;
}

static void put_layers(struct trace *trace, const struct cell *cell, const char *stage, double at)
{
    for (int i = 0; i < cell->layer_count; i++) {
        const struct layer *layer = &cell->layers[i];
        double seconds = sample(trace, &layer->seconds);
        if (strcmp(layer->stage, stage) != 0)
            continue;
        put_span(trace, NETWORK, layer->op, layer->node, at, seconds,
                 json_pack("{ss ss ss sf sf sf}", "kernel", layer->kernel, "shape", layer->shape, "precision", layer->precision,
                           "GFLOP", 2 * layer->macs_done / 1e9, "MB", layer->bytes / 1e6, "GFLOP/s",
                           seconds > 0 ? 2 * layer->macs_done / seconds / 1e9 : 0.0));
        at += seconds;
    }
}

static void put_run(struct trace *trace, const struct column *column, const struct cell *cell)
{
    double at = 0;
    put_name(trace, "process_name", 0, column->name);
    put_name(trace, "thread_name", HOST, "host");
    put_name(trace, "thread_name", NETWORK, column->gpu ? "device" : "network");
    for (int i = 0; i < cell->stage_count; i++) {
        const struct stage *stage = &cell->stages[i];
        double seconds = sample(trace, &stage->seconds);
        int thread = stage_is_host(stage->name) ? HOST : NETWORK;
        put_span(trace, thread, "stage", stage->name, at, seconds, NULL);
        put_layers(trace, cell, stage->name, at);
        at += seconds;
    }
}

/* The run whose total is nearest to the median. */
static int median_run(const struct samples *total)
{
    double median = samples_median(total);
    int best = 0;
    for (int i = 1; i < total->count; i++)
        if (fabs(total->values[i] - median) < fabs(total->values[best] - median))
            best = i;
    return best;
}

static json_t *trace_json(const struct study *study)
{
    struct trace trace = {.events = json_array()};
    for (int c = 0; trace.events && c < study->column_count; c++) {
        const struct column *column = &study->columns[c];
        if (column->cell_count == 0 || !column->cells[0].measured)
            continue;
        trace.process = c + 1;
        trace.run = median_run(&column->cells[0].total);
        put_run(&trace, column, &column->cells[0]);
    }
    if (!trace.events || trace.lost) {
        json_decref(trace.events);
        return NULL;
    }
    return json_pack("{so ss s{ss ss ss ss ss}}", "traceEvents", trace.events, "displayTimeUnit", "ms", "otherData", "osprey",
                     study->version, "commit", study->commit, "date", study->date, "model_sha256", study->model_sha256,
                     "architecture", study->architecture);
}

osp_status study_write_trace(const struct study *study, const char *path)
{
    return result_write_json(path, trace_json(study), JSON_COMPACT);
}
