/* A session's inside: for runtime/session*.c only. */
#ifndef OSPREY_SESSION_H
#define OSPREY_SESSION_H

#include <stdatomic.h>

#include "packs.h"

/* Device memory that grows and never shrinks. */
struct osp_buffer {
    void *data;
    size_t bytes;
};

struct osp_session {
    const struct osp_model *model;
    const struct osp_graph *graph;
    const struct osp_backend *backend;
    struct osp_device *device;
    char *resize; /* NULL: the model's */
    struct osp_pins pins;
    int keep, record, whole;
    struct osp_plan **plans; /* [plan_room], the first plan_count are used */
    int plan_room, plan_count;
    uint64_t clock; /* counts uses of plans */
    struct osp_plan *last;
    struct osp_packs *packs;
    struct osp_buffer arena, pixels, images;
    struct osp_session_times times;
    int min_size, max_size; /* 0: the model's */
    atomic_flag busy;
};

/* Time marks: 0 before the first node, i + 1 behind node i for the last slice of the batch; so far behind those: */
enum osp_session_mark { OSP_MARK_UP_FROM = 1, OSP_MARK_UP_TO, OSP_MARK_DOWN_FROM, OSP_MARK_DOWN_TO, OSP_MARKS };
/* and from OSP_MARKS on those behind nodes for earlier slices, as they run. */

#endif
