/* nms / serial
 *
 * CHANGE  the definition, word for word: sort, then let each box that still stands fell every later one of its group that
 *         overlaps it too much
 * FASTER  nothing yet; it stops when the output is full
 * LIMIT   each survivor reads the whole list behind it, boxes of other groups and fallen ones included
 * NEEDS   any shape
 */
#include "cpu/nms/nms.h"

/* f32, in the order of torchvision's csrc/ops/cpu/nms_kernel.cpp. NaN (two empty boxes) is not above. */
static int above(const float *a, const float *b, float threshold)
{
    float left = a[0] < b[0] ? b[0] : a[0], right = b[2] < a[2] ? b[2] : a[2];
    float top = a[1] < b[1] ? b[1] : a[1], bottom = b[3] < a[3] ? b[3] : a[3];
    float w = right - left > 0 ? right - left : 0, h = bottom - top > 0 ? bottom - top : 0;
    float inter = w * h;
    return inter / (nms_area(a) + nms_area(b) - inter) > threshold;
}

static void sweep(const struct nms_image *image, float threshold, uint64_t *keys, uint8_t *fallen)
{
    int64_t count = nms_keys(image, keys), kept = 0;
    order_sort(keys, count);
    memset(fallen, 0, (size_t)count);
    for (int64_t i = 0; i < count && kept < image->m; i++) {
        if (fallen[i])
            continue;
        uint32_t best = order_position(keys[i]);
        nms_keep(image, kept++, best);
        for (int64_t j = i + 1; j < count; j++) {
            uint32_t other = order_position(keys[j]);
            if (image->groups[other] == image->groups[best] &&
                above(image->boxes + best * 4, image->boxes + other * 4, threshold))
                fallen[j] = 1;
        }
    }
    nms_finish(image, kept);
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return (size_t)call->in[OSP_NMS_SCORES].shape.dim[1] * (sizeof(uint64_t) + sizeof(uint8_t));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    for (int64_t n = 0; n < call->in[OSP_NMS_SCORES].shape.dim[0]; n++) {
        struct nms_image image = nms_image_of(call, n);
        uint64_t *keys = call->scratch;                /* (T) */
        uint8_t *fallen = (uint8_t *)(keys + image.t); /* (T), in the order of keys */
        sweep(&image, call->attrs->nms.threshold, keys, fallen);
    }
    return OSP_OK;
}

const struct osp_kernel cpu_nms_serial = {.name = "serial", .scratch = scratch, .run = run};
