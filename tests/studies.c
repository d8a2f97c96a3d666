#include "studies.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void studies_set(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
    assert_non_null(*field);
}

void studies_samples(struct samples *samples, double median, int count)
{
    static const double spread[STUDIES_ROUNDS] = {1.004, 0.998, 1, 1.002, 0.997, 1.001, 0.999, 1.006, 1, 0.998, 1.003, 0.996};
    samples->count = 0;
    for (int i = 0; i < count; i++)
        assert_int_equal(samples_add(samples, median * spread[i % STUDIES_ROUNDS]), OSP_OK);
}

struct stage *studies_stage(struct cell *cell, const char *name)
{
    for (int i = 0; i < cell->stage_count; i++)
        if (!strcmp(cell->stages[i].name, name))
            return &cell->stages[i];
    return NULL;
}

/* Shares of a run that sum to 1. */
static const struct {
    const char *name;
    double share;
    bool device;
} stages[] = {
    {"decode", 0.05, false}, {"upload", 0.02, true},     {"preprocess", 0.05, true}, {"body", 0.5, true},
    {"fpn", 0.1, true},      {"rpn", 0.08, true},        {"proposals", 0.02, true},  {"roi_align", 0.03, true},
    {"box_head", 0.1, true}, {"detections", 0.02, true}, {"download", 0.01, true},   {"postprocess", 0.01, false},
    {"host", 0.01, false},
};
enum { STAGES = sizeof stages / sizeof *stages };

static void add_stages(struct cell *cell, double total, bool gpu)
{
    cell->stages = calloc(STAGES, sizeof *cell->stages);
    assert_non_null(cell->stages);
    cell->stage_count = STAGES;
    for (int i = 0; i < STAGES; i++) {
        studies_set(&cell->stages[i].name, stages[i].name);
        cell->stages[i].device = gpu && stages[i].device;
        studies_samples(&cell->stages[i].seconds, total * stages[i].share, STUDIES_ROUNDS);
    }
}

static void add_layers(const struct column *column, struct cell *cell, double total)
{
    static const struct {
        const char *node, *stage, *op, *shape;
        double share;
    } made[] = {
        {"backbone.body.conv1", "body", "conv2d", "1x320x320x3 -> 1x160x160x64", 0.3},
        {"backbone.body.layer1", "body", "conv2d", "1x160x160x64 -> 1x160x160x64", 0.2},
        {"backbone.fpn.inner", "fpn", "conv2d", "1x80x80x256 -> 1x80x80x256", 0.1},
        {"roi_heads.box_head.fc6", "box_head", "linear", "1000x12544 -> 1000x1024", 0.1},
    };
    int count = sizeof made / sizeof *made;
    cell->layers = calloc((size_t)count, sizeof *cell->layers);
    assert_non_null(cell->layers);
    cell->layer_count = count;
    for (int i = 0; i < count; i++) {
        struct layer *layer = &cell->layers[i];
        char kernel[80];
        double seconds = total * made[i].share;
        snprintf(kernel, sizeof kernel, "%s/%s/%s", column->backend, made[i].op, column->gpu ? "register" : "tile");
        studies_set(&layer->node, made[i].node);
        studies_set(&layer->stage, made[i].stage);
        studies_set(&layer->op, made[i].op);
        studies_set(&layer->kernel, kernel);
        studies_set(&layer->shape, made[i].shape);
        studies_set(&layer->precision, "f32");
        layer->macs = layer->macs_done = 0.45 * column->peak_flops * seconds / 2;
        layer->bytes = (0.05 + 0.02 * i) * column->peak_bytes * seconds;
        layer->waves = column->gpu ? 3.8 : NAN;
        layer->occupancy = column->gpu ? 0.5 : NAN;
        studies_samples(&layer->seconds, seconds, STUDIES_ROUNDS);
    }
}

void studies_cell(struct column *column, int workload, double total, bool gpu)
{
    struct cell *cell = &column->cells[workload];
    cell->measured = true;
    studies_samples(&cell->total, total, STUDIES_ROUNDS);
    add_stages(cell, total, gpu);
    add_layers(column, cell, total);
    cell->arena_bytes = 40e6;
    cell->peak_bytes = 180e6;
    cell->gaps = gpu ? 0.05 * total : NAN;
    cell->clock_mhz_first = cell->clock_mhz_last = gpu ? 1590 : 3300;
}

