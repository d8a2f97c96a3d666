/* Tensors as they are written: widened to F32 or narrowed to F16, every value looked at. */
#ifndef OSPREY_CHECKPOINT_WEIGHTS_H
#define OSPREY_CHECKPOINT_WEIGHTS_H

#include "names.h"

struct weights {
    struct osp_stored_tensor *tensors; /* [count], in the order of the names */
    void **copies;                     /* data that is not the checkpoint's; NULL where it is */
    int count;
    uint64_t nonfinite; /* values */
    char worst[300];    /* "'a': 3, 'b': 1, ...": where they are */
};

/* f16: tensors of two and more dimensions become F16. `limit`: bytes that all tensors together may take in the checkpoint, so
 * that tensors that share data cannot make a small file a large one. OSP_REFUSED for a type that holds no weights and for a value
 * that F16 cannot hold, OSP_MEMORY. */
osp_status weights_make(const struct names *names, const char *path, bool f16, uint64_t limit, struct weights *out);
void weights_free(struct weights *weights);

#endif
