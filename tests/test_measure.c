/* Measuring: what is recorded, of whom, and how it ends. No test here looks at how long anything took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"
#include "schema.h"
#include "scratch.h"
#include "tools/measure/measure.h"
#include "tools/measure/roofline.h"

#define PHOTO  OSP_SOURCE "/models/demo/astronaut.png"
#define OTHER  OSP_SOURCE "/models/demo/camera.png"
#define SCHEMA OSP_SOURCE "/tools/measure/study.schema.json"

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

struct rig {
    struct study study;
    struct measure *m;
};

static struct measure_options quick(void)
{
    return (struct measure_options){.least = 3, .most = 3, .seconds = 60, .narrow = 1e-9, .layers = true, .drawing = true};
}

static void begin_with(struct rig *rig, const char *model, const struct measure_options *options)
{
    study_init(&rig->study);
    must(measure_new(model, options, &rig->study, &rig->m));
    must(measure_add_file(rig->m, PHOTO));
    must(measure_add_file(rig->m, OTHER));
}

static void begin(struct rig *rig, const struct measure_options *options) { begin_with(rig, NULL, options); }

/* With few proposals, for backends that emulate. */
static void begin_small(struct rig *rig, const struct measure_options *options)
{
    struct osp_model *model;
    must(network_open_small(&model)); /* it writes the file */
    osp_model_close(model);
    begin_with(rig, at("small.safetensors"), options);
}

static void end(struct rig *rig)
{
    measure_free(rig->m);
    study_free(&rig->study);
}

static int add_column(struct rig *rig, const char *spec)
{
    int column = -1;
    must(measure_add_column(rig->m, spec, &column));
    return column;
}

/* ---- One column ----------------------------------------------------------------------------------- */

static void check_stages(const struct cell *cell, int rounds, bool device)
{
    static const char *const names[] = {"decode",    "upload",   "preprocess", "body",     "fpn",         "rpn",  "proposals",
                                        "roi_align", "box_head", "detections", "download", "postprocess", "host", "drawing"};
    enum { STAGES = sizeof names / sizeof *names };
    assert_int_equal(cell->stage_count, STAGES);
    for (int i = 0; i < STAGES; i++) {
        assert_string_equal(cell->stages[i].name, names[i]);
        assert_int_equal(cell->stages[i].seconds.count, rounds);
        assert_int_equal(cell->stages[i].device, device && i > 0 && i < STAGES - 3);
    }
    assert_int_equal(cell->total.count, rounds);
    assert_true(cell->waited.count == 0 || cell->waited.count == rounds);
    for (int r = 0; r < rounds; r++) {
        double sum = 0;
        for (int i = 0; i < STAGES - 1; i++) {
            assert_true(cell->stages[i].seconds.values[r] >= 0);
            sum += cell->stages[i].seconds.values[r];
        }
        assert_true(fabs(sum - cell->total.values[r]) < 1e-9 + 1e-6 * sum);
    }
}

/* The layers of a stage sum to it, and their work to the network's. */
static void check_layers(const struct cell *cell, const struct osp_plan *plan)
{
    assert_int_equal(cell->layer_count, osp_plan_lines(plan));
    for (int s = 2; s < 10; s++) {
        double sum = 0;
        for (int i = 0; i < cell->layer_count; i++)
            if (!strcmp(cell->layers[i].stage, cell->stages[s].name))
                sum += cell->layers[i].seconds.values[0];
        assert_true(fabs(sum - cell->stages[s].seconds.values[0]) < 1e-9);
    }
    for (int i = 0; i < cell->layer_count; i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        assert_string_equal(cell->layers[i].node, line.node);
        assert_string_equal(cell->layers[i].kernel, line.kernel);
        assert_string_equal(cell->layers[i].precision, "f32");
        assert_true(cell->layers[i].macs == line.macs && cell->layers[i].bytes == line.bytes);
        assert_true(cell->layers[i].macs_done <= cell->layers[i].macs);
    }
}

