#include "packs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum progress { ABSENT, FRESH, PACKED }; /* FRESH: in the call that goes on */

struct osp_packs {
    const struct osp_graph *graph;
    const struct osp_backend *backend;
    const char *kind;              /* what the device says of its packing; NULL: this is for one session alone */
    struct osp_node_state *states; /* [node_count * rung_room], by twin and rung */
    char *progress;                /* likewise */
    int rung_room;
    int sessions;         /* that have it open */
    pthread_mutex_t lock; /* held while something is packed: states that are there do not change */
    struct osp_packs *next;
};

static struct osp_packs *all; /* that are shared, of all models */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

/* The most rungs that any op has. */
static int longest_ladder(const struct osp_backend *backend)
{
    const char *owner;
    int most = 0;
    for (int op = 0; op < OSP_OP_COUNT; op++)
        while (osp_backend_kernel(backend, (enum osp_op)op, most, &owner))
            most++;
    return most;
}

static osp_status make(const struct osp_graph *graph, const struct osp_backend *backend, const char *kind, struct osp_packs **out)
{
    int rungs = longest_ladder(backend);
    size_t slots = (size_t)graph->node_count * (size_t)rungs + 1;
    struct osp_packs *packs = calloc(1, sizeof *packs);
    struct osp_node_state *states = calloc(slots, sizeof *states);
    char *progress = calloc(slots, 1);
    if (!packs || !states || !progress) {
        free(packs);
        free(states);
        free(progress);
        return osp_fail(OSP_MEMORY, "out of memory: a session needs tables of %zu bytes", slots * (sizeof *states + 1));
    }
    *packs = (struct osp_packs){graph, backend, kind, states, progress, rungs, .sessions = 1};
    pthread_mutex_init(&packs->lock, NULL);
    *out = packs;
    return OSP_OK;
}

osp_status osp_packs_open(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                          struct osp_packs **out)
{
    const char *kind = backend->packing ? backend->packing(device) : NULL;
    if (!kind)
        return make(graph, backend, NULL, out);
    osp_status status = OSP_OK;
    pthread_mutex_lock(&all_lock);
    struct osp_packs *found = all;
    while (found && (found->graph != graph || found->backend != backend || strcmp(found->kind, kind) != 0))
        found = found->next;
    if (found) {
        found->sessions++;
    } else if (!(status = make(graph, backend, kind, &found))) {
        found->next = all;
        all = found;
    }
    pthread_mutex_unlock(&all_lock);
    if (!status)
        *out = found;
    return status;
}

static const struct osp_kernel *kernel_of(const struct osp_packs *packs, int slot)
{
    const char *owner;
    return osp_backend_kernel(packs->backend, packs->graph->nodes[slot / packs->rung_room].op, slot % packs->rung_room, &owner);
}

/* Releases everything that has come as far as `what`. */
static void forget(struct osp_packs *packs, struct osp_device *device, enum progress what)
{
    for (int slot = 0; slot < packs->graph->node_count * packs->rung_room; slot++) {
        if (packs->progress[slot] != (char)what)
            continue;
        const struct osp_kernel *kernel = kernel_of(packs, slot);
        if (kernel->release)
            kernel->release(device, &packs->states[slot]);
        packs->progress[slot] = ABSENT;
    }
}

void osp_packs_close(struct osp_packs *packs, struct osp_device *device)
{
    if (!packs)
        return;
    pthread_mutex_lock(&all_lock);
    int left = --packs->sessions;
    for (struct osp_packs **at = &all; left == 0 && *at; at = &(*at)->next)
        if (*at == packs) {
            *at = packs->next;
            break;
        }
    pthread_mutex_unlock(&all_lock);
    if (left)
        return;
    forget(packs, device, PACKED);
    pthread_mutex_destroy(&packs->lock);
    free(packs->states);
    free(packs->progress);
    free(packs);
}

static int slot_of(const struct osp_packs *packs, const struct osp_plan *plan, int i)
{
    return packs->graph->nodes[i].twin * packs->rung_room + plan->nodes[i].rung;
}

static osp_status pack(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan, int *fresh)
{
    for (int i = 0; i < packs->graph->node_count; i++) {
        const struct osp_plan_node *node = &plan->nodes[i];
        int slot = slot_of(packs, plan, i);
        if (packs->progress[slot] || !node->kernel->prepare)
            continue;
        osp_status status = node->kernel->prepare(device, &node->call, &packs->states[slot]);
        if (status)
            return osp_fail(status, "%s: %s", packs->graph->nodes[i].name, osp_message());
        packs->progress[slot] = FRESH;
        *fresh = 1;
        osp_safetensors_give_back(packs->graph->file);
    }
    return OSP_OK;
}

osp_status osp_packs_prepare(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan)
{
    int fresh = 0;
    pthread_mutex_lock(&packs->lock);
    osp_status status = pack(packs, device, plan, &fresh),
               changed = fresh ? osp_safetensors_unchanged(packs->graph->file) : OSP_OK;
    if (changed)
        forget(packs, device, FRESH);
    for (int slot = 0; fresh && slot < packs->graph->node_count * packs->rung_room; slot++)
        if (packs->progress[slot] == FRESH)
            packs->progress[slot] = PACKED;
    pthread_mutex_unlock(&packs->lock);
    return changed ? changed : status;
}

struct osp_node_state *osp_packs_state(struct osp_packs *packs, const struct osp_plan *plan, int i)
{
    return &packs->states[slot_of(packs, plan, i)];
}
