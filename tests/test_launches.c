/* What a rung asks of the driver while it runs: to launch, and to fill. Nothing is copied, allocated or waited for; no host round
 * trip lies between a network's layers, and nms of thousands of boxes is one chain of launches. How full of its largest launch
 * the device is. And which grids are too large to be asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda.h"
#include "tools/ladder/climb.h"

typedef osp_status rung_function(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);

static const char *asked; /* first, of what a rung may not ask for */

#define CUDA_CALL(name, symbol, ...)                                                                                             \
    static CUresult no_##name(__VA_ARGS__)                                                                                       \
    {                                                                                                                            \
        asked = asked ? asked : symbol;                                                                                          \
        return 1;                                                                                                                \
    }
#include "kernels/driver.def"
#undef CUDA_CALL
static struct cuda_driver strict = {
#define CUDA_CALL(name, symbol, ...) .name = no_##name,
#include "kernels/driver.def"
#undef CUDA_CALL
};

static const struct cuda_driver *driver;
static const struct osp_kernel *rung;
static int launches;
static double most_threads, most_blocks; /* of the largest launch */
static unsigned most_block;              /* threads of one of its blocks */

static CUresult count_launch(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                             unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream, void **arguments,
                             void **extra)
{
    const double blocks = (double)grid_x * grid_y * grid_z;
    const unsigned block = block_x * block_y * block_z;
    launches++;
    if (blocks * block > most_threads) {
        most_threads = blocks * block;
        most_blocks = blocks;
        most_block = block;
    }
    return driver->cuLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, arguments,
                                  extra);
}

/* Runs the rung once with the driver as it is, which loads its kernels, and then with the strict one. */
static osp_status run_strictly(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct cuda_device *cuda = cuda_of(device);
    osp_status status = rung->run(device, call, state);
    if (status)
        return status;
    driver = cuda->driver;
    strict.cuLaunchKernel = count_launch;
    strict.cuMemsetD8Async = driver->cuMemsetD8Async;
    strict.cuCtxSetCurrent = driver->cuCtxSetCurrent;
    cuda->driver = &strict;
    launches = 0;
    asked = NULL;
    status = rung->run(device, call, state);
    cuda->driver = driver;
    return status;
}

/* Returns how many launches the rung took; 0 where it refuses. */
static int climb_by(rung_function *run, const struct problem *problem, const struct osp_kernel *kernel, struct osp_device *device,
                    void *const reference[OSP_MAX_OUTPUTS])
{
    struct osp_kernel guarded = *kernel;
    struct climb climb;
    guarded.run = run;
    rung = kernel;
    osp_status status = climb_run(problem, climb_backend("emu"), device, &guarded, reference, false, &climb);
    if (status || asked)
        fail_msg("%s %s: asked for %s: %s", osp_op_name(problem->call.op), kernel->name, asked ? asked : "nothing",
                 osp_message());
    if (climb.refusal)
        return 0;
    assert_true(climb_is_good(&climb));
    return launches;
}

static int ladder_by(rung_function *run, enum osp_op op, const char *shape)
{
    const struct osp_backend *emu = climb_backend("emu");
    struct osp_device *device;
    struct problem problem;
    void *reference[OSP_MAX_OUTPUTS] = {NULL};
    int last = 0;
    assert_int_equal(problem_new(op, shape, &problem), OSP_OK);
    assert_int_equal(climb_reference(&problem, reference), OSP_OK);
    assert_int_equal(emu->open(&(struct osp_device_options){0}, &device), OSP_OK);
    for (int i = 0; i < emu->ops[op]->count; i++) {
        last = climb_by(run, &problem, emu->ops[op]->rungs[i], device, reference);
        print_message("%s %s %s: %d launches\n", osp_op_name(op), problem.shape, emu->ops[op]->rungs[i]->name, last);
    }
    emu->close(device);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        free(reference[i]);
    problem_free(&problem);
    return last;
}

static void every_rung_only_launches(void **state)
{
    static const char *const small[OSP_OP_COUNT] = {[OSP_conv2d] = "1x20x24x64,64,3,1",  [OSP_depthwise] = "1x20x28x184,3,1",
                                                    [OSP_linear] = "64x512,256",         [OSP_maxpool] = "1x48x64x64,3,2",
                                                    [OSP_avgpool] = "1x20x28x480",       [OSP_scale] = "1x20x28x480",
                                                    [OSP_upsample_add] = "1x20x28x256",  [OSP_softmax] = "150x91",
                                                    [OSP_topk] = "1x50x68x3,1000",       [OSP_nms] = "1x1000,300",
                                                    [OSP_roi_align] = "1x25x34x256,32",  [OSP_resize] = "1x120x160,200x272",
                                                    [OSP_rpn_decode] = "1x50x68x3,1000", [OSP_box_decode] = "1x150,91"};
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        assert_non_null(small[op]);
        ladder_by(run_strictly, (enum osp_op)op, small[op]);
    }
}

/* As many boxes as R50-FPN proposes at 800x1088: order (2), two rounds of comparisons and a sweep, the rows. */
static void nms_never_waits(void **state) { assert_int_equal(ladder_by(run_strictly, OSP_nms, "1x4663,1000"), 2 + 2 * 2 + 1); }

/* ---- How full the device is ----------------------------------------------------------------------- */

enum { AT_ONCE = 3, MULTIPROCESSORS = 28, WARPS = 48 }; /* what the driver says of every kernel, and of its device */

