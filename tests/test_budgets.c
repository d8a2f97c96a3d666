/* The budgets of the rungs: sectors, passes over the banks, lanes, registers and shares of instructions that a change must not
 * make worse. Counted by osprey ladder on the emulator, and read from the machine code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "climbs.h"
#include "scratch.h"

enum { SECTOR = 32 }; /* bytes */

/* A kernel's budget: at most so many sectors for one that could hold what is moved, passes over the banks for one that could do
 * (0: it has no such requests), times the bytes of the problem's tensors in all its sectors, registers on sm_80; at least this
 * share of FFMA or MMA in its loop, and so many lanes of 32 in a request of global memory. As measured, with no room: what gets
 * worse must be looked at, what gets better is written here. Rows of one problem stand together: it is run once. */
#ifdef __clang__ /* the emulator counts the loads that the host's compiler left: each has a budget of its own */
#define PASSES(gcc, clang) clang
#else
#define PASSES(gcc, clang) gcc
#endif
static const struct budget {
    const char *op, *shape, *kernel;
    double sectors, wavefronts, share;
    int registers;
    double lanes, traffic;
} budgets[] = {
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_coalesced", 1.01, 0, 0.20, 48, 32, 127},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_shared", 1.01, 1.04, 0.30, 32, 31, 13.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_register_middle", 1.05, PASSES(1.02, 1.03), 0.80, 96, 31, 3.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_tf32_middle", 1.00, 1.00, 0.15, 136, 31, 3.0},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_f16_middle", 1.00, 1.00, 0.12, 186, 31, 2.5},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_bf16_middle", 1.00, 1.00, 0.15, 186, 31, 2.5},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_tf32_large", 1.00, 1.00, 0.25, 206, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_f16_large", 1.00, 1.00, 0.22, 244, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_bf16_large", 1.00, 1.00, 0.26, 244, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_register_large", 1.05, PASSES(1.02, 1.09), 0.89, 128, 31, 1.3},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_warp_large", 1.05, PASSES(1.02, 1.09), 0.90, 255, 0, 1.3},
    {"linear", "256x64,256", "linear_warp_large", 1.00, 1.02, 0.90, 255, 0, 1.5},
    {"linear", "256x64,256", "linear_tf32_large", 1.00, 1.00, 0.25, 206, 32, 1.7},
    {"linear", "256x64,256", "linear_f16_large", 1.00, 1.00, 0.22, 244, 32, 1.6},
    {"linear", "256x64,256", "linear_bf16_large", 1.00, 1.00, 0.26, 244, 32, 1.6},
    {"linear", "256x64,256", "linear_split_large", 1.00, 1.02, 0.90, 255, 0, 6.0},
    {"linear", "256x64,256", "linear_split_sum", 1.00, 0, 0, 40, 32, 6.7},
    {"linear", "32x128,128", "linear_register_small", 1.05, 1.02, 0.70, 64, 32, 1.6},
    {"roi_align", "1x25x34x256,8", "roi_align_naive", 1.00, 0, 0.04, 42, 32, 5.9},
    {"roi_align", "1x25x34x256,8", "roi_align_channels_by_four", 1.00, 0, 0.03, 48, 32, 5.5},
    {"roi_align", "1x25x34x256,8", "roi_align_taps_by_four", 1.00, 1.01, 0.08, 48, 32, 5.4},
    {"roi_align", "1x25x34x256,8", "roi_align_columns_by_four", 1.00, 1.01, 0.08, 104, 32, 1.1},
    {"nms", "1x1000,300", "nms_serial", 2.25, 20.76, 0.09, 32, 30, 614.1},
    {"nms", "1x1000,300", "nms_keys", 1.00, 0, 0, 14, 23, 0.6},
    {"nms", "1x1000,300", "nms_rank", 1.56, 1.00, 0, 30, 31, 5.9},
    {"nms", "1x1000,300", "nms_bitmask_compare", 1.00, 1.00, 0.11, 36, 31, 27.1},
    {"nms", "1x1000,300", "nms_bitmask_sweep", 1.00, 1.00, 0, 26, 7, 1.5},
    {"nms", "1x1000,300", "nms_write", 2.16, 0, 0, 20, 29, 1.2},
    {"nms", "1x1000,300", "nms_triangle_compare", 1.00, 1.00, 0.02, 32, 31, 16.5},
    {"nms", "1x1000,300", "nms_triangle_sweep", 1.00, 1.00, 0, 26, 7, 1.5},
    {"nms", "1x1000,300", "nms_warp_compare", 1.00, 1.00, 0.02, 32, 31, 16.5},
    {"nms", "1x1000,300", "nms_warp_sweep", 1.01, 0, 0, 64, 8, 1.5},
    {"nms", "1x4663,1000", "nms_triangle_sweep", 1.00, 1.00, 0, 26, 19, 3.7},
    {"nms", "1x4663,1000", "nms_warp_compare", 1.00, 1.00, 0.02, 32, 32, 58.3},
    {"nms", "1x4663,1000", "nms_warp_sweep", 1.01, 0, 0, 64, 27, 3.5},
};

