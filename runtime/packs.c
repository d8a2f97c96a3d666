#include "packs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packfile.h"

enum progress { ABSENT, FRESH, PACKED }; /* FRESH: in the call that goes on */

struct osp_packs {
    const struct osp_graph *graph;
    const struct osp_backend *backend;
    const char *kind;              /* what the device says of its packing; NULL: this is for one session alone */
    struct osp_node_state *states; /* [node_count * rung_room], by twin and rung */
    char *progress;                /* likewise */
    size_t *kept;                  /* likewise: bytes of the state's block; 0: it has none */
    int rung_room;
    char *path;                /* the file that keeps blocks; NULL: none */
    struct osp_packfile *file; /* NULL: not yet opened */
    uint64_t model;            /* checksum of its weight file, known from then on */
    int unwritten;             /* blocks that the file lacks */
    int sessions;              /* that have it open */
    pthread_mutex_t lock;      /* held while something is packed: states that are there do not change */
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

static void destroy(struct osp_packs *packs)
{
    osp_packfile_close(packs->file);
    free(packs->states);
    free(packs->progress);
    free(packs->kept);
    free(packs->path);
    free(packs);
}

static osp_status make(const struct osp_graph *graph, const struct osp_backend *backend, const char *kind, const char *path,
                       struct osp_packs **out)
{
    int rungs = longest_ladder(backend);
    size_t slots = (size_t)graph->node_count * (size_t)rungs + 1;
    struct osp_packs *packs = calloc(1, sizeof *packs);
    if (!packs)
        return osp_fail(OSP_MEMORY, "out of memory: a session needs %zu bytes", sizeof *packs);
    *packs = (struct osp_packs){.graph = graph,
                                .backend = backend,
                                .kind = kind,
                                .states = calloc(slots, sizeof *packs->states),
                                .progress = calloc(slots, 1),
                                .kept = calloc(slots, sizeof *packs->kept),
                                .path = path ? strdup(path) : NULL,
                                .rung_room = rungs,
                                .sessions = 1};
    if (!packs->states || !packs->progress || !packs->kept || (path && !packs->path)) {
        destroy(packs);
        return osp_fail(OSP_MEMORY, "out of memory: a session needs tables of %zu bytes",
                        slots * (sizeof *packs->states + sizeof *packs->kept + 1));
    }
    pthread_mutex_init(&packs->lock, NULL);
    *out = packs;
    return OSP_OK;
}

/* Is there a kernel whose blocks a file can keep? */
static int keeps_blocks(const struct osp_backend *backend)
{
    const char *owner;
    const struct osp_kernel *kernel;
    for (int op = 0; op < OSP_OP_COUNT; op++)
        for (int i = 0; (kernel = osp_backend_kernel(backend, (enum osp_op)op, i, &owner)) != NULL; i++)
            if (kernel->adopt)
                return 1;
    return 0;
}

static int same_path(const char *a, const char *b) { return a && b ? !strcmp(a, b) : a == b; }

osp_status osp_packs_open(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                          const char *path, struct osp_packs **out)
{
    const char *kind = backend->packing ? backend->packing(device) : NULL;
    if (path && (!kind || !keeps_blocks(backend)))
        return osp_fail(OSP_USAGE, "%s: backend %s has no packed weights that a file could keep", path, backend->name);
    osp_status status = path ? osp_packfile_check(path) : OSP_OK;
    if (status)
        return status;
    if (!kind)
        return make(graph, backend, NULL, NULL, out);
    pthread_mutex_lock(&all_lock);
    struct osp_packs *found = all;
    while (found && (found->graph != graph || found->backend != backend || strcmp(found->kind, kind) != 0 ||
                     !same_path(found->path, path)))
        found = found->next;
    if (found) {
        found->sessions++;
    } else if (!(status = make(graph, backend, kind, path, &found))) {
        found->next = all;
        all = found;
    }
    pthread_mutex_unlock(&all_lock);
    if (!status)
        *out = found;
    return status;
}

static const struct osp_kernel *kernel_of(const struct osp_packs *packs, int slot, const char **owner)
{
    return osp_backend_kernel(packs->backend, packs->graph->nodes[slot / packs->rung_room].op, slot % packs->rung_room, owner);
}

static int slot_count(const struct osp_packs *packs) { return packs->graph->node_count * packs->rung_room; }

/* Releases everything that has come as far as `what`. */
static void forget(struct osp_packs *packs, struct osp_device *device, enum progress what)
{
    for (int slot = 0; slot < slot_count(packs); slot++) {
        const char *owner;
        if (packs->progress[slot] != (char)what)
            continue;
        const struct osp_kernel *kernel = kernel_of(packs, slot, &owner);
        if (kernel->release)
            kernel->release(device, &packs->states[slot]);
        packs->progress[slot] = ABSENT;
        packs->kept[slot] = 0;
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
    destroy(packs);
}

/* ---- The file ------------------------------------------------------------------------------------- */

static struct osp_packfile_key key_of(const struct osp_packs *packs)
{
    return (struct osp_packfile_key){packs->model, packs->backend->name, packs->kind};
}

/* What a block is called in a file: its layer and its kernel. 0: too long, it is not kept. */
static int name_of(const struct osp_packs *packs, int slot, char name[OSP_PACKFILE_NAME])
{
    const struct osp_graph_node *node = &packs->graph->nodes[slot / packs->rung_room];
    const char *owner;
    const struct osp_kernel *kernel = kernel_of(packs, slot, &owner);
    int length = snprintf(name, OSP_PACKFILE_NAME, "%s %s/%s/%s", node->name, owner, osp_op_name(node->op), kernel->name);
    return kernel->adopt && length < OSP_PACKFILE_NAME;
}

static osp_status open_file(struct osp_packs *packs)
{
    if (!packs->path || packs->file)
        return OSP_OK;
    packs->model = osp_safetensors_checksum(packs->graph->file);
    const struct osp_packfile_key key = key_of(packs);
    osp_status status = osp_safetensors_unchanged(packs->graph->file);
    return status ? status : osp_packfile_open(packs->path, &key, &packs->file);
}

/* Takes up the slot's block where the file has it; else packs. */
static osp_status make_state(struct osp_packs *packs, struct osp_device *device, const struct osp_plan_node *node, int slot)
{
    struct osp_node_state *state = &packs->states[slot];
    char name[OSP_PACKFILE_NAME];
    size_t bytes = packs->file && name_of(packs, slot, name) ? node->kernel->packed(device, &node->call) : 0;
    state->block = bytes ? osp_packfile_find(packs->file, name, bytes) : NULL;
    int mapped = state->block != NULL;
    osp_status status = (mapped ? node->kernel->adopt : node->kernel->prepare)(device, &node->call, state);
    if (!status && bytes && state->block) {
        packs->kept[slot] = bytes;
        packs->unwritten += !mapped;
    }
    return status;
}

/* Blocks of all states, and of the file's those that no state has. Returns how many. */
static int list_blocks(const struct osp_packs *packs, struct osp_packfile_block *blocks, char (*names)[OSP_PACKFILE_NAME])
{
    int count = 0;
    for (int slot = 0; slot < slot_count(packs); slot++)
        if (packs->kept[slot] && name_of(packs, slot, names[count])) {
            blocks[count] = (struct osp_packfile_block){names[count], packs->states[slot].block, packs->kept[slot]};
            count++;
        }
    int own = count;
    struct osp_packfile_block block;
    for (int i = 0; osp_packfile_block(packs->file, i, &block); i++) {
        int k = 0;
        while (k < own && strcmp(blocks[k].name, block.name) != 0)
            k++;
        if (k == own)
            blocks[count++] = block;
    }
    return count;
}

static osp_status write_file(struct osp_packs *packs, size_t *bytes)
{
    struct osp_packfile_block block;
    int most = slot_count(packs);
    for (int i = 0; osp_packfile_block(packs->file, i, &block); i++)
        most++;
    struct osp_packfile_block *blocks = calloc((size_t)most, sizeof *blocks);
    char(*names)[OSP_PACKFILE_NAME] = calloc((size_t)most, sizeof *names);
    const struct osp_packfile_key key = key_of(packs);
    osp_status status = blocks && names ? osp_packfile_unchanged(packs->file)
                                        : osp_fail(OSP_MEMORY, "%s: out of memory for a list of %d blocks", packs->path, most);
    if (!status)
        status = osp_packfile_write(packs->path, &key, blocks, list_blocks(packs, blocks, names), bytes);
    if (!status)
        packs->unwritten = 0;
    free(blocks);
    free(names);
    return status;
}

osp_status osp_packs_write(struct osp_packs *packs, size_t *bytes)
{
    *bytes = 0;
    pthread_mutex_lock(&packs->lock);
    osp_status status = packs->file && packs->unwritten ? write_file(packs, bytes) : OSP_OK;
    pthread_mutex_unlock(&packs->lock);
    return status;
}

const char *osp_packs_path(const struct osp_packs *packs) { return packs->path; }

const char *osp_packs_remark(struct osp_packs *packs)
{
    pthread_mutex_lock(&packs->lock);
    const char *remark = packs->file ? osp_packfile_remark(packs->file) : "";
    pthread_mutex_unlock(&packs->lock);
    return remark;
}

osp_status osp_packs_unchanged(const struct osp_packs *packs)
{
    return packs->file ? osp_packfile_unchanged(packs->file) : OSP_OK;
}

/* ---- Packing -------------------------------------------------------------------------------------- */

static int slot_of(const struct osp_packs *packs, const struct osp_plan *plan, int i)
{
    return packs->graph->nodes[i].twin * packs->rung_room + plan->nodes[i].rung;
}

static osp_status pack(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan, int *fresh)
{
    osp_status opened = open_file(packs);
    for (int i = 0; !opened && i < packs->graph->node_count; i++) {
        const struct osp_plan_node *node = &plan->nodes[i];
        int slot = slot_of(packs, plan, i);
        if (packs->progress[slot] || !node->kernel->prepare)
            continue;
        osp_status status = make_state(packs, device, node, slot);
        if (status)
            return osp_fail(status, "%s: %s", packs->graph->nodes[i].name, osp_message());
        packs->progress[slot] = FRESH;
        *fresh = 1;
        osp_safetensors_give_back(packs->graph->file);
    }
    return opened;
}

osp_status osp_packs_prepare(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan)
{
    int fresh = 0;
    pthread_mutex_lock(&packs->lock);
    osp_status status = pack(packs, device, plan, &fresh),
               changed = fresh ? osp_safetensors_unchanged(packs->graph->file) : OSP_OK;
    if (changed)
        forget(packs, device, FRESH);
    for (int slot = 0; fresh && slot < slot_count(packs); slot++)
        if (packs->progress[slot] == FRESH)
            packs->progress[slot] = PACKED;
    pthread_mutex_unlock(&packs->lock);
    return changed ? changed : status;
}

struct osp_node_state *osp_packs_state(struct osp_packs *packs, const struct osp_plan *plan, int i)
{
    return &packs->states[slot_of(packs, plan, i)];
}
