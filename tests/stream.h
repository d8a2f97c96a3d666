/* Checkpoints in PyTorch's legacy stream format, written without PyTorch: as many as a test needs, of any network. */
#ifndef OSPREY_TESTS_STREAM_H
#define OSPREY_TESTS_STREAM_H

#include "runtime/safetensors.h"

/* A state dict with these tensors, contiguous, under `key` of an outer dict unless NULL; `prefix` is put before every name. Fails
 * the test if it cannot be written. */
void stream_write(const char *path, const char *key, const char *prefix, const struct osp_stored_tensor *tensors, int count);

#endif