static void describe(struct column *column, const char *backend, const char *device, int threads, bool gpu)
{
    studies_set(&column->backend, backend);
    studies_set(&column->device, device);
    studies_set(&column->kernels, "");
    studies_set(&column->precision, "f32");
    studies_set(&column->precisions, "f32");
    column->threads = threads;
    column->gpu = gpu;
    column->peak_flops = gpu ? 8e12 : 100e9 * threads;
    column->peak_bytes = gpu ? 300e9 : 17e9 * threads;
    column->link_bytes = gpu ? 12e9 : NAN;
    column->link_lanes = column->link_lanes_most = gpu ? 16 : 0;
    column->link_rate = column->link_rate_most = gpu ? 8 : NAN;
    column->once = (struct once){0.004, 0.012, gpu ? 0.02 : NAN, gpu ? 0.01 : NAN, 0.001, 0.02, 0.005};
}

static void add_study(struct study *study)
{
    struct machine *machine;
    study_init(study);
    studies_set(&study->command, "osprey compare photo.jpg");
    studies_set(&study->version, OSP_VERSION);
    studies_set(&study->commit, "0123456789ab");
    studies_set(&study->date, "2026-11-22T20:00:00Z");
    studies_set(&study->model_path, "models/demo/demo.safetensors");
    studies_set(&study->model_sha256, "5f2b1c0de7a94b3c8d6e1f0a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e");
    studies_set(&study->architecture, "fasterrcnn_mobilenet_v3_large_320_fpn");
    studies_set(&study->resize, "double");
    studies_set(&study->images, "photo.jpg");
    assert_int_equal(study_add_machine(study, &machine), OSP_OK);
    studies_set(&machine->host, "made-up");
    studies_set(&machine->cpu, "AMD EPYC 9R14");
    studies_set(&machine->isa, "avx512");
    studies_set(&machine->governor, "performance");
    studies_set(&machine->gpu, "NVIDIA T4");
    studies_set(&machine->driver, "550.54");
    studies_set(&machine->os, "Linux 6.1");
    machine->cores = machine->cores_allowed = 2;
    machine->cpu_mhz = 3300;
    machine->memory_bytes = 8.0 * (1 << 30);
    machine->core_wait = 0.01;
}

static struct workload *add_workload(struct study *study, const char *name, const char *sweep, int pictures, int side)
{
    struct workload *workload;
    assert_int_equal(study_add_workload(study, name, sweep, &workload), OSP_OK);
    workload->pictures = workload->batch = pictures;
    workload->chunks = 1;
    workload->height = workload->width = side;
    workload->megapixels = 0.26 * pictures;
    return workload;
}

static struct column *add_column(struct study *study, const char *name)
{
    struct column *column;
    assert_int_equal(study_add_column(study, name, &column), OSP_OK);
    return column;
}

void studies_healthy(struct study *out)
{
    struct break_even *even;
    add_study(out);
    add_workload(out, "1 picture", "single", 1, 320);
    add_workload(out, "batch 8", "batch", 8, 320);
    describe(add_column(out, "cpu"), "cpu", "AMD EPYC 9R14, 2 threads, avx512", 2, false);
    describe(add_column(out, "cuda"), "cuda", "NVIDIA T4, driver 550.54", 2, true);
    for (int w = 0; w < 2; w++) {
        studies_cell(&out->columns[0], w, w ? 0.8 : 0.1, false);
        studies_cell(&out->columns[1], w, w ? 0.06 : 0.01, true);
    }
    assert_int_equal(study_add_break_even(out, &even), OSP_OK);
    *even = (struct break_even){.a = 0, .b = 1, .with_start = 2, .without_start = 0, .batch = 1};
}

/* ---- The full one ------------------------------------------------------------------------------- */

static void add_detections(struct cell *cell, double shift, int count)
{
    cell->pictures = calloc(1, sizeof *cell->pictures);
    assert_non_null(cell->pictures);
    cell->picture_count = 1;
    cell->pictures[0].items = calloc((size_t)count, sizeof *cell->pictures[0].items);
    assert_non_null(cell->pictures[0].items);
    cell->pictures[0].count = count;
    for (int i = 0; i < count; i++)
        cell->pictures[0].items[i] = (struct osp_detection){
            1 + i % 3, 0.97f - 0.1f * (float)i, {(float)(20 + 60 * i + shift), 30, (float)(120 + 60 * i), 200}};
}

/* Noise of its own, so that ratios of columns have intervals. */
static void unsettle(struct samples *samples, int seed)
{
    for (int i = 0; i < samples->count; i++)
        samples->values[i] *= 1 + 0.01 * ((i * 7 + seed * 5) % 11 - 5);
}

static void add_agreement(struct study *study, int b, int missing, double box)
{
    struct agreement *agreement;
    assert_int_equal(study_add_agreement(study, &agreement), OSP_OK);
    *agreement = (struct agreement){.a = 0,
                                    .b = b,
                                    .matched = 4 - missing,
                                    .missing = missing,
                                    .box = box,
                                    .score = box / 100,
                                    .iou = 0.999,
                                    .agree = missing == 0,
                                    .box_bound = 1e-2,
                                    .score_bound = 1e-4,
                                    .first_difference = NAN,
                                    .first_bound = NAN};
    if (missing) {
        studies_set(&agreement->first_node, "backbone.body.layer2.0.conv1");
        agreement->first_difference = 0.31;
        agreement->first_bound = 2e-5;
    }
}

