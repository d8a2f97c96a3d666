/* Handlers that are not loops over lanes: exec_*.c. decode*.c chooses among them. */
#ifndef PTX_EXEC_H
#define PTX_EXEC_H

#include "internal.h"

/* flags: a is a 64-bit address; the number of threads is stated; d is not wanted; a guard may be off */
enum { WIDE = 1, COUNTED = 2, NO_RESULT = 4, GUARDED = 128 };

enum atomic_op {
    ATOMIC_ADD,
    ATOMIC_MIN,
    ATOMIC_MAX,
    ATOMIC_AND,
    ATOMIC_OR,
    ATOMIC_XOR,
    ATOMIC_EXCH,
    ATOMIC_CAS,
    ATOMIC_INC,
    ATOMIC_DEC
};
enum shuffle_mode { SHUFFLE_UP, SHUFFLE_DOWN, SHUFFLE_BUTTERFLY, SHUFFLE_INDEX };
enum vote_mode { VOTE_ALL, VOTE_ANY, VOTE_UNIFORM, VOTE_BALLOT };
enum barrier_kind { BARRIER_SYNC, BARRIER_ARRIVE, BARRIER_POPC, BARRIER_AND, BARRIER_OR };
enum carry_op { CARRY_ADD, CARRY_SUB, CARRY_MAD_LO, CARRY_MAD_HI_U, CARRY_MAD_HI_S };
enum { CARRY_IN = 1, CARRY_OUT = 2 };
enum mma_kind { MMA_TF32, MMA_F16, MMA_BF16, MMA_F16_F16 };

/* Addresses of a memory instruction's lanes, checked: *host[l] is where lane l's bytes are. False: a fault. */
bool exec_reach(struct warp *w, const struct insn *i, uint32_t lanes, enum ptx_space space, uint32_t operand, bool wide,
                int64_t offset, uint32_t bytes, uint32_t align, uint8_t **host, uint64_t *address);

handler exec_atomic;                                                           /* kind: op; flags; extra: enum ptx_type */
handler exec_copy_async, exec_copy_commit, exec_copy_wait, exec_copy_wait_all; /* exec_async.c */
handler exec_matrix_load;                                                      /* count: matrices; kind: transposed */
handler exec_mma;                                                              /* kind: enum mma_kind; count: k */
handler exec_branch, exec_branch_index, exec_label, exec_call, exec_return, exec_exit, exec_trap, exec_nothing; /* exec_flow.c */
handler exec_barrier, exec_warp_barrier;                                                /* exec_barrier.c */
handler exec_shuffle, exec_vote, exec_match, exec_redux, exec_active, exec_elect;       /* exec_warp.c */
handler exec_predicate_and, exec_predicate_or, exec_predicate_xor, exec_predicate_move; /* exec_misc.c: extra: what is inverted */
handler exec_pack, exec_unpack, exec_lop3, exec_bfi, exec_carry, exec_clock, exec_space_test;

/* All lanes of the masks are here (*go true); else the fragment has been parked, or a fault recorded, and what is returned is
 * next. */
const struct insn *exec_gather(struct warp *w, const struct insn *i, uint32_t lanes, uint32_t mask_operand, bool *go);

#endif
