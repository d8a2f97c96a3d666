/* The budgets of the rungs: sectors, passes over the banks, lanes, registers and shares of instructions that a change must not
 * make worse. Counted by osprey ladder on the emulator, and read from the machine code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "climbs.h"
#include "runtime/backend.h"
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
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_naive", 6.32, 0, 0.18, 48, 29, 810},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_coalesced", 1.01, 0, 0.20, 48, 32, 127},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_shared", 1.01, 1.04, 0.30, 32, 31, 13.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_register", 1.01, PASSES(1.01, 1.10), 0.43, 48, 31, 3.9},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_wide_middle", 1.05, PASSES(1.02, 1.03), 0.80, 96, 31, 3.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_buffered_middle", 1.01, PASSES(1.01, 1.10), 0.78, 120, 31, 3.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_warp_narrow", 1.01, PASSES(1.01, 1.10), 0.83, 179, 31, 4.5},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_winograd_input", 1.01, 0, 0, 60, 31, 0.8},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_winograd_small", 1.01, PASSES(1.01, 1.10), 0.66, 100, 31, 3.5},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_winograd_output", 1.01, 1.01, 0, 62, 31, 1.7},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_tf32_middle", 1.00, 1.00, 0.15, 136, 31, 3.0},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_f16_middle", 1.00, 1.00, 0.12, 186, 31, 2.5},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_bf16_middle", 1.00, 1.00, 0.15, 186, 31, 2.5},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_tf32_large", 1.00, 1.00, 0.25, 206, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_f16_large", 1.00, 1.00, 0.22, 244, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_bf16_large", 1.00, 1.00, 0.26, 244, 30, 1.7},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_wide_large", 1.05, PASSES(1.02, 1.09), 0.89, 128, 31, 1.3},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_buffered_large", 1.01, PASSES(1.01, 1.10), 0.86, 149, 31, 1.4},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_warp_large", 1.05, PASSES(1.02, 1.09), 0.90, 255, 0, 1.3},
    {"linear", "256x64,256", "linear_warp_large", 1.00, 1.02, 0.90, 255, 0, 1.5},
    {"linear", "256x64,256", "linear_tf32_large", 1.00, 1.00, 0.25, 206, 32, 1.7},
    {"linear", "256x64,256", "linear_f16_large", 1.00, 1.00, 0.22, 244, 32, 1.6},
    {"linear", "256x64,256", "linear_bf16_large", 1.00, 1.00, 0.26, 244, 32, 1.6},
    {"linear", "256x64,256", "linear_split_large", 1.00, 1.02, 0.90, 255, 0, 6.0},
    {"linear", "256x64,256", "linear_split_sum", 1.00, 0, 0, 40, 32, 6.7},
    {"linear", "32x128,128", "linear_naive", 1.00, 0, 0.22, 48, 32, 27},
    {"linear", "32x128,128", "linear_rows", 1.00, 1.00, 0.37, 32, 32, 3.7},
    {"linear", "32x128,128", "linear_register_small", 1.05, 1.02, 0.70, 64, 32, 1.6},
    {"roi_align", "1x25x34x256,8", "roi_align_naive", 1.00, 0, 0.04, 42, 32, 5.9},
    {"roi_align", "1x25x34x256,8", "roi_align_channels_by_four", 1.00, 0, 0.03, 48, 32, 5.5},
    {"roi_align", "1x25x34x256,8", "roi_align_taps_by_four", 1.00, 1.01, 0, 48, 32, 5.4},
    {"roi_align", "1x25x34x256,8", "roi_align_columns_by_four", 1.00, 1.01, 0, 104, 32, 1.1},
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
    {"nms", "1x4663,1000", "nms_warp_compare", 1.00, 1.00, 0.02, 32, 32, PASSES(58.3, 60.3)},
    {"nms", "1x4663,1000", "nms_warp_sweep", 1.01, 0, 0, 64, 27, 3.5},
    {"topk", "1x50x68x3,1000", "topk_sort", 1.57, 0, 0, 26, 22, 418.4},
    {"topk", "1x50x68x3,1000", "topk_count", PASSES(1.51, 4.14), 1.41, 0, 32, 25, PASSES(5.6, 15.8)},
    {"topk", "1x50x68x3,1000", "topk_gather", 1.05, 0, 0, 30, 13, 1.5},
    {"topk", "1x50x68x3,1000", "topk_finish", 2.39, 1.58, 0, 32, 31, 1.0},
    {"depthwise", "1x20x28x184,3,1", "depthwise_naive", 1.00, 0, 0.09, 48, 31, 9.5},
    {"depthwise", "1x20x28x184,3,1", "depthwise_channels_3", 1.00, 0, 0.53, 72, 31, 4.2},
    {"depthwise", "1x20x28x184,5,2", "depthwise_channels_5s2", 1.00, 0, 0.43, 108, 29, 4.1},
    {"maxpool", "1x48x64x64,3,2", "maxpool_naive", 1.00, 0, 0, 40, 32, 2.0},
    {"maxpool", "1x48x64x64,3,2", "maxpool_wide_4", 1.00, 0, 0, 40, 31, 2.0},
    {"avgpool", "1x20x28x480", "avgpool_naive", 1.00, 0, 0, 32, 32, 1.0},
    {"avgpool", "1x20x28x480", "avgpool_rows", 1.00, 1.00, 0, 29, 32, 1.0},
    {"scale", "1x20x28x480", "scale_naive", 1.00, 0, 0, 22, 32, 1.5},
    {"scale", "1x20x28x480", "scale_wide", 1.00, 0, 0, 19, 32, 1.5},
    {"upsample_add", "1x20x28x256", "upsample_add_naive", 1.00, 0, 0, 28, 32, 1.4},
    {"upsample_add", "1x20x28x256", "upsample_add_wide", 1.00, 0, 0, 19, 32, 1.4},
    {"softmax", "150x91", "softmax_naive", 7.90, 0, 0.25, 28, 30, 16.0},
    {"softmax", "150x91", "softmax_warp", 1.17, 0, 0, 47, 30, 1.3},
    {"resize", "1x120x160,200x272", "resize_naive", 2.45, 0, 0.31, 32, 30, 5.3},
    {"resize", "1x120x160,200x272", "resize_table", 2.68, 2.29, 0, 40, 30, 5.0},
    {"resize", "1x120x160,200x272", "resize_words", 2.32, 2.19, 0, 40, 25, 4.0},
    {"resize", "1x120x160,200x272", "resize_staged", 1.22, 1.79, 0, 39, 26, PASSES(2.1, 2.2)},
    {"rpn_decode", "1x50x68x3,1000", "rpn_decode_naive", 3.81, 0, 0, 31, 31, 1.5},
    {"rpn_decode", "1x50x68x3,1000", "rpn_decode_wide", 1.32, 0, 0, 29, 26, 0.4},
    {"box_decode", "1x150,91", "box_decode_naive", 4.84, 0, 0.14, 32, 11, 3.2},
    {"box_decode", "1x150,91", "box_decode_warp", 1.01, 0, 0.15, 38, 11, 0.6},
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

/* A row of the table names this kernel, or one whose name begins so. */
static bool has_budget(const char *kernel, size_t length)
{
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++)
        if (!strncmp(budgets[i].kernel, kernel, length) && (!budgets[i].kernel[length] || budgets[i].kernel[length] == '_'))
            return true;
    return false;
}