static CUresult say_blocks(int *blocks, CUfunction function, int threads, size_t shared_bytes)
{
    *blocks = AT_ONCE;
    return 0;
}

/* Runs the rung, and compares what the device says with the launches that were seen. */
static osp_status run_filling(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct cuda_device *cuda = cuda_of(device);
    struct cuda_driver table = *cuda->driver;
    struct osp_occupancy found, none;
    driver = cuda->driver;
    table.cuLaunchKernel = count_launch;
    table.cuOccupancyMaxActiveBlocksPerMultiprocessor = say_blocks;
    cuda->driver = &table;
    cuda->limits.multiprocessors = MULTIPROCESSORS;
    cuda->multiprocessor_threads = 32 * WARPS;
    cuda_occupancy(device, &none); /* forgets what the rung before launched */
    launches = 0;
    most_threads = 0;
    osp_status status = rung->run(device, call, state);
    cuda_occupancy(device, &found);
    cuda_occupancy(device, &none);
    cuda->driver = driver;
    assert_true(most_threads > 0);
    assert_float_equal(found.waves, most_blocks / (AT_ONCE * MULTIPROCESSORS), 1e-9);
    assert_float_equal(found.warps, AT_ONCE * ((most_block + 31) / 32) / (double)WARPS, 1e-9);
    assert_true(none.waves == 0 && none.warps == 0);
    return status;
}

static void the_largest_launch_fills_the_device(void **state)
{
    ladder_by(run_filling, OSP_conv2d, "1x20x24x64,64,3,1");
    ladder_by(run_filling, OSP_nms, "1x1000,300");
    ladder_by(run_filling, OSP_softmax, "150x91");
}

/* ---- Grids that there are not --------------------------------------------------------------------- */

static const struct osp_kernel *find_rung(enum osp_op op, const char *name)
{
    const struct osp_ladder *ladder = climb_backend("emu")->ops[op];
    int i = 0;
    while (i < ladder->count - 1 && strcmp(ladder->rungs[i]->name, name) != 0)
        i++;
    assert_string_equal(ladder->rungs[i]->name, name);
    return ladder->rungs[i];
}

/* The largest grid and the next one. Every operand has the shape; a rung looks at the one that its grid follows. */
static void grids_end_where_the_driver_s_do(void **state)
{
    enum { THREADS = 0, ROWS = 1 };
    static const char *const reasons[] = {"it counts its work in 32 bits", "a grid has at most 65535"};
    static const struct {
        enum osp_op op;
        const char *rung;
        int64_t fits[4], not [4];
        int why;
    } grids[] = {
        {OSP_scale, "wide", {65535, 1, 1, 4}, {65536, 1, 1, 4}, ROWS},
        {OSP_scale, "wide", {1, 1, INT32_MAX, 4}, {1, 1, 1LL << 31, 4}, THREADS},
        {OSP_maxpool, "wide", {65535, 1, 1, 4}, {65536, 1, 1, 4}, ROWS},
        {OSP_maxpool, "wide", {1, 65535, 1, 4}, {1, 65536, 1, 4}, ROWS},
        {OSP_maxpool, "wide", {1, 1, INT32_MAX, 1}, {1, 1, 1LL << 29, 4}, THREADS},
        {OSP_upsample_add, "wide", {65535, 1, 1, 4}, {65536, 1, 1, 4}, ROWS},
        {OSP_upsample_add, "wide", {1, 65535, 1, 4}, {1, 65536, 1, 4}, ROWS},
        {OSP_upsample_add, "wide", {1, 1, INT32_MAX, 4}, {1, 1, 1LL << 31, 4}, THREADS},
        {OSP_avgpool, "rows", {65535, 1, 1, 4}, {65536, 1, 1, 4}, ROWS},
        {OSP_roi_align, "channels", {(1 << 25) - 1, 8, 8, 4}, {1 << 25, 8, 8, 4}, THREADS},
        {OSP_resize, "table", {65535, 32, 32, 3}, {65536, 32, 32, 3}, ROWS},
        {OSP_resize, "words", {1, 65535 * 32, 32, 3}, {1, 65535 * 32 + 1, 32, 3}, ROWS},
        {OSP_resize, "staged", {65535, 32, 32, 3}, {65536, 32, 32, 3}, ROWS},
        {OSP_rpn_decode, "wide", {65535, 7}, {65536, 7}, ROWS},
        {OSP_box_decode, "warp", {65535, 7, 4}, {65536, 7, 4}, ROWS},
    };
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
        const struct osp_kernel *kernel = find_rung(grids[i].op, grids[i].rung);
        for (int over = 0; over < 2; over++) {
            const int64_t *dim = over ? grids[i].not : grids[i].fits;
            struct osp_call call = {.dims = {(int)dim[0], (int)dim[1], (int)dim[2]}};
            for (int k = 0; k < OSP_MAX_INPUTS; k++)
                memcpy(call.in[k].shape.dim, dim, 4 * sizeof *dim);
            call.out[0].shape = call.in[0].shape;
            const char *refusal = kernel->refuses(NULL, &call);
            if (over ? !refusal || !strstr(refusal, reasons[grids[i].why]) : refusal != NULL)
                fail_msg("%s %s, row %zu: %s", osp_op_name(grids[i].op), kernel->name, i, refusal ? refusal : "accepted");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rung_only_launches), cmocka_unit_test(nms_never_waits),
                                       cmocka_unit_test(the_largest_launch_fills_the_device),
                                       cmocka_unit_test(grids_end_where_the_driver_s_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
