/* Weights as the graph sees them: rows of f32, computed on request. */
#ifndef OSPREY_CONSTANT_H
#define OSPREY_CONSTANT_H

#include "backend.h"
#include "safetensors.h"

struct osp_constant {
    struct osp_shape shape;
    const struct osp_stored_tensor *stored; /* in the mapped file; NULL: `values` */
    float *values;                          /* owned, row-major */
    double *scale;                          /* owned: a factor for each row (folded batch norm); NULL: 1 */
    int channels, positions; /* columns stored as (channels, positions) are read as (positions, channels); 0: as stored */
};

/* A constant with its own copy of `data` (row-major). OSP_MEMORY. */
osp_status osp_constant_new(const float *data, const struct osp_shape *shape, struct osp_constant **out);

/* A constant that reads `stored`, which must outlive it. scale (shape.dim[0] factors, copied) may be NULL. OSP_MEMORY. */
osp_status osp_constant_from(const struct osp_stored_tensor *stored, const struct osp_shape *shape, const double *scale,
                             int channels, int positions, struct osp_constant **out);
void osp_constant_free(struct osp_constant *constant); /* NULL is allowed */

#endif