static void one_column(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    int w;
    begin(&rig, &options);
    int c = add_column(&rig, "cpu:threads=1");
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    must(measure_run(rig.m));
    const struct column *column = &rig.study.columns[c];
    const struct cell *cell = &column->cells[w];
    assert_true(cell->measured && !rig.study.partial && !column->failure);
    assert_true(cell->partial); /* three rounds cannot be as narrow as 1e-9 */
    check_stages(cell, 3, false);
    check_layers(cell, osp_session_last_plan(measure_session(rig.m, c)));
    assert_int_equal(cell->picture_count, 1);
    assert_true(cell->pictures[0].count >= 1);
    assert_int_equal(cell->pictures[0].items[0].label, 1);
    assert_true(fabsf(cell->pictures[0].items[0].score - 0.998256f) < 1e-4f);
    assert_true(cell->arena_bytes > 1e6 && cell->peak_bytes > cell->arena_bytes);
    assert_true(column->once.plan > 0 && column->once.pack > 0 && column->once.open_model > 0 && column->once.open_device > 0);
    assert_true(isnan(column->once.load_modules) && isnan(column->once.program_start));
    assert_int_equal(column->threads, 1);
    assert_false(column->gpu || column->emulated || column->foreign);
    assert_non_null(strstr(column->device, "1 thread, "));
    assert_string_equal(rig.study.machines[0].cpu[0] ? "yes" : "no", "yes");
    assert_int_equal(rig.study.workloads[w].height, 320);
    assert_int_equal(rig.study.workloads[w].width, 320);
    assert_true(fabs(rig.study.workloads[w].megapixels - 512 * 512 / 1e6) < 1e-9);
    end(&rig);
}

/* ---- Batches, chunks, sizes ------------------------------------------------------------------------ */

static void same_boxes(const struct picture_result *a, const struct picture_result *b)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].label, b->items[i].label);
        assert_memory_equal(a->items[i].box, b->items[i].box, sizeof a->items[i].box);
    }
}

static void workloads(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    int one, five, cut, small;
    options.least = options.most = 1;
    begin(&rig, &options);
    int c = add_column(&rig, "cpu");
    must(measure_add_work(rig.m, "one by one", "article-2", &(struct work){.pictures = 5, .batch = 1}, &one));
    must(measure_add_work(rig.m, "batch 2", "batch", &(struct work){.pictures = 5, .batch = 2}, &five));
    must(measure_add_work(rig.m, "batch 4, cut", "batch", &(struct work){.pictures = 5, .batch = 4, .chunks = 3}, &cut));
    must(measure_add_work(rig.m, "small", "size", &(struct work){.min_size = 160, .max_size = 160}, &small));
    must(measure_run(rig.m));
    const struct cell *cells = rig.study.columns[c].cells;
    for (int w = one; w <= cut; w++) {
        assert_true(cells[w].measured);
        assert_int_equal(cells[w].total.count, 1);
        assert_int_equal(cells[w].picture_count, 5);
        assert_int_equal(rig.study.workloads[w].pictures, 5);
        for (int i = 0; i < 5; i++) /* both pictures are squares: no batch pads, so no box differs */
            same_boxes(&cells[w].pictures[i], &cells[one].pictures[i % 2]);
        assert_true(fabs(cells[w].layers[1].macs - cells[one].layers[1].macs) < 1); /* the same work, however it is cut */
    }
    assert_int_equal(rig.study.workloads[cut].chunks, 3);
    assert_int_equal(rig.study.workloads[small].height, 160);
    assert_true(cells[small].layers[1].macs * 4 * 5 == cells[one].layers[1].macs);
    must(measure_run(rig.m)); /* nothing is left to measure */
    assert_int_equal(cells[one].total.count, 1);
    end(&rig);
}

