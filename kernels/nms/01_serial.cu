/* nms / serial
 *
 * CHANGE  the definition, one block for each image: sort, then let each box that still stands fell every later one of its group that
 *         overlaps it too much
 * FASTER  the threads share out the boxes behind a survivor; it stops when the output is full
 * LIMIT   one survivor after the other, with a barrier each, on one multiprocessor of many; boxes of other groups are looked at too
 * NEEDS   any shape
 */
#include "kernels/nms/nms.h"

constexpr int BLOCK = 512;

CUDA_KERNEL(nms_serial, BLOCK, struct nms_operands o,
            uint64_t *all_keys,  /* (N,T) */
            uint8_t *all_fallen) /* (N,T), in the order of keys */
{
    CUDA_SHARED(int, present, [1]);
    int64_t n = blockIdx.x, first = n * o.t;
    uint64_t *keys = all_keys + first;
    uint8_t *fallen = all_fallen + first;
    if (threadIdx.x == 0)
        present[0] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < o.t; i += BLOCK)
        if (o.groups[first + i] >= 0) { /* in any order: they are sorted */
            int at = atomicAdd(&present[0], 1);
            keys[at] = key_of(o.scores[first + i], (uint32_t)i);
            fallen[at] = 0;
        }
    __syncthreads();
    int count = present[0], kept = 0;
    keys_sort<BLOCK>(keys, (uint32_t)count);
    for (int i = 0; i < count && kept < o.m; i++) {
        if (fallen[i])
            continue; /* all threads */
        int best = (int)key_position(keys[i]);
        float4 box = o.boxes[first + best];
        if (threadIdx.x == 0)
            nms_put(o, n, kept, best);
        kept++;
        for (int j = i + 1 + threadIdx.x; j < count; j += BLOCK) {
            int other = (int)key_position(keys[j]);
            float4 rival = o.boxes[first + other];
            if (o.groups[first + other] == o.groups[first + best] &&
                nms_above(box, nms_area(box), rival, nms_area(rival), o.threshold))
                fallen[j] = 1;
        }
        __syncthreads();
    }
    for (int row = kept + threadIdx.x; row < o.m; row += BLOCK)
        nms_put_nothing(o, n, row);
    if (threadIdx.x == 0)
        o.out_count[n] = kept;
}

#if CUDA_HOST
static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_NMS_SCORES].shape.dim;
    return (size_t)(dim[0] * dim[1]) * (sizeof(uint64_t) + sizeof(uint8_t));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct nms_operands o = nms_operands_of(call);
    uint64_t *keys = (uint64_t *)call->scratch;
    return launch_nms_serial(device, (unsigned)o.n, BLOCK, 0, o, keys, (uint8_t *)(keys + (int64_t)o.n * o.t));
}

extern "C" const struct osp_kernel cuda_nms_serial = {.name = "serial", .scratch = scratch, .run = run};
#endif
