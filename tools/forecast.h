/* How much memory a batch takes before it runs, and how many pictures a budget lets through at once. */
#ifndef OSPREY_TOOLS_FORECAST_H
#define OSPREY_TOOLS_FORECAST_H

#include <stdbool.h>

#include "runtime/osprey.h"

/* Bytes. Where the device has no memory of its own (all backends but cuda), pictures count twice: as decoded, and as the device's
 * copy. */
struct forecast {
    double arena;    /* activations, as the plan packs them */
    double weights;  /* packed, as the plan's kernels keep them */
    double pictures; /* pixels */
    double decoding; /* the next picture, already decoded, and what its decoder holds; 0 where the device has its own memory */
    double total;
};

/* The pictures of one batch, as far as memory is concerned. */
struct batch_size {
    int pictures;
    int height, width; /* of the network's input: the largest of them, padded */
    double bytes;      /* of all pixels */
    double largest;    /* bytes of the largest picture */
};

enum { BUDGET_PLANS = 128 };

/* A limit for one session. */
struct budget {
    struct osp_session *session;
    struct osp_model_info model;
    bool own_memory; /* of the device */
    bool asked;      /* --memory-limit was given; else it is what was free */
    double limit;    /* bytes: as asked for, or free */
    double left;     /* of it: less the program itself where it shares the memory */
    struct {
        int n, h, w;
        double arena, weights;
    } plans[BUDGET_PLANS]; /* what has been planned, so that nothing is planned twice */
    int plan_count, plan_next;
};

/* limit: bytes; 0: nine tenths of what the device has free now. To be called before the first run. OSP_UNAVAILABLE. */
osp_status budget_open(struct budget *budget, const struct osp_model *model, struct osp_session *session, double limit);

/* Adds a picture of that size to a batch. OSP_BAD_IMAGE. */
osp_status batch_add(const struct budget *budget, struct batch_size *batch, int height, int width);

osp_status budget_forecast(struct budget *budget, const struct batch_size *batch, struct forecast *out);
/* Does the batch fit? */
osp_status budget_allows(struct budget *budget, const struct batch_size *batch, bool *out);

/* How many pictures of one size, at most `most`, fit at once; 0: not even one. */
osp_status budget_chunk(struct budget *budget, int height, int width, int most, int *out);

/* OSP_MEMORY, with the bytes that this picture needs by itself and what the limit leaves. */
osp_status budget_refuse(struct budget *budget, const char *name, int height, int width);

#endif