/* The first problem of an op in the table of budgets. */
static const char *shape_of(const char *op)
{
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++)
        if (!strcmp(budgets[i].op, op))
            return budgets[i].shape;
    fail_msg("%s has no row in the table of budgets", op);
    return NULL;
}

/* Every rung that runs an op's first problem has a row: for a kernel that it launches there, or another of its tiles. Those of
 * conv2d and linear that feed tensor cores are held in tests/test_precision.c. */
static void every_rung(void **state)
{
    int missing = 0;
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        if (op == OSP_conv2d || op == OSP_linear)
            continue;
        json_t *json = climb_json(osp_op_name((enum osp_op)op), shape_of(osp_op_name((enum osp_op)op)), "emu");
        const json_t *rung, *kernel;
        size_t i, k;
        json_array_foreach(json_object_get(json, "rungs"), i, rung)
        {
            char name[64];
            size_t length = (size_t)snprintf(name, sizeof name, "%s_%s", osp_op_name((enum osp_op)op), text_of(rung, "rung"));
            bool found = json_object_get(rung, "refusal") || has_budget(name, length);
            json_array_foreach(json_object_get(rung, "kernels"), k, kernel)
            {
                const char *launched = text_of(kernel, "kernel");
                found |= has_budget(launched, strlen(launched));
            }
            if (!found)
                print_error("%s %s has no row in the table of budgets\n", osp_op_name((enum osp_op)op), text_of(rung, "rung"));
            missing += !found;
        }
        json_decref(json);
    }
    assert_int_equal(missing, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept), cmocka_unit_test(every_rung)};
    process_find(argv[0]);
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
