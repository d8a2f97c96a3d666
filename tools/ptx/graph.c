/* Graphs: nodes with what each comes after, launched as one operation of a stream. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

/* ---- Bodies --------------------------------------------------------------------------------------------------------- */
struct body *drv_body_new(void)
{
    struct body *body = calloc(1, sizeof *body);
    if (body)
        body->references = 1;
    return body;
}

static void node_free(struct node *node)
{
    drv_object_remove(&node->object);
    drv_op_free(node->op);
    free(node->after);
    free(node);
}

bool drv_body_add(struct body *body, struct op *op, const uint32_t *after, size_t count)
{
    if (body->count == body->room) {
        uint32_t room = body->room ? 2 * body->room : 16;
        struct node **node = realloc(body->node, room * sizeof *node);
        if (!node) {
            drv_op_free(op);
            return false;
        }
        body->node = node;
        body->room = room;
    }
    struct node *node = calloc(1, sizeof *node);
    uint32_t *copy = malloc((count ? count : 1) * sizeof *copy);
    if (!node || !copy || !drv_object_add(&node->object, KIND_NODE, NULL)) {
        free(node);
        free(copy);
        drv_op_free(op);
        return false;
    }
    if (count)
        memcpy(copy, after, count * sizeof *copy);
    node->op = op;
    node->after = copy;
    node->after_count = count;
    body->node[body->count++] = node;
    return true;
}

void drv_body_drop(struct body *body)
{
    if (!body || --body->references)
        return;
    for (uint32_t i = 0; i < body->count; i++)
        node_free(body->node[i]);
    free(body->node);
    free(body);
}

void drv_graph_free(struct graph *graph)
{
    drv_object_remove(&graph->object);
    drv_body_drop(graph->body);
    free(graph);
}

void drv_exec_drop(struct exec *exec)
{
    if (--exec->references)
        return;
    drv_body_drop(exec->body);
    free(exec);
}

void drv_exec_free(struct exec *exec)
{
    drv_object_remove(&exec->object);
    drv_exec_drop(exec);
}

/* ---- Running ---------------------------------------------------------------------------------------------------------- */
static bool node_ready(const struct body *body, uint32_t n, const bool *done)
{
    bool ready = !done[n];
    for (size_t k = 0; ready && k < body->node[n]->after_count; k++)
        ready = done[body->node[n]->after[k]];
    return ready;
}

/* Of the nodes that can run: by seed any, else the last that was captured, which is the one that an absent dependency lets run
 * too early. */
static uint32_t choose_node(const struct body *body, const bool *done)
{
    uint32_t chosen = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < body->count; i++)
        if (node_ready(body, i, done) && (!drv.seed || drv_random(++seen) == 0))
            chosen = i;
    return chosen;
}

CUresult drv_exec_run(struct exec *exec)
{
    struct body *body = exec->body;
    bool *done = calloc(body->count + 1, sizeof *done);
    CUresult code = done ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    for (uint32_t i = 0; !code && i < body->count; i++) {
        uint32_t n = choose_node(body, done);
        code = drv_op_run(body->node[n]->op);
        done[n] = true;
    }
    free(done);
    return code;
}

/* ---- The calls ----------------------------------------------------------------------------------------------------------- */
CUresult cuGraphCreate(CUgraph *out, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    if (!out || flags)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    struct graph *graph = calloc(1, sizeof *graph);
    struct body *body = drv_body_new();
    if (!graph || !body || !drv_object_add(&graph->object, KIND_GRAPH, drv_current())) {
        free(graph);
        free(body);
        return drv_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    graph->body = body;
    *out = graph->object.handle;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuGraphDestroy(CUgraph handle)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    struct graph *graph = drv_object(handle, KIND_GRAPH);
    if (!graph)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    drv_graph_free(graph);
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode *nodes, size_t *count)
{
    ENTER(NEEDS_CONTEXT);
    struct graph *graph = drv_object(handle, KIND_GRAPH);
    if (!graph || !count)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    for (size_t i = 0; nodes && i < *count; i++)
        nodes[i] = i < graph->body->count ? graph->body->node[i]->object.handle : NULL;
    if (!nodes || *count > graph->body->count)
        *count = graph->body->count;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType *type)
{
    static const int types[] = {
        [OP_KERNEL] = 0, [OP_COPY] = 1, [OP_SET] = 2, [OP_HOST] = 3, [OP_GRAPH] = 4, [OP_FREE] = 11, [OP_EMPTY] = 5};
    ENTER(NEEDS_CONTEXT);
    struct node *node = drv_object(handle, KIND_NODE);
    if (!node || !type)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *type = types[node->op->kind];
    return drv_leave(CUDA_SUCCESS);
}

static CUresult instantiate(CUgraphExec *out, CUgraph handle, unsigned long long flags)
{
    enum { AUTO_FREE = 1, UPLOAD = 2, USE_NODE_PRIORITY = 8 };
    struct graph *graph = drv_object(handle, KIND_GRAPH);
    if (!graph || !out)
        return CUDA_ERROR_INVALID_VALUE;
    if (flags & ~(unsigned long long)(AUTO_FREE | UPLOAD | USE_NODE_PRIORITY)) /* launches from the device: not here */
        return CUDA_ERROR_INVALID_VALUE;
    struct exec *exec = calloc(1, sizeof *exec);
    if (!exec || !drv_object_add(&exec->object, KIND_EXEC, graph->object.context)) {
        free(exec);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    exec->references = 1;
    exec->flags = flags;
    exec->body = graph->body;
    exec->body->references++;
    *out = exec->object.handle;
    return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long flags)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(instantiate(executable, graph, flags));
}

CUresult cuGraphInstantiate_v2(CUgraphExec *executable, CUgraph graph, CUgraphNode *error_node, char *log, size_t room)
{
    ENTER(NEEDS_CONTEXT);
    if (error_node)
        *error_node = NULL;
    if (log && room)
        *log = 0;
    return drv_leave(instantiate(executable, graph, 0));
}

CUresult cuGraphInstantiateWithParams(CUgraphExec *executable, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    ENTER(NEEDS_CONTEXT);
    if (!params)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    CUresult code = instantiate(executable, graph, params->flags);
    params->hErrNode_out = NULL;
    params->result_out = code ? 1 : 0;
    return drv_leave(code);
}

CUresult cuGraphExecGetFlags(CUgraphExec handle, cuuint64_t *flags)
{
    ENTER(NEEDS_CONTEXT);
    struct exec *exec = drv_object(handle, KIND_EXEC);
    if (!exec || !flags)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = exec->flags;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuGraphUpload(CUgraphExec handle, CUstream stream_handle)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(stream_handle, &stream);
    if (!code && !drv_object(handle, KIND_EXEC))
        code = CUDA_ERROR_INVALID_VALUE;
    return drv_leave(code); /* there is nothing to upload to */
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream_handle)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(stream_handle, &stream);
    struct exec *exec = drv_object(handle, KIND_EXEC);
    if (!code && !exec)
        code = CUDA_ERROR_INVALID_VALUE;
    if (code)
        return drv_leave(code);
    struct op *op = drv_op(OP_GRAPH, stream->object.context);
    if (op) {
        op->u.exec = exec;
        exec->references++;
    }
    return drv_leave(drv_issue(stream, op));
}

CUresult cuGraphExecDestroy(CUgraphExec handle)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    struct exec *exec = drv_object(handle, KIND_EXEC);
    if (!exec)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    drv_exec_free(exec);
    return drv_leave(CUDA_SUCCESS);
}
