/* rpn_decode / naive
 *
 * CHANGE  the definition: one thread for each chosen logit
 * FASTER  rows are independent, and there are thousands
 * LIMIT   its four deltas lie anywhere in the map: a sector for each row. The whole op moves a few hundred KiB, so the launch is what
 *         it costs
 * NEEDS   any shape
 */
#include "kernels/box_decode/decode.h"

constexpr int BLOCK = 128;

struct rpn_decode_levels {
    struct osp_rpn_decode_attrs attrs;
    const float *deltas[OSP_MAX_LEVELS]; /* (N,H,W,4A) */
    int end[OSP_MAX_LEVELS];             /* of its rows in T */
    int h[OSP_MAX_LEVELS], w[OSP_MAX_LEVELS], stride_h[OSP_MAX_LEVELS], stride_w[OSP_MAX_LEVELS];
};

CUDA_KERNEL(rpn_decode_naive, BLOCK, const float *logits, /* (N,T) */
            const int32_t *index,                         /* (N,T) */
            const int64_t *images,                        /* (N,5) */
            struct decode_out out, int64_t rows, int t, struct rpn_decode_levels levels)
{
    int64_t row = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (row >= rows)
        return;
    int64_t n = row / t;
    int level = 0, anchors = levels.attrs.anchors, at = index[row];
    while (level < levels.attrs.levels - 1 && (int)(row % t) >= levels.end[level])
        level++;
    int w = levels.w[level];
    int64_t positions = (int64_t)levels.h[level] * w * anchors;
    float score = osp_sigmoidf(logits[row]);
    decode_put_nothing(out, row);
    if (!decode_finite(score)) {
        atomicAdd(&out.nonfinite[n], 1);
        return;
    }
    if (score < levels.attrs.score_threshold || at < 0 || at >= positions)
        return;
    int cell = at / anchors;
    float x = (float)(cell % w * levels.stride_w[level]), y = (float)(cell / w * levels.stride_h[level]);
    const float *base = levels.attrs.base[level][at % anchors];
    const float anchor[4] = {x + base[0], y + base[1], x + base[2], y + base[3]}, weights[4] = {1, 1, 1, 1};
    const int64_t *image = images + n * OSP_IMAGE_FIELDS;
    struct decode_box box;
    enum decode_verdict verdict = decode(anchor, levels.deltas[level] + (n * positions + at) * 4, weights, levels.attrs.min_size,
                                         (float)image[OSP_IMAGE_RESIZED_H], (float)image[OSP_IMAGE_RESIZED_W], box);
    if (verdict == DECODE_KEPT)
        decode_put(out, row, box, score, level);
    if (verdict == DECODE_NONFINITE)
        atomicAdd(&out.nonfinite[n], 1);
}

#if CUDA_HOST
static struct rpn_decode_levels levels_of(const struct osp_call *call)
{
    struct rpn_decode_levels levels = {.attrs = call->attrs->rpn_decode};
    int64_t end = 0;
    for (int i = 0; i < levels.attrs.levels; i++) {
        const struct osp_tensor *map = &call->in[OSP_RPN_DECODE_DELTAS + i];
        int64_t h = map->shape.dim[1], w = map->shape.dim[2], positions = h * w * levels.attrs.anchors;
        end += positions < levels.attrs.k ? positions : levels.attrs.k;
        levels.deltas[i] = (const float *)map->data;
        levels.end[i] = (int)end;
        levels.h[i] = (int)h;
        levels.w[i] = (int)w;
        levels.stride_h[i] = h > 0 ? (int)(call->dims.h / h) : 0;
        levels.stride_w[i] = w > 0 ? (int)(call->dims.w / w) : 0;
    }
    return levels;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[OSP_RPN_DECODE_SCORES].shape.dim;
    struct decode_out out;
    osp_status status = decode_outputs(device, call, &out);
    if (status != OSP_OK)
        return status;
    return launch_rpn_decode_naive(
        device, cuda_blocks(dim[0] * dim[1], BLOCK), BLOCK, 0, (const float *)call->in[OSP_RPN_DECODE_SCORES].data,
        (const int32_t *)call->in[OSP_RPN_DECODE_INDEX].data, (const int64_t *)call->in[OSP_RPN_DECODE_IMAGES].data, out,
        dim[0] * dim[1], (int)dim[1], levels_of(call));
}

extern "C" const struct osp_kernel cuda_rpn_decode_naive = {.name = "naive", .run = run};
#endif