static void add_fit(struct study *study, int column, const char *sweep, double fixed, double each)
{
    struct fit *fit;
    assert_int_equal(study_add_fit(study, &fit), OSP_OK);
    fit->column = column;
    studies_set(&fit->sweep, sweep);
    fit->fixed = fixed;
    fit->each = each;
    fit->error = 0.021;
    fit->points = 6;
}

void studies_full(struct study *out)
{
    static const struct {
        const char *name, *backend, *device, *kernels;
        int threads;
        double picture, fixed; /* seconds; fixed: of a run, whatever it holds */
        bool gpu, emulated, foreign;
    } made[] = {
        {"cpu", "cpu", "AMD EPYC 9R14, 2 threads, avx512", "", 2, 0.0318, 0.002, false, false, false},
        {"cpu:threads=1", "cpu", "AMD EPYC 9R14, 1 thread, avx512", "", 1, 0.0579, 0.002, false, false, false},
        {"cpu:naive", "cpu", "AMD EPYC 9R14, 2 threads, avx512", "conv2d=naive", 2, 1.93, 0.002, false, false, false},
        {"onednn", "onednn", "AMD EPYC 9R14, 2 threads", "", 2, 0.0352, 0.003, false, false, false},
        {"cuda", "cuda", "NVIDIA T4, driver 550.54", "", 2, 0.0031, 0.0034, true, false, false},
        {"emu", "emu", "the emulator, 2 threads", "", 2, 19.4, 0, true, true, false},
        {"cuda:driver=ptx", "cuda", "the PTX driver, 2 threads", "", 2, 71.2, 0, true, true, false},
        {"OpenVINO <2026.4> & \"co\"", "openvino", "", "", 2, 0.0195, 0.004, false, false, true},
    };
    enum { COLUMNS = sizeof made / sizeof *made, BATCHES = 6 };
    char name[40];
    struct break_even *even;
    add_study(out);
    studies_set(&out->images, "<b>photos</b>/a&b.jpg");
    add_workload(out, "1 picture", "single", 1, 320);
    for (int b = 0; b < BATCHES; b++) {
        snprintf(name, sizeof name, "batch %d", 1 << b);
        add_workload(out, name, "batch", 1 << b, 320);
    }
    for (int side = 320; side <= 1280; side += 320) {
        snprintf(name, sizeof name, "%dx%d", side, side);
        add_workload(out, name, "size", 1, side);
    }
    for (int c = 0; c < COLUMNS; c++) {
        struct column *column = add_column(out, made[c].name);
        describe(column, made[c].backend, made[c].device, made[c].threads, made[c].gpu && !made[c].emulated);
        studies_set(&column->kernels, made[c].kernels);
        column->gpu = made[c].gpu;
        column->emulated = made[c].emulated;
        column->foreign = made[c].foreign;
        for (int w = 0; w < out->workload_count; w++) {
            const struct workload *workload = &out->workloads[w];
            double area = workload->height * workload->width / (320.0 * 320);
            if ((made[c].emulated && w > 0) || (made[c].foreign && workload->sweep[1] == 'i' && w > 0))
                continue;
            studies_cell(column, w, made[c].fixed + made[c].picture * workload->pictures * area, made[c].gpu);
        }
        if (made[c].emulated || made[c].foreign)
            column->peak_flops = column->peak_bytes = NAN;
        for (int w = 0; w < column->cell_count; w++) {
            unsettle(&column->cells[w].total, c);
            for (int i = 0; i < column->cells[w].stage_count; i++)
                unsettle(&column->cells[w].stages[i].seconds, c + 3 * i);
        }
        add_detections(&column->cells[0], c == 6 ? 3 : 0.001 * c, c == 6 ? 3 : 4);
        if (c > 0 && !made[c].foreign)
            add_agreement(out, c, c == 6, c == 6 ? 3 : 0.001 * c);
        if (!made[c].emulated)
            add_fit(out, c, "batch", made[c].fixed, made[c].picture);
        if (!made[c].emulated && !made[c].foreign)
            add_fit(out, c, "size", made[c].fixed, made[c].picture / 0.1024);
    }
    assert_int_equal(study_add_break_even(out, &even), OSP_OK);
    *even = (struct break_even){.a = 0, .b = 4, .with_start = 31.2, .without_start = 0, .batch = 1};
    studies_set(&add_column(out, "cudnn")->failure, "libcudnn.so.9 cannot be opened: no such file");
}
