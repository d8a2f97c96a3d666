/* Which of cuDNN's engines runs a graph: the first that its heuristics name and that keeps what was asked.
 *
 * An engine says what it does to numbers in notes. On f32 operands a tensor core means tf32. Refused in every precision: sums
 * whose order may change from run to run; and Winograd and FFT, whose error the bounds of these rungs do not cover. */
#include "kernels/cudnn/cudnn.h"

enum { OFFERED = 32, NOTES = CUDNN_NUMERICAL_NOTE_TYPE_COUNT };

enum verdict { FITS, ROUNDS, TRANSFORMS, NOT_REPEATABLE, NOT_SUPPORTED, TOO_LARGE, FAILED, VERDICTS };

static enum verdict judge_notes(const cudnnBackendNumericalNote_t *notes, int64_t count, enum osp_precision precision)
{
    for (int64_t i = 0; i < count; i++) {
        switch (notes[i]) {
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
            if (precision == OSP_PRECISION_TF32)
                break;
            return ROUNDS;
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            return ROUNDS;
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
            return NOT_REPEATABLE;
        case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
            break;
        default: /* Winograd, FFT, and what later versions may add */
            return TRANSFORMS;
        }
    }
    return FITS;
}

/* The notes of the engine that a configuration is of. */
static enum verdict judge_engine(struct cudnn_builder *b, cudnnBackendDescriptor_t config, enum osp_precision precision)
{
    static const char what[] = "an engine's notes";
    cudnnBackendNumericalNote_t notes[NOTES];
    int kept = b->parts->count;
    cudnnBackendDescriptor_t engine = cudnn_create(b, CUDNN_BACKEND_ENGINE_DESCRIPTOR, what);
    cudnn_get(b, config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine, what);
    int64_t count = cudnn_get(b, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, NOTES, notes, what);
    cudnn_destroy(b->part, b->parts, kept);
    return b->status ? FAILED : judge_notes(notes, count, precision);
}

static bool is_unsupported(cudnnStatus_t status)
{
    return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED;
}

/* A plan of the configuration: the last of the builder's parts if it fits, else destroyed. */
static enum verdict try_plan(struct cudnn_builder *b, cudnnBackendDescriptor_t config, size_t most_workspace,
                             cudnnBackendDescriptor_t *out, size_t *workspace)
{
    static const char what[] = "an execution plan";
    int kept = b->parts->count;
    int64_t bytes = 0;
    enum verdict verdict = FAILED;
    cudnnBackendDescriptor_t plan = cudnn_create(b, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, what);
    cudnn_set(b, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config, what);
    cudnn_set(b, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &b->part->cudnn, what);
    if (!b->status) {
        cudnn_finalize(b, plan, what);
        if (is_unsupported(b->status)) {
            b->status = CUDNN_STATUS_SUCCESS;
            verdict = NOT_SUPPORTED;
        } else {
            cudnn_get(b, plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &bytes, what);
            if (!b->status)
                verdict = bytes < 0 || (uint64_t)bytes > most_workspace ? TOO_LARGE : FITS;
        }
    }
    if (verdict != FITS)
        cudnn_destroy(b->part, b->parts, kept);
    *out = plan;
    *workspace = (size_t)bytes;
    return verdict;
}

/* Moves a descriptor behind those of another list; there is room for it and a plan. */
static void keep(struct cudnn_parts *from, cudnnBackendDescriptor_t descriptor, struct cudnn_parts *to)
{
    int i = 0;
    while (from->made[i] != descriptor)
        i++;
    for (from->count--; i < from->count; i++)
        from->made[i] = from->made[i + 1];
    to->made[to->count++] = descriptor;
}

/* What one of the heuristics offers, the best first; the number of configurations. */
static int64_t ask(struct cudnn_builder *b, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                   cudnnBackendDescriptor_t offered[OFFERED])
{
    static const char what[] = "the heuristics";
    cudnnBackendDescriptor_t heuristics = cudnn_create(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, what);
    cudnn_set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph, what);
    cudnn_set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode, what);
    if (b->status)
        return 0;
    cudnn_finalize(b, heuristics, what);
    if (is_unsupported(b->status)) {
        b->status = CUDNN_STATUS_SUCCESS;
        return 0;
    }
    int64_t count = cudnn_get(b, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, NULL, what);
    count = count < OFFERED ? count : OFFERED;
    for (int64_t i = 0; i < count; i++)
        offered[i] = cudnn_create(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, what);
    return count ? cudnn_get(b, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, offered, what)
                 : 0;
}

static osp_status none_fits(const struct cudnn_key *key, const int tally[VERDICTS], size_t most_workspace)
{
    int offered = 0;
    for (int i = 0; i < VERDICTS; i++)
        offered += tally[i];
    return osp_fail(
        OSP_UNAVAILABLE,
        "cuDNN offers %d engines for this shape and none fits %s: %d round their inputs or use tensor cores, %d transform "
        "(Winograd, FFT), %d may give other bits in another run, %d do not run on this GPU, %d need more than %zu bytes of "
        "workspace",
        offered, osp_precision_name((enum osp_precision)key->precision), tally[ROUNDS], tally[TRANSFORMS], tally[NOT_REPEATABLE],
        tally[NOT_SUPPORTED], tally[TOO_LARGE], most_workspace);
}

osp_status cudnn_choose_engine(struct cudnn_builder *builder, const struct cudnn_key *key, cudnnBackendDescriptor_t graph,
                               size_t most_workspace, cudnnBackendDescriptor_t *plan, size_t *workspace)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK};
    const struct cudnn_part *part = builder->part;
    int tally[VERDICTS] = {0};
    bool found = false;
    struct cudnn_builder failed = {.status = CUDNN_STATUS_SUCCESS};
    for (size_t m = 0; !found && !failed.status && m < sizeof modes / sizeof *modes; m++) {
        struct cudnn_parts parts = {.count = 0};
        struct cudnn_builder b = {.part = part, .parts = &parts};
        cudnnBackendDescriptor_t offered[OFFERED];
        int64_t count = ask(&b, graph, modes[m], offered);
        for (int64_t i = 0; !found && !b.status && i < count; i++) {
            enum verdict verdict = judge_engine(&b, offered[i], (enum osp_precision)key->precision);
            if (verdict == FITS)
                verdict = try_plan(&b, offered[i], most_workspace, plan, workspace);
            tally[verdict]++;
            found = verdict == FITS;
            if (found) {
                keep(&parts, offered[i], builder->parts);
                keep(&parts, *plan, builder->parts);
            }
        }
        if (b.status)
            failed = b;
        cudnn_destroy(part, &parts, 0);
    }
    if (failed.status)
        return cudnn_failed(part, failed.status, failed.call, failed.what);
    return found ? OSP_OK : none_fits(key, tally, most_workspace);
}
