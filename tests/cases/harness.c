/* Runs case tables; the rules are in harness.h. */
#include "harness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/constant.h"
#include "runtime/shape.h"

/* ---- Devices ---------------------------------------------------------------------------------------------- */

static void open_bench(struct harness *harness, const struct osp_backend *backend, const struct osp_device_options *options)
{
    struct osp_device *device;
    osp_status status = backend->open(options, &device);
    if (status == OSP_USAGE && options->isa)
        return; /* an instruction set of another backend */
    if (status == OSP_UNAVAILABLE) {
        static char said[1024]; /* not for each op again */
        if (options->threads <= 1 && strncmp(said, osp_message(), sizeof said - 1) != 0)
            print_message("NOT RUN: %s %s: %s\n", backend->name, options->isa ? options->isa : "", osp_message());
        snprintf(said, sizeof said, "%s", osp_message());
        return;
    }
    if (status != OSP_OK)
        fail_msg("%s: open: %s", backend->name, osp_message());
    if (options->threads > 1 && backend->threads(device) != options->threads) { /* threads mean nothing here */
        backend->close(device);
        return;
    }
    assert_true(harness->count < HARNESS_DEVICES);
    struct bench *bench = &harness->benches[harness->count++];
    *bench = (struct bench){.backend = backend, .device = device, .watched = options->emu && !strcmp(options->emu, "check")};
    snprintf(bench->label, sizeof bench->label, "%s x%d", backend->isa(device), backend->threads(device));
}

void harness_add(struct harness *harness, const char *backend, const struct osp_device_options *options)
{
    for (int b = 0; harness->backends[b]; b++)
        if (!strcmp(harness->backends[b]->name, backend))
            open_bench(harness, harness->backends[b], options);
}

void harness_open(struct harness *harness, const struct osp_backend *const *backends)
{
    static const char *const isas[] = {"portable", "avx2", "avx512", NULL};
    static const char *const orders[] = {"shuffled=1", "shuffled=2", "shuffled=3", "shuffled=4"};
    *harness = (struct harness){.backends = backends};
    for (int b = 0; backends[b]; b++) {
        int before = harness->count;
        for (int i = 0; i < CASE_COUNT(isas); i++) {
            if (!isas[i] && harness->count > before)
                continue; /* the default is one of those that were opened */
            for (int threads = 1; threads <= 3; threads += SANITIZED ? 2 : 1)
                open_bench(harness, backends[b], &(struct osp_device_options){.threads = threads, .isa = isas[i]});
        }
    }
    for (int i = 0; i < (SANITIZED ? 1 : CASE_COUNT(orders)); i++) /* another order reaches no other memory */
        harness_add(harness, "emu", &(struct osp_device_options){.threads = 1, .emu = orders[i]});
}

void harness_close(struct harness *harness)
{
    for (int i = 0; i < harness->count; i++)
        harness->benches[i].backend->close(harness->benches[i].device);
    harness->count = 0;
}

/* ---- One case: its host data and what must come out ------------------------------------------------------- */

struct problem {
    const struct case_table *table;
    const struct test_case *test;
    struct osp_call call; /* data pointers are the host's */
    struct osp_constant *constant[OSP_MAX_CONSTANTS];
    float *rows[OSP_MAX_CONSTANTS];
    double *want[OSP_MAX_OUTPUTS], *slack[OSP_MAX_OUTPUTS];
    void *plainest[OSP_MAX_OUTPUTS]; /* bits of the first rung that ran */
};

static size_t tensor_bytes(const struct osp_tensor *tensor)
{
    return (size_t)osp_shape_count(&tensor->shape) * osp_dtype_size(tensor->dtype);
}

static void *host_alloc(size_t bytes)
{
    void *memory = malloc(bytes + 1);
    assert_non_null(memory);
    return memory;
}

static double *new_slack(const struct osp_tensor *tensor)
{
    double *slack = calloc((size_t)osp_shape_count(&tensor->shape) + 1, sizeof *slack);
    assert_non_null(slack);
    return slack;
}

