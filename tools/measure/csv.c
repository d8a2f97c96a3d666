/* A study as CSV: one line for each thing that was timed. */
#include <math.h>

#include "print.h"
#include "roofline.h"
#include "runtime/file.h"
#include "statistics.h"
#include "tools/tools.h"

/* What a line begins with. */
struct place {
    FILE *stream;
    const char *column, *workload;
};

static void put_texts(FILE *stream, const char *const *texts, int count)
{
    for (int i = 0; i < count; i++) {
        print_csv_field(stream, texts[i] ? texts[i] : "");
        fputc(',', stream);
    }
}

/* An empty field where nothing is known. */
static void put_numbers(FILE *stream, const double *values, int count)
{
    for (int i = 0; i < count; i++) {
        if (!isnan(values[i]))
            fprintf(stream, "%.9g", values[i]);
        fputs(i + 1 < count ? "," : "\r\n", stream);
    }
}

static void put_line(const struct place *place, const char *kind, const char *name, const struct layer *layer,
                     const struct samples *samples, const struct column *column)
{
    const char *texts[] = {place->column,
                           place->workload,
                           kind,
                           name,
                           layer ? layer->op : "",
                           layer ? layer->kernel : "",
                           layer ? layer->shape : ""};
    struct estimate e = samples_location(samples);
    double median = samples_median(samples), flop = layer ? 2 * layer->macs_done : NAN, bytes = layer ? layer->bytes : NAN;
    double numbers[] = {samples->count,
                        median,
                        samples_quantile(samples, 0.1),
                        samples_quantile(samples, 0.9),
                        samples_quantile(samples, 0.99),
                        e.low,
                        e.high,
                        flop,
                        bytes,
                        median > 0 ? flop / median : NAN,
                        median > 0 ? bytes / median : NAN,
                        layer ? roofline_share(column, layer, median) : NAN};
    put_texts(place->stream, texts, sizeof texts / sizeof *texts);
    put_numbers(place->stream, numbers, sizeof numbers / sizeof *numbers);
}

static void put_once(const struct place *place, const struct column *column)
{
    const struct once *once = &column->once;
    const struct {
        const char *name;
        double seconds;
    } lines[] = {{"program_start", once->program_start},
                 {"open_model", once->open_model},
                 {"open_device", once->open_device},
                 {"load_modules", once->load_modules},
                 {"plan", once->plan},
                 {"pack", once->pack},
                 {"first_run", once->first_run}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        double seconds = lines[i].seconds;
        if (!isnan(seconds))
            put_line(place, "once", lines[i].name, NULL, &(struct samples){&seconds, 1, 1}, column);
    }
}

static void put_column(FILE *stream, const struct study *study, const struct column *column)
{
    put_once(&(struct place){stream, column->name, ""}, column);
    for (int w = 0; w < column->cell_count; w++) {
        const struct cell *cell = &column->cells[w];
        const struct place place = {stream, column->name, study->workloads[w].name};
        if (!cell->measured)
            continue;
        put_line(&place, "total", "total", NULL, &cell->total, column);
        for (int i = 0; i < cell->stage_count; i++)
            put_line(&place, "stage", cell->stages[i].name, NULL, &cell->stages[i].seconds, column);
        for (int i = 0; i < cell->layer_count; i++)
            put_line(&place, "layer", cell->layers[i].node, &cell->layers[i], &cell->layers[i].seconds, column);
    }
}

osp_status study_write_csv(const struct study *study, const char *path)
{
    struct osp_writer writer;
    osp_status status = result_open(path, &writer);
    if (status)
        return status;
    fprintf(writer.stream, "# osprey %s (%s), %s, %s, %s on %s%s\r\n", study->version, study->commit, study->date,
            study->architecture, study->model_sha256, study->machine_count ? study->machines[0].cpu : "",
            study->partial ? ", stopped by a signal" : "");
    fputs(
        "column,workload,kind,name,op,kernel,shape,runs,median,p10,p90,p99,low,high,flop,bytes,flop_per_second,bytes_per_second,"
        "of_roof\r\n",
        writer.stream);
    for (int c = 0; c < study->column_count; c++)
        put_column(writer.stream, study, &study->columns[c]);
    return result_commit(&writer);
}
