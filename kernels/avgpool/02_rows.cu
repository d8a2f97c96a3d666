/* avgpool / rows
 *
 * CHANGE  a block takes 32 channels of one image, and each of its warps every eighth row; the rows' sums meet in shared memory
 * FASTER  eight rows are summed side by side, where one thread went through all of them: eight times the threads, and each waits for
 *         an eighth of the additions
 * LIMIT   within a row one addition still waits for the one before
 * NEEDS   any shape; maps higher than 256 rows take several turns
 */
#include "kernels/device.h"

constexpr int CHANNELS = 32, WARPS = 8, BLOCK = CHANNELS * WARPS, ROWS = 256;

CUDA_KERNEL(avgpool_rows, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                            /* (N,1,1,C) */
            int h, int w, int c)
{
    CUDA_SHARED(float, part, [ROWS][CHANNELS]);
    int lane = threadIdx.x % CHANNELS, warp = threadIdx.x / CHANNELS, channel = blockIdx.x * CHANNELS + lane;
    const float *image = x + (int64_t)blockIdx.y * h * w * c + channel;
    float sum = 0;
    for (int first = 0; first < h; first += ROWS) {
        int here = h - first < ROWS ? h - first : ROWS;
        for (int row = warp; row < here; row += WARPS) {
            const float *from = image + (int64_t)(first + row) * w * c;
            float total = 0;
            for (int column = 0; channel < c && column < w; column++)
                total += from[(int64_t)column * c];
            part[row][lane] = total;
        }
        __syncthreads();
        for (int row = 0; warp == 0 && row < here; row++)
            sum += part[row][lane];
        __syncthreads();
    }
    if (warp == 0 && channel < c)
        y[(int64_t)blockIdx.y * c + channel] = sum / (float)((int64_t)h * w);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[0].shape.dim;
    return launch_avgpool_rows(device, dim3(cuda_blocks(dim[3], CHANNELS), (unsigned)dim[0]), BLOCK, 0, (const float *)call->in[0].data,
                               (float *)call->out[0].data, (int)dim[1], (int)dim[2], (int)dim[3]);
}

static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[0].shape.dim;
    return cuda_grid_refuses(dim[3], dim[0], 1);
}

extern "C" const struct osp_kernel cuda_avgpool_rows = {.name = "rows", .refuses = refuses, .run = run};
#endif
