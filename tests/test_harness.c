/* The harness itself: kernels with one planted fault each, which it must find and name. The op is linear, for its weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cases/harness.h"

static const struct osp_backend *cpu; /* the planted backend is this one, with a ladder of two rungs */

static const struct osp_kernel *plainest(void) { return cpu->ops[OSP_linear]->rungs[0]; }

static osp_status prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return plainest()->prepare(device, call, state);
}

static void release(struct osp_device *device, struct osp_node_state *state) { plainest()->release(device, state); }

/* What goes wrong after the plainest rung has done its work. */
static osp_status run_then(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state,
                           void (*fault)(struct osp_device *, const struct osp_call *, float *out, int64_t count))
{
    osp_status status = plainest()->run(device, call, state);
    if (status == OSP_OK)
        fault(device, call, call->out[0].data, osp_shape_count(&call->out[0].shape));
    return status;
}

#define FAULT(name, statements)                                                                                                  \
    static void fault_##name(struct osp_device *device, const struct osp_call *call, float *out, int64_t count) { statements; }  \
    static osp_status run_##name(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)           \
    {                                                                                                                            \
        return run_then(device, call, state, fault_##name);                                                                      \
    }

static int runs;

FAULT(none, (void)out)
FAULT(value, out[count - 1] += 0.01f)
FAULT(nan, out[count / 2] = NAN)
FAULT(infinite, out[0] = INFINITY)
FAULT(unwritten, memcpy(out + count - 1, &block_poison, sizeof *out))
FAULT(before, out[-1] = 0)
FAULT(after, out[count] = 0)
FAULT(carried, out[count] = ((const float *)call->in[0].data)[osp_shape_count(&call->in[0].shape)] * 2)
FAULT(input, *(float *)call->in[0].data += 1)
FAULT(scratch, ((char *)call->scratch)[100] = 0)
FAULT(order, out[0] = nextafterf(out[0], 9))
FAULT(threads, if (cpu->threads(device) == 3) out[0] = nextafterf(out[0], 9))
FAULT(isa, if (strcmp(cpu->isa(device), "portable") != 0) out[0] = nextafterf(out[0], 9))
FAULT(state, if (++runs % 2 == 0) out[0] = nextafterf(out[0], 9))

static osp_status run_failing(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return osp_fail(OSP_UNAVAILABLE, "planted");
}

static osp_status prepare_shapes(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return call->in[0].shape.rank ? prepare(device, call, state) : osp_fail(OSP_USAGE, "x has no shape");
}

static const char *refuses(const struct osp_device *device, const struct osp_call *call) { return "it is planted"; }
static size_t hundred_bytes(const struct osp_device *device, const struct osp_call *call) { return 100; }

static const struct planted {
    struct osp_kernel kernel;
    const char *found; /* in the first failure; NULL: none */
    struct case_rung known;
} planted[] = {
#define PLANTED(name_, ...)                                                                                                      \
    {                                                                                                                            \
        .kernel = {.name = #name_, .prepare = prepare, .release = release, .run = run_##name_}, __VA_ARGS__                      \
    }
    PLANTED(none, .found = NULL),
    PLANTED(value, .found = "output 0 [6,4]: got "),
    PLANTED(nan, .found = "got nan, want "),
    PLANTED(infinite, .found = "output 0 [0,0]: got inf, want "),
    PLANTED(unwritten, .found = "output 0 [6,4]: got nan (never written)"),
    PLANTED(before, .found = "wrote around output 0"),
    PLANTED(after, .found = "wrote around output 0"),
    PLANTED(carried, .found = "wrote around output 0"), /* a value that comes from past the end of an input */
    PLANTED(input, .found = "changed input 0"),
    PLANTED(order, .found = "from the plainest rung"),
    PLANTED(order, .found = NULL, .known = {.name = "planted/linear/order", .own_order = true}),
    PLANTED(threads, .found = "on another instruction set, thread count or run",
            .known = {.name = "planted/linear/threads", .own_order = true}),
    PLANTED(threads, .found = NULL, .known = {.name = "planted/linear/threads", .own_order = true, .by_threads = true}),
    PLANTED(isa, .found = "on another instruction set, thread count or run",
            .known = {.name = "planted/linear/isa", .own_order = true}),
    PLANTED(state, .found = "on another instruction set, thread count or run",
            .known = {.name = "planted/linear/state", .own_order = true}),
    PLANTED(state, .found = "on another instruction set, thread count or run",
            .known = {.name = "planted/linear/state", .own_order = true, .by_threads = true}),
    PLANTED(nan, .found = "got nan, want ", .known = {.name = "planted/linear/nan", .own_order = true, .loses_nan = true}),
    PLANTED(failing, .found = "failed: planted"),
    {{.name = "scratch", .prepare = prepare, .release = release, .scratch = hundred_bytes, .run = run_scratch},
     .found = "wrote around its scratch of 100 bytes"},
    {{.name = "shapes", .prepare = prepare_shapes, .release = release, .run = run_none},
     .found = "prepare failed: x has no shape"},
    {{.name = "refusing", .refuses = refuses, .run = run_none}, .found = "refused: it is planted"},
    {{.name = "idle", .refuses = refuses, .run = run_none},
     .found = "planted/linear/idle ran no case",
     .known = {.name = "planted/linear/idle", .may_refuse = true}},
};

static const struct test_case cases[] = {
    {.name = "planted", .in = {UNIFORM(-4, 4, 7, 40)}, .constant = {UNIFORM(-1, 1, 5, 40)}},
};

/* The number of failures of a ladder that stands in for cpu's. */
static int failures_of(const struct osp_kernel *const *rungs, int count, const struct case_rung *known, struct harness *harness)
{
    const struct osp_ladder ladder = {rungs, count};
    struct osp_backend backend = *cpu;
    memset(backend.ops, 0, sizeof backend.ops);
    backend.name = "planted";
    backend.ops[OSP_linear] = &ladder;
    const struct osp_backend *const backends[] = {&backend, NULL};
    const struct case_table table = {.cases = cases,
                                     .count = CASE_COUNT(cases),
                                     .reference = cases_linear.reference,
                                     .rungs = known,
                                     .rung_count = known->name ? 1 : 0};
    harness_open(harness, backends);
    harness->quiet = true;
    int failures = harness_run(harness, &table, OSP_linear);
    harness_close(harness);
    return failures;
}

static void test_planted(void **state)
{
    for (int i = 0; i < CASE_COUNT(planted); i++) {
        const struct planted *fault = &planted[i];
        const struct osp_kernel *const rungs[] = {plainest(), &fault->kernel};
        struct harness harness;
        int failures = failures_of(rungs, 2, &fault->known, &harness);
        if (!fault->found && failures)
            fail_msg("%s: nothing is wrong, but: %s", fault->kernel.name, harness.first);
        if (fault->found && (!failures || !strstr(harness.first, fault->found)))
            fail_msg("%s: want \"%s\", got %d failures: %s", fault->kernel.name, fault->found, failures, harness.first);
    }
}

/* A plainest rung may not refuse, whatever its table says. */
static void test_plainest_refuses(void **state)
{
    static const struct osp_kernel kernel = {.name = "refusing", .refuses = refuses, .run = run_none};
    static const struct case_rung known = {.name = "planted/linear/refusing", .may_refuse = true};
    const struct osp_kernel *const rungs[] = {&kernel};
    struct harness harness;
    assert_int_not_equal(failures_of(rungs, 1, &known, &harness), 0);
    assert_non_null(strstr(harness.first, "refused: it is planted"));
}

int main(void)
{
    cpu = osp_backends[0];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted), cmocka_unit_test(test_plainest_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
