/* The stack machine of pickle.c, for the opcodes in rebuild.c. */
#ifndef OSPREY_CHECKPOINT_MACHINE_H
#define OSPREY_CHECKPOINT_MACHINE_H

#include "pickle.h"

struct machine {
    struct pickle *p;
    struct osp_cursor *in;
    size_t at;                      /* of the opcode being run */
    const char *op;                 /* its name */
    uint32_t *stack, *marks, *memo; /* memo: 0 is unset, else value + 1 */
    uint32_t depth, stack_room, mark_count, mark_room, memo_room;
};

#define machine_refuse(m, ...) osp_refuse((m)->in, (m)->at, (m)->op, __VA_ARGS__)

osp_status machine_push(struct machine *m, uint32_t value);
osp_status machine_push_new(struct machine *m, struct pickle_value value);
osp_status machine_need(struct machine *m, uint32_t n); /* are there n values above the last mark? */

/* rebuild.c */
osp_status machine_global(struct machine *m, int unused);
osp_status machine_persid(struct machine *m, int unused);
osp_status machine_reduce(struct machine *m, int unused);

#endif