static const json_t *find_kernel(const json_t *json, const char *name)
{
    const json_t *rung, *kernel;
    size_t i, k;
    json_array_foreach(json_object_get(json, "rungs"), i, rung) json_array_foreach(
        json_object_get(rung, "kernels"), k, kernel) if (!strcmp(text_of(kernel, "kernel"), name)) return kernel;
    return NULL;
}

static void within(const struct budget *b, const json_t *kernel, const char *space, const char *units, const char *ideal,
                   double most)
{
    const json_t *counts = json_object_get(kernel, space);
    double found = number_of(counts, units), least = number_of(counts, ideal);
    if (most > 0 ? !(least > 0 && found <= most * least) : found > 0)
        fail_msg("%s %s: %s: %.0f %s, where %.0f could do: more than %.2f times", b->op, b->shape, b->kernel, found, units, least,
                 most);
}

static void check_code(const struct budget *b, const json_t *code)
{
    const json_t *all = json_object_get(code, "all");
    if (number_of(code, "fma_share") < b->share || number_of(code, "registers") > b->registers || number_of(all, "LDL") > 0 ||
        number_of(all, "STL") > 0)
        fail_msg("%s: FMA share %.3f (%.2f or more), %g registers (%d or fewer), local memory %g and %g (none)", b->kernel,
                 number_of(code, "fma_share"), b->share, number_of(code, "registers"), b->registers, number_of(all, "LDL"),
                 number_of(all, "STL"));
}

/* bytes: of the problem's tensors */
static void check(const struct budget *b, const json_t *kernel, double bytes)
{
    const json_t *global = json_object_get(kernel, "global"), *code = json_object_get(kernel, "code");
    double lanes = number_of(global, "lanes"), requests = number_of(global, "requests");
    within(b, kernel, "global", "sectors", "ideal_sectors", b->sectors);
    within(b, kernel, "shared", "wavefronts", "ideal_wavefronts", b->wavefronts);
    if (lanes < b->lanes * requests)
        fail_msg("%s %s: %s: %.1f lanes of 32 in a request: fewer than %.1f", b->op, b->shape, b->kernel, lanes / requests,
                 b->lanes);
    if (number_of(global, "sectors") * SECTOR > b->traffic * bytes)
        fail_msg("%s %s: %s: its sectors are %.2f times the tensors: more than %.2f", b->op, b->shape, b->kernel,
                 number_of(global, "sectors") * SECTOR / bytes, b->traffic);
    if (code)
        check_code(b, code);
    else
        print_message("NOT RUN: the machine code of %s: built without nvcc\n", b->kernel);
}

static void kept(void **state)
{
    json_t *json = NULL;
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        const struct budget *b = &budgets[i];
        if (!json || strcmp(text_of(json, "op"), b->op) || strcmp(text_of(json, "shape"), b->shape)) {
            json_decref(json);
            json = climb_json(b->op, b->shape, "emu");
        }
        const json_t *kernel = find_kernel(json, b->kernel);
        if (!kernel)
            fail_msg("%s %s launches no %s: the table of budgets wants a look", b->op, b->shape, b->kernel);
        check(b, kernel, number_of(json, "bytes"));
    }
    json_decref(json);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept)};
    process_find(argv[0]);
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