static void works_that_mean_nothing(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    int w;
    study_init(&rig.study);
    must(measure_new(NULL, &options, &rig.study, &rig.m));
    assert_int_equal(measure_add_work(rig.m, "x", "single", &(struct work){0}, &w), OSP_USAGE);
    assert_non_null(strstr(osp_message(), "no picture"));
    must(measure_add_file(rig.m, PHOTO));
    assert_int_equal(measure_add_work(rig.m, "x", "single", &(struct work){.pictures = 2, .batch = 3}, &w), OSP_USAGE);
    assert_int_equal(measure_add_work(rig.m, "x", "single", &(struct work){.pictures = 2, .chunks = 3}, &w), OSP_USAGE);
    assert_int_equal(measure_add_file(rig.m, at("absent.png")), OSP_UNREADABLE);
    put_file(at("text.png"), "text", 4);
    assert_int_equal(measure_add_file(rig.m, at("text.png")), OSP_BAD_IMAGE);
    assert_int_equal(measure_pictures(rig.m), 1);
    assert_int_equal(rig.study.workload_count, 0);
    end(&rig);
}

/* ---- Several columns ------------------------------------------------------------------------------- */

struct order {
    char text[256];
};

static void note_order(void *user, const struct measure_progress *progress)
{
    struct order *order = user;
    size_t at = strlen(order->text);
    snprintf(order->text + at, sizeof order->text - at, "%d%s ", progress->round, progress->column + strlen("cpu:threads="));
}

static void columns_take_turns(void **state)
{
    struct rig rig;
    struct order order = {""};
    struct measure_options options = quick();
    int w;
    options.progress = note_order;
    options.user = &order;
    begin(&rig, &options);
    for (int i = 1; i <= 3; i++) {
        char spec[32];
        snprintf(spec, sizeof spec, "cpu:threads=%d", i);
        add_column(&rig, spec);
    }
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    rig.study.columns[1].cells[w].skipped = strdup("left out");
    must(measure_run(rig.m));
    assert_string_equal(order.text, "01 03 13 11 21 23 33 31 ");
    assert_false(rig.study.columns[1].cells[w].measured);
    end(&rig);
}

static void a_slow_column_has_one_run(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    int w;
    options.seconds = 1e-6;
    begin(&rig, &options);
    add_column(&rig, "cpu");
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    must(measure_run(rig.m));
    const struct cell *cell = &rig.study.columns[0].cells[w];
    assert_true(cell->measured && cell->partial);
    check_stages(cell, 1, false);
    end(&rig);
}

static void columns_that_cannot_be(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    int c, w;
    begin(&rig, &options);
    assert_int_equal(measure_add_column(rig.m, "gpu", &c), OSP_USAGE);
    assert_int_equal(rig.study.column_count, 0);
    must(measure_add_column(rig.m, "cuda:driver=/no/such/driver.so", &c)); /* its column says why */
    assert_non_null(strstr(rig.study.columns[c].failure, "/no/such/driver.so"));
    assert_null(measure_session(rig.m, c));
    add_column(&rig, "cpu");
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    must(measure_run(rig.m));
    assert_false(rig.study.columns[0].cells[w].measured);
    assert_true(rig.study.columns[1].cells[w].measured);
    end(&rig);
}

/* On the driver that interprets PTX: it knows the kernels' registers, and so how many blocks a multiprocessor would hold. The
 * emulator does not, and a CPU has none. */
static void layers_say_how_they_fill_a_gpu(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    struct study read;
    int w;
    options.most = options.least = 1;
    begin_small(&rig, &options);
    add_column(&rig, "emu");
    add_column(&rig, "cpu");
    if (*CUDA_NVCC)
        add_column(&rig, "cuda:driver=ptx");
    else
        print_message("NOT RUN on the PTX driver: the program holds no kernels, for want of nvcc\n");
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    must(measure_run(rig.m));
    must(study_save(&rig.study, at("study.json")));
    must(study_load(at("study.json"), &read));
    for (int c = 0; c < read.column_count; c++) {
        const struct cell *cell = &read.columns[c].cells[w];
        assert_null(read.columns[c].failure);
        assert_true(cell->layer_count > 0);
        for (int i = 0; i < cell->layer_count; i++) {
            const struct layer *layer = &cell->layers[i];
            if (c < 2)
                assert_true(isnan(layer->waves) && isnan(layer->occupancy));
            else
                assert_true(layer->waves > 0 && layer->occupancy > 0 && layer->occupancy <= 1);
        }
    }
    study_free(&read);
    end(&rig);
}

