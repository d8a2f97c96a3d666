/* The stand-in's descriptors. */
#ifndef OSPREY_FAKE_CUDNN_H
#define OSPREY_FAKE_CUDNN_H

#include <cudnn_graph.h>

#include "nvidia.h"

enum { FAKE_ATTRIBUTES = 12 };

struct fake_attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    void *values;
};

struct fake_descriptor {
    struct fake_descriptor *next; /* of those alive */
    cudnnBackendDescriptorType_t type;
    bool finalized;
    int engine;                    /* of configurations and engines, which heuristics give */
    struct fake_descriptor *graph; /* likewise */
    int count;
    struct fake_attribute attribute[FAKE_ATTRIBUTES];
};

/* NULL: it was not set. */
const struct fake_attribute *fake_attribute(const struct fake_descriptor *descriptor, cudnnBackendAttributeName_t name);
struct fake_descriptor *fake_part(const struct fake_descriptor *descriptor, cudnnBackendAttributeName_t name, int64_t i);
int64_t fake_integer(const struct fake_descriptor *descriptor, cudnnBackendAttributeName_t name, int64_t i);
int fake_enum(const struct fake_descriptor *descriptor, cudnnBackendAttributeName_t name);

/* cudnn_run.c */
struct fake_engine {
    const char *name;
    int64_t workspace;
    int notes;
    cudnnBackendNumericalNote_t note[2];
};
extern const struct fake_engine fake_engines[FAKE_ENGINES];
int fake_offered(cudnnBackendHeurMode_t mode, int engines[FAKE_ENGINES]);
bool fake_shapes_fit(const struct fake_descriptor *operation);
bool fake_run(void *stream, const struct fake_descriptor *plan, const struct fake_descriptor *pack);

#endif