static struct case_view view_of(const struct problem *problem, const struct osp_call *call)
{
    struct case_view view = {.test = problem->test, .call = call};
    memcpy(view.want, problem->want, sizeof view.want);
    memcpy(view.slack, problem->slack, sizeof view.slack);
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++)
        view.constant[i] = problem->rows[i];
    return view;
}

static void problem_open(struct problem *problem, const struct case_table *table, const struct test_case *test, enum osp_op op)
{
    *problem = (struct problem){.table = table, .test = test, .call = {.op = op, .attrs = &test->attrs, .dims = test->dims}};
    struct osp_call *call = &problem->call;
    for (int i = 0; i < OSP_MAX_INPUTS; i++) {
        if (test->in[i].shape.rank == 0)
            continue;
        call->inputs = i + 1;
        call->in[i] = (struct osp_tensor){.dtype = test->in[i].dtype, .shape = test->in[i].shape};
        call->in[i].data = host_alloc(tensor_bytes(&call->in[i]));
        case_fill(test, &test->in[i], i, &call->in[i]);
    }
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++) {
        if (test->constant[i].shape.rank == 0)
            continue;
        struct osp_tensor rows = {.dtype = OSP_F32, .shape = test->constant[i].shape};
        rows.data = problem->rows[i] = host_alloc(tensor_bytes(&rows));
        case_fill(test, &test->constant[i], OSP_MAX_INPUTS + i, &rows);
        if (osp_constant_new(problem->rows[i], &rows.shape, &problem->constant[i]) != OSP_OK)
            fail_msg("%s: %s", test->name, osp_message());
        call->constant[i] = problem->constant[i];
    }
    if (osp_infer(call) != OSP_OK)
        fail_msg("%s: case \"%s\": %s", osp_op_name(op), test->name, osp_message());
    for (int i = 0; i < call->outputs; i++) {
        int64_t count = osp_shape_count(&call->out[i].shape);
        problem->want[i] = host_alloc((size_t)count * sizeof(double));
        problem->slack[i] = new_slack(&call->out[i]);
        for (int64_t j = 0; j < count; j++)
            problem->want[i][j] = (double)NAN;
    }
    struct case_view view = view_of(problem, call);
    if (table->reference)
        table->reference(&view);
}

static void problem_close(struct problem *problem)
{
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        free(problem->call.in[i].data);
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++) {
        osp_constant_free(problem->constant[i]);
        free(problem->rows[i]);
    }
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++) {
        free(problem->want[i]);
        free(problem->slack[i]);
        free(problem->plainest[i]);
    }
}

/* ---- Judging ---------------------------------------------------------------------------------------------- */

struct subject { /* what is being judged, for messages */
    const struct problem *problem;
    const struct bench *bench;
    const struct osp_kernel *kernel;
    struct case_rung known;
    struct harness *harness;
};

static void report(struct harness *harness, const char *who, const char *what)
{
    char sentence[sizeof harness->first];
    snprintf(sentence, sizeof sentence, "%s %s", who, what);
    if (harness->failures++ == 0)
        memcpy(harness->first, sentence, sizeof sentence);
    if (harness->failures <= HARNESS_SHOWN && !harness->quiet)
        print_error("%s\n", sentence);
    if (harness->failed)
        harness->failed(sentence);
}

