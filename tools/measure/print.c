#include "print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "roofline.h"
#include "statistics.h"

enum { NAME = 22 };

bool stage_is_host(const char *name)
{
    static const char *const host[] = {"decode", "upload", "download", "postprocess", "host", "drawing"};
    for (size_t i = 0; i < sizeof host / sizeof *host; i++)
        if (!strcmp(name, host[i]))
            return true;
    return false;
}

/* ---- Once ----------------------------------------------------------------------------------------- */

static void print_once_line(const char *what, double seconds)
{
    if (!isnan(seconds))
        printf("  %-*s %12.3f\n", NAME, what, seconds * 1e3);
}

static void print_once(const struct once *once)
{
    printf("milliseconds, once\n");
    print_once_line("program start", once->program_start);
    print_once_line("open model", once->open_model);
    print_once_line("open device", once->open_device);
    print_once_line("load modules", once->load_modules);
    print_once_line("plan", once->plan);
    print_once_line("pack weights", once->pack);
    print_once_line("first run, more", once->first_run);
}

/* ---- Stages --------------------------------------------------------------------------------------- */

static void print_samples(const char *name, const struct samples *samples, double total)
{
    double median = samples_median(samples);
    printf("  %-*s %12.3f %12.3f %12.3f %12.3f", NAME, name, median * 1e3, samples_quantile(samples, 0.1) * 1e3,
           samples_quantile(samples, 0.9) * 1e3, samples_quantile(samples, 0.99) * 1e3);
    if (total > 0)
        printf(" %7.1f %%", median / total * 100);
    putchar('\n');
}

static void print_stages(const struct cell *cell, const struct workload *workload)
{
    double total = samples_median(&cell->total);
    struct estimate e = samples_location(&cell->total);
    printf("%s, %.2f megapixels, network input %dx%d: %d run%s%s\n", workload->name, workload->megapixels, workload->height,
           workload->width, cell->total.count, cell->total.count == 1 ? "" : "s",
           cell->partial ? ", ended before the interval was narrow" : "");
    printf("  %-*s %12s %12s %12s %12s %9s\n", NAME, "milliseconds", "median", "p10", "p90", "p99", "share");
    for (int i = 0; i < cell->stage_count; i++)
        if (strcmp(cell->stages[i].name, "drawing") != 0)
            print_samples(cell->stages[i].name, &cell->stages[i].seconds, total);
    print_samples("total", &cell->total, total);
    for (int i = 0; i < cell->stage_count; i++)
        if (!strcmp(cell->stages[i].name, "drawing"))
            print_samples("and drawing the boxes", &cell->stages[i].seconds, 0);
    if (!isnan(e.low))
        printf("  99 %% interval of the total: %.3f to %.3f\n", e.low * 1e3, e.high * 1e3);
    int busy = 0;
    for (int r = 0; r < cell->total.count; r++)
        busy += run_was_disturbed(cell, r);
    if (busy)
        printf("  in %d of them other programs took the cores for a time\n", busy);
    printf("  memory: arena %.1f MB", cell->arena_bytes / 1e6);
    if (!isnan(cell->peak_bytes))
        printf(", at most %.1f MB in all", cell->peak_bytes / 1e6);
    putchar('\n');
}

/* ---- Layers --------------------------------------------------------------------------------------- */

static void print_number(double value, int decimals, int width)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, decimals, value);
}

static void print_layers(const struct column *column, const struct cell *cell)
{
    if (cell->layer_count == 0)
        return;
    if (isnan(column->peak_flops) || isnan(column->peak_bytes))
        printf("layers; the roof is not known of this device\n");
    else
        printf("layers; the roof is %.1f GFLOP/s and %.1f GB/s, as measured\n", column->peak_flops / 1e9,
               column->peak_bytes / 1e9);
    printf("  %-44s %-28s %9s %9s %9s %9s %8s %8s  %s\n", "node", "kernel", "ms", "GFLOP", "MB", "GFLOP/s", "GB/s", "of roof",
           "shape");
    for (int i = 0; i < cell->layer_count; i++) {
        const struct layer *layer = &cell->layers[i];
        double seconds = samples_median(&layer->seconds), flop = 2 * layer->macs_done;
        printf("  %-44s %-28s %9.3f %9.4f %9.3f", layer->node, layer->kernel, seconds * 1e3, flop / 1e9, layer->bytes / 1e6);
        print_number(seconds > 0 ? flop / seconds / 1e9 : NAN, 1, 9);
        print_number(seconds > 0 ? layer->bytes / seconds / 1e9 : NAN, 1, 8);
        print_number(roofline_share(column, layer, seconds) * 100, 1, 6);
        printf(" %%  %s\n", layer->shape);
    }
}

/* ---- Columns -------------------------------------------------------------------------------------- */

static void print_column(const struct study *study, const struct column *column, bool layers)
{
    printf("%s%s: %s%s%s, %s\n", column->name, column->emulated ? " (emulated: no GPU is this slow, or this fast)" : "",
           column->device ? column->device : "", column->kernels && *column->kernels ? ", " : "",
           column->kernels ? column->kernels : "", column->precision ? column->precision : "f32");
    if (column->failure)
        printf("failed: %s\n", column->failure);
    print_once(&column->once);
    if (!isnan(column->link_bytes))
        printf("  link: %.2f GB/s to the device\n", column->link_bytes / 1e9);
    for (int w = 0; w < column->cell_count; w++) {
        if (!column->cells[w].measured)
            continue;
        print_stages(&column->cells[w], &study->workloads[w]);
        if (layers)
            print_layers(column, &column->cells[w]);
    }
    putchar('\n');
}

static void print_ratio(const struct study *study, int w, int c)
{
    const struct column *first = &study->columns[0], *column = &study->columns[c];
    if (!first->cells[w].measured || !column->cells[w].measured)
        return;
    struct estimate e = samples_ratio(&column->cells[w].total, &first->cells[w].total);
    printf("  %-*s takes %.3f times as long as %s", NAME, column->name, e.value, first->name);
    if (isnan(e.low))
        printf("; too few runs for an interval");
    else
        printf(" (99 %%: %.3f to %.3f)%s", e.low, e.high, estimate_is_noise(&e) ? ": inside the noise" : "");
    putchar('\n');
}

void study_print(const struct study *study, bool layers)
{
    for (int c = 0; c < study->column_count; c++)
        print_column(study, &study->columns[c], layers);
    for (int w = 0; study->column_count > 1 && w < study->workload_count; w++)
        for (int c = 1; c < study->column_count; c++)
            print_ratio(study, w, c);
    if (study->partial)
        printf("stopped by a signal: these are the runs until then\n");
}