/* The emulator is timed by the device's clock, and said to be no GPU. A graph has no layers, and one stage. */
static void emulated_columns(void **state)
{
    struct rig rig;
    struct measure_options options = quick();
    char why[512];
    int w;
    options.most = options.least = 1;
    begin_small(&rig, &options);
    add_column(&rig, "emu");
    add_column(&rig, "emu:graph");
    must(measure_add_work(rig.m, "1 picture", "single", &(struct work){0}, &w));
    must(measure_run(rig.m));
    for (int c = 0; c < 2; c++) {
        const struct column *column = &rig.study.columns[c];
        assert_null(column->failure);
        assert_true(column->gpu && column->emulated && column->cells[w].measured);
        assert_true(column->once.load_modules >= 0);
        assert_non_null(strstr(column->device, "emulator"));
    }
    check_stages(&rig.study.columns[0].cells[w], 1, true);
    const struct cell *graph = &rig.study.columns[1].cells[w];
    assert_true(rig.study.columns[0].cells[w].gaps >= 0 && isnan(graph->gaps));
    assert_int_equal(graph->layer_count, 0);
    assert_string_equal(graph->stages[2].name, "network");
    assert_true(graph->stages[2].device);
    must(study_save(&rig.study, at("study.json")));
    if (!schema_accepts_file(SCHEMA, at("study.json"), why, sizeof why))
        fail_msg("%s", why);
    end(&rig);
}

/* ---- The roofline ---------------------------------------------------------------------------------- */

static void rooflines(void **state)
{
    static const struct roofline_code *const codes[] = {&roofline_portable, &roofline_avx2, &roofline_avx512};
    double flops, bytes, again_flops, again_bytes;
    roofline_measure(1, "portable", &flops, &bytes);
    assert_true(flops > 1e8 && bytes > 1e8);
    roofline_measure(1, "portable", &again_flops, &again_bytes);
    assert_true(flops == again_flops && bytes == again_bytes);
    roofline_measure(1, "z80", &flops, &bytes);
    assert_true(isnan(flops) && isnan(bytes));
    for (int i = 0; i < 3; i++) { /* what they claim to have done is what they did */
        static const int lanes[] = {4, 8, 16};
        static float from[1000], to[1000];
        float data[64] = {0}, sum = 0;
        if ((i == 1 && !__builtin_cpu_supports("avx2")) || (i == 2 && !__builtin_cpu_supports("avx512f")))
            continue;
        assert_true(codes[i]->fma(10, data) == 10 * 12 * 2 * lanes[i]);
        for (int k = 0; k < 1000; k++)
            from[k] = (float)k;
        assert_true(codes[i]->copy(to, from, 1000) == 2 * 4.0 * (1000 / lanes[i] * lanes[i]));
        assert_memory_equal(to, from, sizeof(float) * (size_t)(1000 / lanes[i] * lanes[i]));
        assert_true(codes[i]->read(from, 1000, &sum) == 4.0 * (1000 / (4 * lanes[i]) * 4 * lanes[i]));
    }
    struct column column = {.peak_flops = 100, .peak_bytes = 10};
    struct layer compute = {.macs_done = 100, .bytes = 10}, memory = {.macs_done = 1, .bytes = 10};
    assert_true(roofline_share(&column, &compute, 4) == 0.5);
    assert_true(roofline_share(&column, &memory, 4) == 0.25);
    assert_true(isnan(roofline_share(&column, &memory, 0)));
    column.peak_bytes = NAN;
    assert_true(isnan(roofline_share(&column, &memory, 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_column, scratch_empty),
        cmocka_unit_test_teardown(workloads, scratch_empty),
        cmocka_unit_test_teardown(works_that_mean_nothing, scratch_empty),
        cmocka_unit_test_teardown(columns_take_turns, scratch_empty),
        cmocka_unit_test_teardown(a_slow_column_has_one_run, scratch_empty),
        cmocka_unit_test_teardown(columns_that_cannot_be, scratch_empty),
        cmocka_unit_test_teardown(emulated_columns, scratch_empty),
        cmocka_unit_test_teardown(layers_say_how_they_fill_a_gpu, scratch_empty),
        cmocka_unit_test(rooflines),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