static void complain(const struct subject *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(const struct subject *subject, const char *format, ...)
{
    char who[256], what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(who, sizeof who, "%s/%s/%s on %s: case \"%s\":", subject->bench->backend->name,
             osp_op_name(subject->problem->call.op), subject->kernel->name, subject->bench->label, subject->problem->test->name);
    report(subject->harness, who, what);
}

/* "2,0,5" of element i. */
static void index_text(const struct osp_shape *shape, int64_t i, char text[80])
{
    int64_t index[OSP_MAX_RANK] = {0};
    for (int d = shape->rank - 1; d >= 0; d--) {
        index[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
    int used = 0;
    text[0] = 0;
    for (int d = 0; d < shape->rank; d++)
        used += snprintf(text + used, 80 - (size_t)used, "%s%lld", d ? "," : "", (long long)index[d]);
}

static void judge_values(const struct subject *subject, const struct osp_tensor *got, int slot)
{
    const struct problem *problem = subject->problem;
    double widen = subject->known.widen > 0 ? subject->known.widen : 1;
    int64_t count = osp_shape_count(&got->shape);
    char at[80];
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = 0;
        if (osp_dtype_size(got->dtype) == sizeof bits)
            memcpy(&bits, (const uint8_t *)got->data + i * 4, sizeof bits);
        double value = case_element(got, i), want = problem->want[slot][i], slack = problem->slack[slot][i] * widen;
        bool good = false;
        if (bits == block_poison)
            ;
        else if (!problem->table->reference)
            good = value == value || problem->test->nan_expected;
        else if (want != want)
            good = problem->test->nan_expected && (value != value || subject->known.loses_nan);
        else if (isinf(slack))
            good = true;
        else if (slack > 0)
            good = value - want <= slack && want - value <= slack;
        else
            good = value == (got->dtype == OSP_F32 ? (double)(float)want : want);
        if (good)
            continue;
        index_text(&got->shape, i, at);
        complain(subject, "output %d [%s]: got %.9g%s, want %.9g (slack %.3g)", slot, at, value,
                 bits == block_poison ? " (never written)" : "", want, slack);
        return;
    }
}

/* Compares bits with an earlier run; NaN equals NaN whatever its payload. */
static void judge_bits(const struct subject *subject, const struct osp_tensor *got, const void *before, int slot,
                       const char *what)
{
    struct osp_tensor old = {.dtype = got->dtype, .shape = got->shape, .data = (void *)before};
    size_t size = osp_dtype_size(got->dtype);
    int64_t count = osp_shape_count(&got->shape);
    char at[80];
    for (int64_t i = 0; i < count; i++) {
        double a = case_element(got, i), b = case_element(&old, i);
        size_t offset = (size_t)i * size;
        if (memcmp((uint8_t *)got->data + offset, (const uint8_t *)before + offset, size) == 0 || (a != a && b != b))
            continue;
        index_text(&got->shape, i, at);
        complain(subject, "output %d [%s]: %.9g, but %.9g %s", slot, at, a, b, what);
        return;
    }
}

static void judge(const struct subject *subject, struct problem *problem, const struct osp_call *got,
                  void *first[OSP_MAX_OUTPUTS])
{
    struct case_view view = view_of(problem, got);
    for (int i = 0; i < got->outputs; i++) {
        size_t bytes = tensor_bytes(&got->out[i]);
        judge_values(subject, &got->out[i], i);
        if (first[i])
            judge_bits(subject, &got->out[i], first[i], i, "on another instruction set, thread count or run");
        else
            memcpy(first[i] = host_alloc(bytes), got->out[i].data, bytes);
        if (!problem->plainest[i])
            memcpy(problem->plainest[i] = host_alloc(bytes), got->out[i].data, bytes);
        else if (!subject->known.own_order)
            judge_bits(subject, &got->out[i], problem->plainest[i], i, "from the plainest rung");
    }
    const char *wrong = problem->table->check ? problem->table->check(&view) : NULL;
    if (wrong)
        complain(subject, "%s", wrong);
}

/* ---- Running ---------------------------------------------------------------------------------------------- */

/* Packs weights from a call that has no shapes. */
static osp_status prepare(const struct subject *subject, struct osp_node_state *state)
{
    struct osp_call call = subject->problem->call;
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        call.in[i] = (struct osp_tensor){0};
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        call.out[i] = (struct osp_tensor){0};
    call.dims = (struct osp_dims){0};
    return subject->kernel->prepare ? subject->kernel->prepare(subject->bench->device, &call, state) : OSP_OK;
}

/* The call as a plan shows it: shapes without memory. */
static struct osp_call unbound(const struct osp_call *bound)
{
    struct osp_call call = *bound;
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        call.in[i].data = NULL;
    return call;
}

/* One run in fresh, guarded memory; judged. */
static void run_once(const struct subject *subject, struct problem *problem, struct osp_node_state *state,
                     void *first[OSP_MAX_OUTPUTS])
{
    const struct bench *bench = subject->bench;
    const struct osp_kernel *kernel = subject->kernel;
    struct block in[OSP_MAX_INPUTS] = {0}, out[OSP_MAX_OUTPUTS] = {0}, scratch = {0};
    struct osp_call call = problem->call, got = problem->call;
    for (int i = 0; i < call.inputs; i++) {
        if (call.in[i].shape.rank == 0)
            continue;
        in[i] = block_new(bench, problem->call.in[i].data, tensor_bytes(&call.in[i]));
        call.in[i].data = block_body(&in[i]);
    }
    for (int i = 0; i < call.outputs; i++) {
        out[i] = block_new(bench, NULL, tensor_bytes(&call.out[i]));
        call.out[i].data = block_body(&out[i]);
        got.out[i].data = host_alloc(out[i].bytes);
    }
    if (kernel->scratch) {
        struct osp_call unbound_call = unbound(&problem->call);
        scratch = block_new(bench, NULL, kernel->scratch(bench->device, &unbound_call));
    }
    call.scratch = block_body(&scratch);
    const struct osp_clock *clock = bench->backend->clock;
    void (*ran)(const struct harness_outcome *) = subject->harness->ran;
    int before = subject->harness->failures;
    double seconds = 0;
    osp_status status = ran ? clock->reserve(bench->device, 2) : OSP_OK;
    if (status == OSP_OK && ran)
        status = clock->mark(bench->device, 0);
    if (status == OSP_OK)
        status = kernel->run(bench->device, &call, state);
    if (status == OSP_OK && ran && (status = clock->mark(bench->device, 1)) == OSP_OK)
        status = clock->seconds(bench->device, 0, 1, &seconds);
    if (status != OSP_OK)
        complain(subject, "failed: %s", osp_message());
    for (int i = 0; i < call.inputs; i++)
        if (in[i].device && !block_intact(bench, &in[i], false, NULL))
            complain(subject, "changed input %d or the memory around it", i);
    for (int i = 0; i < call.outputs; i++)
        if (!block_intact(bench, &out[i], true, got.out[i].data))
            complain(subject, "wrote around output %d", i);
    if (scratch.device && !block_intact(bench, &scratch, true, NULL))
        complain(subject, "wrote around its scratch of %zu bytes", scratch.bytes);
    if (status == OSP_OK)
        judge(subject, problem, &got, first);
    if (ran)
        ran(&(struct harness_outcome){.bench = bench,
                                      .op = call.op,
                                      .kernel = kernel,
                                      .test = problem->test->name,
                                      .broken = subject->harness->failures - before,
                                      .seconds = seconds});
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        block_free(bench, &in[i]);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        block_free(bench, &out[i]);
    for (int i = 0; i < call.outputs; i++)
        free(got.out[i].data);
    block_free(bench, &scratch);
}

/* Returns whether the rung took the call. It runs twice: what a run leaves in the node's state must not change the next one's bits;
 * under a sanitizer it is enough that one device shows that. */
static bool run_rung(const struct subject *subject, struct problem *problem, bool plainest, void *first[OSP_MAX_OUTPUTS])
{
    const struct osp_kernel *kernel = subject->kernel;
    struct osp_device *device = subject->bench->device;
    struct osp_call call = unbound(&problem->call);
    const char *refusal = kernel->refuses ? kernel->refuses(device, &call) : NULL;
    if (refusal) {
        if (plainest || !subject->known.may_refuse)
            complain(subject, "refused: %s", refusal);
        if (subject->harness->ran)
            subject->harness->ran(
                &(struct harness_outcome){subject->bench, call.op, kernel, problem->test->name, .refusal = refusal});
        return false;
    }
    if (kernel->cost && !(kernel->cost(device, &call) >= 0))
        complain(subject, "its cost is not a number of seconds");
    struct osp_node_state state = {0};
    osp_status status = prepare(subject, &state);
    if (status == OSP_USAGE && subject->known.may_refuse_weights)
        return false;
    if (status != OSP_OK) {
        complain(subject, "prepare failed: %s", osp_message());
    } else {
        int before = subject->harness->failures, times = SANITIZED && first[0] ? 1 : 2;
        for (int i = 0; i < times && subject->harness->failures == before; i++)
            run_once(subject, problem, &state, first);
    }
    if (kernel->release)
        kernel->release(device, &state);
    return true;
}

static void forget(void *bits[OSP_MAX_OUTPUTS])
{
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++) {
        free(bits[i]);
        bits[i] = NULL;
    }
}

static struct case_rung known_rung(const struct case_table *table, const char *backend, enum osp_op op, const char *rung)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s/%s", strcmp(backend, "emu") ? backend : "cuda", osp_op_name(op), rung);
    for (int i = 0; i < table->rung_count; i++)
        if (strcmp(table->rungs[i].name, name) == 0)
            return table->rungs[i];
    return (struct case_rung){.name = NULL};
}

