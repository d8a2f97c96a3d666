#include "sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/shape.h"

/* Which input holds boxes of pictures; -1: none does. */
static int boxes_slot(enum osp_op op)
{
    switch (op) {
    case OSP_roi_align:
        return OSP_ROI_ALIGN_PROPOSALS;
    case OSP_box_decode:
        return OSP_BOX_DECODE_PROPOSALS;
    case OSP_nms:
        return OSP_NMS_BOXES;
    default:
        return -1;
    }
}

/* Pictures of the plan's size, one behind the other. */
static void fill_images(const struct osp_dims *dims, int64_t *row, int64_t n)
{
    for (int64_t i = 0; i < n; i++, row += OSP_IMAGE_FIELDS) {
        row[OSP_IMAGE_OFFSET] = i * dims->h * dims->w * 3;
        row[OSP_IMAGE_H] = row[OSP_IMAGE_RESIZED_H] = dims->h;
        row[OSP_IMAGE_W] = row[OSP_IMAGE_RESIZED_W] = dims->w;
    }
}

static void fill(const struct problem *p, int slot)
{
    const struct osp_call *call = &p->call;
    const struct osp_tensor *tensor = &call->in[slot];
    int64_t count = osp_shape_count(&tensor->shape);
    if (tensor->dtype == OSP_F32 && slot == boxes_slot(call->op)) {
        problem_boxes(tensor->data, count / 4, (float)call->dims.h, (float)call->dims.w);
    } else if (tensor->dtype == OSP_F32) {
        problem_reals(tensor->data, count, -1, 1, (uint64_t)slot + 1);
    } else if (tensor->dtype == OSP_I64) {
        fill_images(&call->dims, tensor->data, tensor->shape.dim[0]);
    } else if (slot == osp_op_counts_slot(call->op)) {
        const struct osp_shape *rows = &call->in[boxes_slot(call->op) >= 0 ? boxes_slot(call->op) : 0].shape;
        for (int64_t i = 0; i < count; i++)
            ((int32_t *)tensor->data)[i] =
                (int32_t)(boxes_slot(call->op) >= 0 ? rows->dim[1] : rows->dim[0] / tensor->shape.dim[0]);
    }
}

bool sample_is_whole(enum osp_op op) { return op == OSP_topk || op == OSP_nms || op == OSP_box_decode; }

osp_status sample_of(const struct osp_call *call, struct problem *out)
{
    *out = (struct problem){.call = *call, .attrs = *call->attrs};
    out->call.attrs = &out->attrs;
    out->call.scratch = NULL;
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        out->call.in[i].data = NULL;
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        out->call.out[i].data = NULL;
    if (call->op == OSP_resize) /* a plan knows no picture's size */
        out->call.in[OSP_RESIZE_PIXELS].shape.dim[0] = (int64_t)call->dims.n * call->dims.h * call->dims.w * 3;
    for (int i = 0; i < call->inputs; i++) {
        struct osp_tensor *tensor = &out->call.in[i];
        size_t bytes = (size_t)osp_shape_count(&tensor->shape) * osp_dtype_size(tensor->dtype);
        if (!tensor->shape.rank)
            continue;
        tensor->data = calloc(bytes ? bytes : 1, 1);
        if (!tensor->data) {
            problem_free(out);
            return osp_fail(OSP_MEMORY, "out of memory for an input of %zu bytes", bytes);
        }
        fill(out, i);
    }
    return OSP_OK;
}
