/* What a session tells of itself: its device, its link to the host, values of the last run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { LINK_BYTES = 32 << 20, LINK_RUNS = 5 };

/* ---- The device ----------------------------------------------------------------------------------- */

void osp_session_device(const struct osp_session *s, struct osp_device_info *out)
{
    *out = (struct osp_device_info){.load_seconds = 0};
    if (s->backend->describe)
        s->backend->describe(s->device, out);
}

/* The fastest of a few copies. */
static osp_status time_link(struct osp_session *s, void *device, const void *host, double *out)
{
    const struct osp_clock *clock = s->backend->clock;
    int from = s->graph->node_count + OSP_MARK_UP_FROM, to = s->graph->node_count + OSP_MARK_UP_TO;
    double best = INFINITY, seconds = 0;
    osp_status status = OSP_OK;
    for (int i = 0; !status && i < LINK_RUNS; i++) {
        status = clock->mark(s->device, from);
        if (!status)
            status = s->backend->memory->upload(s->device, device, host, LINK_BYTES);
        if (!status)
            status = clock->mark(s->device, to);
        if (!status)
            status = clock->seconds(s->device, from, to, &seconds);
        if (seconds < best)
            best = seconds;
    }
    if (!status)
        *out = best > 0 ? LINK_BYTES / best : NAN;
    return status;
}

osp_status osp_session_link(struct osp_session *s, double *bytes_per_second)
{
    void *host = calloc(1, LINK_BYTES), *device = NULL;
    osp_status status = host ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory: the link is timed with %d bytes", LINK_BYTES);
    if (!status)
        status = osp_session_enter(s);
    if (status) {
        free(host);
        return status;
    }
    status = s->backend->memory->alloc(s->device, LINK_BYTES, &device);
    if (!status)
        status = time_link(s, device, host, bytes_per_second);
    s->backend->memory->free(s->device, device);
    osp_session_leave(s);
    free(host);
    return status;
}

osp_status osp_session_set_size(struct osp_session *s, int min_size, int max_size)
{
    if (min_size < 0 || max_size < min_size || (min_size == 0) != (max_size == 0) || max_size > 1 << 20)
        return osp_fail(OSP_USAGE, "sides of %d and at most %d pixels; allowed are 1 to %d, the shorter first, or 0 and 0",
                        min_size, max_size, 1 << 20);
    s->min_size = min_size;
    s->max_size = max_size;
    return OSP_OK;
}

void osp_session_size(const struct osp_session *s, int *min_size, int *max_size)
{
    if (s->min_size) {
        *min_size = s->min_size;
        *max_size = s->max_size;
    }
}

/* ---- Looking at values ---------------------------------------------------------------------------- */

/* "NODE" or "NODE:2" to a value of the graph; OSP_NONE: there is none. */
static osp_value find_value(const struct osp_graph *graph, const char *name)
{
    size_t length = strlen(name);
    int node = osp_graph_find(graph, name), output = 0;
    if (node < 0 && length > 2 && name[length - 2] == ':' && name[length - 1] >= '0' && name[length - 1] <= '9') {
        char *plain = strndup(name, length - 2);
        node = plain ? osp_graph_find(graph, plain) : -1;
        free(plain);
        output = name[length - 1] - '0';
    }
    if (node < 0)
        return OSP_NONE;
    osp_value value = graph->nodes[node].out + output;
    return value < graph->value_count && graph->values[value].node == node ? value : OSP_NONE;
}

static void widen(const struct osp_tensor *value, const void *raw, float *out)
{
    int64_t count = osp_shape_count(&value->shape);
    for (int64_t i = 0; i < count; i++)
        out[i] = value->dtype == OSP_I32 ? (float)((const int32_t *)raw)[i] : ((const float *)raw)[i];
}

osp_status osp_session_value(struct osp_session *s, const char *name, float **data, int64_t dims[4], int *rank)
{
    osp_value v = find_value(s->graph, name);
    if (v == OSP_NONE)
        return osp_fail(OSP_USAGE, "the network has no value '%s'", name);
    if (!s->keep || !s->last)
        return osp_fail(OSP_USAGE, "value '%s': the session must be opened with keep, and have run", name);
    const struct osp_tensor *value = &s->last->values[v];
    size_t count = (size_t)osp_shape_count(&value->shape), bytes = count * osp_dtype_size(value->dtype);
    void *raw = malloc(bytes ? bytes : 1);
    float *out = malloc(count ? count * sizeof *out : 1);
    osp_status status = raw && out ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory: value '%s' needs %zu bytes", name, bytes);
    if (!status)
        status = s->backend->memory->download(s->device, raw, value->data, bytes);
    if (!status) {
        widen(value, raw, out);
        *data = out;
        *rank = value->shape.rank;
        memcpy(dims, value->shape.dim, sizeof value->shape.dim);
    } else {
        free(out);
    }
    free(raw);
    return status;
}