/* Puts a rung's own bound in place of the reference's, which goes to `kept`. */
static void own_slack(struct problem *problem, const struct case_rung *known, double *kept[OSP_MAX_OUTPUTS])
{
    memcpy(kept, problem->slack, sizeof problem->slack);
    for (int i = 0; i < problem->call.outputs; i++)
        problem->slack[i] = new_slack(&problem->call.out[i]);
    struct case_view view = view_of(problem, &problem->call);
    known->slack(&view);
}

static void restore_slack(struct problem *problem, double *kept[OSP_MAX_OUTPUTS])
{
    for (int i = 0; i < problem->call.outputs; i++)
        free(problem->slack[i]);
    memcpy(problem->slack, kept, sizeof problem->slack);
}

/* Runs one case through one rung of a backend, on all of its devices; returns how many took it. */
static int run_case(struct harness *harness, const struct osp_backend *backend, int rung, struct problem *problem)
{
    const struct osp_kernel *kernel = backend->ops[problem->call.op]->rungs[rung];
    const struct case_rung known = known_rung(problem->table, backend->name, problem->call.op, kernel->name);
    void *first[OSP_MAX_OUTPUTS] = {NULL};
    double *kept[OSP_MAX_OUTPUTS];
    int ran = 0;
    if (known.slack)
        own_slack(problem, &known, kept);
    for (int b = 0; b < harness->count; b++) {
        struct subject subject = {problem, &harness->benches[b], kernel, known, harness};
        if (subject.bench->backend == backend)
            ran += run_rung(&subject, problem, rung == 0 && !backend->base, first);
        if (subject.known.by_threads)
            forget(first);
    }
    if (known.slack)
        restore_slack(problem, kept);
    forget(first);
    return ran;
}

