/* Any bytes as a safetensors file; an accepted one must keep what safetensors.h promises. */
#include <stdlib.h>

#include "runtime/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort(); /* a finding, as for the sanitizers */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct osp_safetensors *file;
    if (osp_safetensors_open_memory("input", data, size, &file) != OSP_OK) {
        require(osp_message()[0] != 0);
        return 0;
    }
    uint64_t sum = 0;
    for (int i = 0; i < osp_safetensors_count(file); i++) {
        const struct osp_stored_tensor *t = osp_safetensors_tensor(file, i);
        uint64_t count = t->bytes / osp_stored_size(t->type);
        float *numbers = malloc(count * sizeof *numbers + 1);
        require(numbers != NULL);
        osp_stored_read(t, 0, count, numbers);
        free(numbers);
        require(osp_safetensors_find(file, t->name) == t);
        sum += t->bytes;
    }
    require(sum <= size);
    for (int i = 0; i < osp_safetensors_meta_count(file); i++) {
        const char *key, *value;
        osp_safetensors_meta_at(file, i, &key, &value);
        require(osp_safetensors_meta(file, key) == value);
    }
    osp_safetensors_close(file);
    return 0;
}
