/* A checkpoint: named tensors, from whatever file they came in. Reads .pth of torch.save (zip and legacy stream) and safetensors,
 * by content. Nothing in a file is ever executed. */
#ifndef OSPREY_CHECKPOINT_H
#define OSPREY_CHECKPOINT_H

#include "runtime/file.h"
#include "runtime/safetensors.h"

struct checkpoint {
    const char *format; /* "PyTorch zip", "PyTorch legacy stream" or "safetensors" */
    const char *key;    /* under which the state dict was: "model", "state_dict", "model_state_dict"; "" at the top */
    bool module_prefix; /* every name began with "module.", which was taken off */
    int count;
    struct osp_stored_tensor *tensors; /* in the file's order; names are unique; data in the map where it can be */

    struct osp_safetensors *safetensors; /* of a safetensors file, else NULL */
    struct osp_file file;                /* of the others */
    char *names;                         /* the tensors' names, one after the other */
    void **copies;                       /* [count]: gathered data of tensors that are strided views */
};

/* OSP_UNREADABLE, OSP_REFUSED, OSP_MEMORY. */
osp_status checkpoint_open(const char *path, struct checkpoint *out);
void checkpoint_close(struct checkpoint *checkpoint);

/* The same for a .pth that lies in memory, which must outlive `out`. path: for sentences. */
osp_status checkpoint_parse(const char *path, const uint8_t *data, size_t size, struct checkpoint *out);

/* Did the file stay as it was since it was opened? */
osp_status checkpoint_unchanged(const struct checkpoint *checkpoint);

#endif