static bool has_device(const struct harness *harness, const struct osp_backend *backend)
{
    for (int b = 0; b < harness->count; b++)
        if (harness->benches[b].backend == backend)
            return true;
    return false;
}

int harness_run(struct harness *harness, const struct case_table *table, enum osp_op op)
{
    enum { MAX_BACKENDS = 8, MAX_RUNGS = 16 };
    int ran[MAX_BACKENDS][MAX_RUNGS] = {{0}};
    harness->failures = 0;
    assert_true(table->count > 0);
    for (int c = 0; c < table->count; c++) {
        struct problem problem;
        problem_open(&problem, table, &table->cases[c], op);
        for (int b = 0; harness->backends[b]; b++)
            for (int r = 0; harness->backends[b]->ops[op] && r < harness->backends[b]->ops[op]->count; r++)
                ran[b][r] += run_case(harness, harness->backends[b], r, &problem);
        problem_close(&problem);
    }
    for (int b = 0; harness->backends[b]; b++) {
        const struct osp_ladder *ladder = harness->backends[b]->ops[op];
        for (int r = 0; ladder && has_device(harness, harness->backends[b]) && r < ladder->count; r++) {
            if (ran[b][r] || harness->lacks >> ladder->rungs[r]->precision & 1)
                continue;
            char who[256];
            snprintf(who, sizeof who, "%s/%s/%s", harness->backends[b]->name, osp_op_name(op), ladder->rungs[r]->name);
            report(harness, who, "ran no case");
        }
    }
    return harness->failures;
}
