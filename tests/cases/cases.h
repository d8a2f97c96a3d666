/* What a case of an op is. Each op has one file, tests/cases/<op>.c, that exports `const struct case_table cases_<op>`;
 * tests/test_kernels.c takes the list of tables from ops.def, so an op without a table does not link.
 *
 * A table gives inputs, and what must come out by a reference of its own: written in double, from the op's description in ops.h,
 * not from any kernel. The harness (harness.h) runs every case through every rung and holds it to its rules. */
#ifndef OSPREY_CASES_H
#define OSPREY_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/backend.h"

/* SHAPE(1, 5, 7, 3): a struct osp_shape of rank 4. */
#define SHAPE(...)                                                                                                               \
    {                                                                                                                            \
        .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = { __VA_ARGS__ }                                \
    }

/* A tensor of whole numbers in [low, high], of floats in [low, high), of data as they stand, of a function's making. */
#define INTEGERS(type, low_, high_, ...)                                                                                         \
    {                                                                                                                            \
        .dtype = (type), .shape = SHAPE(__VA_ARGS__), .fill = FILL_INTEGERS, .low = (low_), .high = (high_)                      \
    }
#define UNIFORM(low_, high_, ...)                                                                                                \
    {                                                                                                                            \
        .dtype = OSP_F32, .shape = SHAPE(__VA_ARGS__), .fill = FILL_UNIFORM, .low = (low_), .high = (high_)                      \
    }
#define GIVEN(type, data_, ...)                                                                                                  \
    {                                                                                                                            \
        .dtype = (type), .shape = SHAPE(__VA_ARGS__), .fill = FILL_GIVEN, .data = (data_)                                        \
    }
#define MADE(type, make_, ...)                                                                                                   \
    {                                                                                                                            \
        .dtype = (type), .shape = SHAPE(__VA_ARGS__), .fill = FILL_MADE, .make = (make_)                                         \
    }

enum case_fill { FILL_INTEGERS, FILL_UNIFORM, FILL_GIVEN, FILL_MADE };

struct test_case;

struct case_tensor {
    enum osp_dtype dtype;
    struct osp_shape shape; /* rank 0: an absent optional operand */
    enum case_fill fill;
    double low, high;
    const void *data; /* the whole tensor, in its dtype */
    void (*make)(const struct test_case *test, int slot,
                 struct osp_tensor *out); /* writes out->data (host); constants: slot 0 is weight */
};

struct test_case {
    const char *name;
    union osp_attrs attrs;
    struct osp_dims dims;
    struct case_tensor in[OSP_MAX_INPUTS];
    struct case_tensor constant[OSP_MAX_CONSTANTS]; /* f32 */
    bool nan_expected;                              /* an output may be NaN, exactly where the reference's is */
    const void *extra;                              /* for the table's own functions */
};

/* What a reference or a check sees: everything in host memory. */
struct case_view {
    const struct test_case *test;
    const struct osp_call *call; /* in[].data; out[].data are the kernel's results, and NULL in a reference */
    const float *constant[OSP_MAX_CONSTANTS];
    double *want[OSP_MAX_OUTPUTS];  /* a reference writes every element (integers too); starts as NaN */
    double *slack[OSP_MAX_OUTPUTS]; /* and, where the value need not be exact, by how much it may be off; starts as 0: equal to
                                       (float)want */
};

/* What is known of a rung that is not held to the rules. Name: "backend/op/rung"; "cuda" stands for emu too. */
struct case_rung {
    const char *name;
    bool may_refuse;         /* it does not take every call; it must still run one case */
    bool may_refuse_weights; /* its prepare() does not take every weight: OSP_USAGE */
    bool own_order;          /* sums in an order of its own: within slack, but not the plainest rung's bits */
    bool by_threads;         /* splits sums among threads: other bits for another number of them */
    bool loses_nan;          /* its activations make a number of NaN */
    double widen;            /* slack is multiplied by this; 0: 1 */
    /* Its own bound in place of the reference's: writes view->slack, which starts as 0; INFINITY: nothing is promised of an
     * element that is not NaN. NULL: the reference's. */
    void (*slack)(const struct case_view *view);
};

struct case_table {
    const struct test_case *cases;
    int count;
    void (*reference)(const struct case_view *view);    /* NULL: check judges everything */
    const char *(*check)(const struct case_view *view); /* NULL: nothing more; returns NULL or what is wrong, a static sentence */
    const struct case_rung *rungs;                      /* exceptions; NULL when there are none */
    int rung_count;
};

#define CASE_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

#define OSP_OP(name, help) extern const struct case_table cases_##name;
#include "runtime/ops.def"
#undef OSP_OP

/* ---- Helpers for references (cases.c) -------------------------------------------------------------------- */

static inline const float *case_floats(const struct case_view *view, int slot) { return view->call->in[slot].data; }
static inline const int32_t *case_ints(const struct case_view *view, int slot) { return view->call->in[slot].data; }
static inline const int64_t *case_longs(const struct case_view *view, int slot) { return view->call->in[slot].data; }
static inline const uint8_t *case_bytes(const struct case_view *view, int slot) { return view->call->in[slot].data; }

/* Valid rows of T for image n: counts[n], or t when `slot` is absent. */
int64_t case_rows(const struct case_view *view, int slot, int64_t n, int64_t t);

/* The f32 rounding error of a sum of `terms` products whose absolute values sum to `magnitude`: terms * 2^-24 * magnitude, and
 * the last rounding. fmaf chains stay below it (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). */
double case_slack(double terms, double magnitude);

/* enum osp_activation in double; NaN stays NaN. */
double case_activation(enum osp_activation activation, double x);

/* A seeded generator: the same numbers on every machine. */
struct case_random {
    uint64_t state;
};
uint64_t case_next(struct case_random *random);
double case_uniform(struct case_random *random, double low, double high);    /* in [low, high) */
int64_t case_integer(struct case_random *random, int64_t low, int64_t high); /* in [low, high] */

/* Fills host memory by the tensor's rule; `slot` numbers operands so that each gets its own numbers. */
void case_fill(const struct test_case *test, const struct case_tensor *spec, int slot, struct osp_tensor *out);

/* Elements of any dtype as double; F16 and BF16 are not used by cases. */
double case_element(const struct osp_tensor *tensor, int64_t i);

#endif
