/* Tuning: whole runs of the network, each with another rung for every layer that has one, in turns.
 *
 * Layers are timed where they stand, with what the layer before left in the caches. First each layer's ladder is tried from the
 * top down, in a run or two each. Below the plan's choice, a rung that takes twice the best's time ends the way, since those
 * below it are slower by the ladder's contract; and the plainest, which would take minutes, are left out where they have no
 * chance on the op's smallest layer. Then those near the best take turns, round by round, and another rung than the plan's wins
 * only where the 99 % interval of the ratio, from pairs of the same round, says so. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "statistics.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/tools.h"
#include "tune_inside.h"

enum { TRIES = 2 };
static const double HOPELESS = 2, ABSURD = 8, NEAR = 1.25; /* times the best */

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while tuning"); }

static void tell(const struct tuner *t, const char *what, int i)
{
    if (!t->asked->quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s %d", what, i);
}

/* ---- Runs ----------------------------------------------------------------------------------------- */

osp_status tune_run_once(const struct tuner *t, struct osp_session *session)
{
    struct osp_detections *found = calloc((size_t)t->asked->batch, sizeof *found);
    osp_status status =
        found ? osp_detect_batch(session, (const struct osp_image *const *)t->images, t->asked->batch, found) : no_memory();
    for (int i = 0; !status && i < t->asked->batch; i++)
        osp_detections_free(&found[i]);
    free(found);
    return status;
}

static double kind_seconds(const struct tuner *t, const struct osp_session *session, int k)
{
    const struct osp_plan *plan = osp_session_last_plan(session);
    struct osp_line line;
    double seconds = 0;
    for (int i = 0; i < t->nodes; i++) {
        if (t->kind_of[i] != k)
            continue;
        osp_plan_line(plan, i, &line);
        seconds += line.seconds;
    }
    return seconds;
}

/* A session whose layers of kind k run rung choice[k]. */
static osp_status open_with(const struct tuner *t, const int *choice, struct osp_session **out)
{
    char *use = NULL;
    size_t size;
    FILE *stream = open_memstream(&use, &size);
    struct osp_session *session = NULL;
    struct osp_line line;
    for (int i = 0; stream && i < t->nodes; i++) {
        const struct kind *kind = &t->kinds[t->kind_of[i]];
        osp_plan_line(osp_session_last_plan(t->session), i, &line);
        if (kind->rungs > 1)
            fprintf(stream, "%s%s:%s=%s", ftell(stream) ? "," : "", line.node, line.op, kind->rung[choice[t->kind_of[i]]].name);
    }
    osp_status status = stream && fclose(stream) == 0 ? OSP_OK : no_memory();
    struct osp_session_options options = t->spec.options;
    options.use = use;
    if (!status)
        status = osp_session_open(t->model, &options, &session);
    if (!status)
        status = osp_session_set_size(session, t->asked->min_size, t->asked->max_size);
    free(use);
    if (status)
        osp_session_close(session);
    else
        *out = session;
    return status;
}

/* ---- Kinds ---------------------------------------------------------------------------------------- */

static int find_kind(const struct tuner *t, const char *call)
{
    int k = 0;
    while (k < t->kind_count && strcmp(t->kinds[k].call, call) != 0)
        k++;
    return k;
}

static void list_rungs(const struct osp_plan *plan, int node, struct kind *kind)
{
    const char *name, *refusal;
    struct osp_line line;
    osp_plan_line(plan, node, &line);
    for (int r = 0; osp_plan_rung(plan, node, r, &name, &refusal) && kind->rungs < OSP_TUNE_RUNGS; r++) {
        if (refusal)
            continue;
        if (!strcmp(name, base_name(line.kernel)))
            kind->model = kind->rungs;
        kind->rung[kind->rungs++] = (struct rung){.name = name, .tried = NAN};
    }
    kind->next = kind->rungs - 1;
    kind->best = kind->model;
}

static osp_status list_kinds(struct tuner *t)
{
    const struct osp_plan *plan = osp_session_last_plan(t->session);
    t->nodes = osp_plan_lines(plan);
    t->kind_of = calloc((size_t)t->nodes, sizeof *t->kind_of);
    t->kinds = calloc((size_t)t->nodes, sizeof *t->kinds);
    if (!t->kind_of || !t->kinds)
        return no_memory();
    for (int i = 0; i < t->nodes; i++) {
        char call[OSP_TUNE_CALL];
        osp_plan_call(plan, i, call);
        int k = t->kind_of[i] = find_kind(t, call);
        struct kind *kind = &t->kinds[k];
        if (k == t->kind_count) {
            kind->first = i;
            memcpy(kind->call, call, sizeof call);
            list_rungs(plan, i, kind);
            t->kind_count++;
        }
        kind->layers++;
    }
    return OSP_OK;
}

/* ---- Trying every ladder from the top ---------------------------------------------------------------- */

static double fastest_tried(const struct kind *kind)
{
    double best = INFINITY;
    for (int r = 0; r < kind->rungs; r++)
        best = fmin(best, kind->rung[r].tried); /* of a NaN and a number fmin takes the number */
    return best;
}

/* What every kind runs next: the rung below the last one tried, or again the plan's. False: there is nothing left to try. */
static bool next_choice(struct tuner *t, bool smallest_only, int *choice)
{
    bool any = false;
    for (int k = 0; k < t->kind_count; k++) {
        struct kind *kind = &t->kinds[k];
        while (kind->next >= 0 && (kind->next == kind->model || kind->rung[kind->next].absurd))
            kind->next--;
        bool tries = kind->next >= 0 && (kind->smallest || !smallest_only);
        choice[k] = tries ? kind->next : kind->model;
        any = any || tries;
    }
    return any;
}

/* The way goes on, or ends here. */
static void go_down(struct kind *kind)
{
    bool hopeless = kind->next < kind->model && kind->rung[kind->next].tried > HOPELESS * fastest_tried(kind);
    kind->next = hopeless ? -1 : kind->next - 1;
}

/* Once, and once more where some rung that is new may be near the best of its kind. */
static osp_status try_choice(struct tuner *t, const int *choice, struct osp_session *session)
{
    osp_status status = OSP_OK;
    bool worth = true;
    for (int run = 0; run < TRIES && worth && !status && !signal_caught(); run++) {
        status = tune_run_once(t, session);
        worth = session == t->session;
        for (int k = 0; !status && k < t->kind_count; k++) {
            struct rung *rung = &t->kinds[k].rung[choice[k]];
            rung->tried = fmin(rung->tried, kind_seconds(t, session, k));
            worth = worth || (choice[k] == t->kinds[k].next && rung->tried <= HOPELESS * fastest_tried(&t->kinds[k]));
        }
    }
    for (int k = 0; k < t->kind_count; k++)
        if (choice[k] == t->kinds[k].next)
            go_down(&t->kinds[k]);
    return status;
}

static bool same_op(const struct kind *a, const struct kind *b)
{
    size_t length = strcspn(a->call, " ");
    return length == strcspn(b->call, " ") && !strncmp(a->call, b->call, length);
}

static void find_smallest(struct tuner *t)
{
    for (int k = 0; k < t->kind_count; k++) {
        struct kind *kind = &t->kinds[k];
        kind->smallest = true;
        for (int i = 0; i < t->kind_count; i++) {
            double other = t->kinds[i].rung[t->kinds[i].model].tried / t->kinds[i].layers,
                   own = kind->rung[kind->model].tried / kind->layers;
            if (same_op(kind, &t->kinds[i]) && (other < own || (other <= own && i < k)))
                kind->smallest = false;
        }
    }
}

/* What had no chance on the smallest layer of an op is not tried on others. */
static void rule_out(struct tuner *t, const struct kind *smallest)
{
    for (int s = 0; s < smallest->model; s++) {
        if (smallest->rung[s].tried <= ABSURD * fastest_tried(smallest))
            continue;
        for (int k = 0; k < t->kind_count; k++)
            for (int r = 0; same_op(smallest, &t->kinds[k]) && r < t->kinds[k].rungs; r++)
                if (!strcmp(t->kinds[k].rung[r].name, smallest->rung[s].name))
                    t->kinds[k].rung[r].absurd = r != t->kinds[k].model;
    }
}

static osp_status try_sets(struct tuner *t, bool smallest_only, int *choice)
{
    osp_status status = OSP_OK;
    for (int i = 1; !status && !signal_caught() && next_choice(t, smallest_only, choice); i++) {
        struct osp_session *session = NULL;
        tell(t, smallest_only ? "trying rungs on the smallest layers, set" : "trying rungs, set", i);
        status = open_with(t, choice, &session);
        if (!status)
            status = try_choice(t, choice, session);
        osp_session_close(session);
    }
    return status;
}

static osp_status try_ladders(struct tuner *t, int *choice)
{
    for (int k = 0; k < t->kind_count; k++)
        choice[k] = t->kinds[k].model;
    osp_status status = try_choice(t, choice, t->session);
    find_smallest(t);
    if (!status)
        status = try_sets(t, true, choice);
    for (int k = 0; k < t->kind_count; k++)
        if (t->kinds[k].smallest)
            rule_out(t, &t->kinds[k]);
    return status ? status : try_sets(t, false, choice);
}

/* ---- Turns ---------------------------------------------------------------------------------------- */

/* Returns how many sets of rungs it takes until each near the best has had its turn. */
static int list_near(struct tuner *t)
{
    int most = 1;
    for (int k = 0; k < t->kind_count; k++) {
        struct kind *kind = &t->kinds[k];
        kind->near[kind->nears++] = kind->model;
        for (int r = kind->rungs - 1; r >= 0; r--)
            if (r != kind->model && kind->rung[r].tried <= NEAR * fastest_tried(kind))
                kind->near[kind->nears++] = r;
        most = kind->nears > most ? kind->nears : most;
    }
    return most;
}

static osp_status record(struct tuner *t, const struct osp_session *session, int set)
{
    osp_status status = OSP_OK;
    for (int k = 0; !status && k < t->kind_count; k++)
        if (set < t->kinds[k].nears)
            status = samples_add(&t->kinds[k].rung[t->kinds[k].near[set]].seconds, kind_seconds(t, session, k));
    return status;
}

static osp_status take_turns(struct tuner *t, struct osp_session *const *sessions, int sets)
{
    osp_status status = OSP_OK;
    double start = now();
    for (int round = 0; round < t->asked->most && !status && !signal_caught(); round++) {
        if (round >= t->asked->least && now() - start > t->asked->seconds * sets)
            break;
        tell(t, "taking turns, round", round + 1);
        for (int i = 0; !status && i < sets; i++) {
            int set = (i + round) % sets;
            status = tune_run_once(t, sessions[set]);
            if (!status)
                status = record(t, sessions[set], set);
        }
    }
    return status;
}

static void choose(struct kind *kind)
{
    const struct samples *model = &kind->rung[kind->model].seconds;
    for (int n = 1; n < kind->nears; n++) {
        const struct samples *other = &kind->rung[kind->near[n]].seconds;
        struct estimate ratio = samples_ratio(other, model);
        if (ratio.high < 1 && samples_median(other) < samples_median(&kind->rung[kind->best].seconds))
            kind->best = kind->near[n];
    }
}

static osp_status measure_near(struct tuner *t, int *choice)
{
    struct osp_session *sessions[OSP_TUNE_RUNGS] = {t->session};
    int sets = list_near(t);
    osp_status status = OSP_OK;
    for (int s = 1; !status && s < sets; s++) {
        for (int k = 0; k < t->kind_count; k++)
            choice[k] = t->kinds[k].near[s < t->kinds[k].nears ? s : 0];
        status = open_with(t, choice, &sessions[s]);
        if (!status)
            status = tune_run_once(t, sessions[s]); /* what is packed once is packed now */
    }
    if (!status)
        status = take_turns(t, sessions, sets);
    for (int s = 1; s < sets; s++)
        osp_session_close(sessions[s]);
    for (int k = 0; !status && k < t->kind_count; k++)
        choose(&t->kinds[k]);
    return status;
}

/* ---- All together --------------------------------------------------------------------------------- */

osp_status tune_measure(struct tuner *t)
{
    osp_status status = list_kinds(t);
    int *choice = calloc((size_t)t->nodes + 1, sizeof *choice);
    if (!status)
        status = choice ? try_ladders(t, choice) : no_memory();
    if (!status && !signal_caught())
        status = measure_near(t, choice);
    free(choice);
    if (!t->asked->quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return status;
}
