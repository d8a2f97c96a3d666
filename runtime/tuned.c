/* Plans that go by a tuning file: what a call and a machine are called there, and the choice itself. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

/* ---- Names ---------------------------------------------------------------------------------------- */

struct text {
    char *at;
    size_t used;
};

static void put_shape(struct text *text, const struct osp_shape *shape)
{
    for (int d = 0; d < shape->rank && text->used < OSP_TUNE_CALL; d++)
        text->used += (size_t)snprintf(text->at + text->used, OSP_TUNE_CALL - text->used, "%s%lld", d ? "x" : " ",
                                       (long long)shape->dim[d]);
}

static void put_words(struct text *text, const char *words)
{
    if (text->used < OSP_TUNE_CALL)
        text->used += (size_t)snprintf(text->at + text->used, OSP_TUNE_CALL - text->used, "%s", words);
}

/* The window that slides over a map. */
static void put_window(struct text *text, int r, int s, int stride, int pad)
{
    char words[80];
    snprintf(words, sizeof words, ", %dx%d stride %d pad %d", r, s, stride, pad);
    put_words(text, words);
}

/* What kernels are chosen by: shapes and windows; activations cost next to nothing. A call that is too long is cut, and then is
 * one with others that begin alike. */
static void call_text(const struct osp_call *call, char text[OSP_TUNE_CALL])
{
    struct text to = {text, 0};
    put_words(&to, osp_op_name(call->op));
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i].dtype != OSP_U8) /* pictures: a plan serves them of any size */
            put_shape(&to, &call->in[i].shape);
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++) {
        struct osp_shape shape = {0};
        if (!call->constant[i])
            continue;
        put_words(&to, i ? "" : " *");
        shape = osp_constant_shape(call->constant[i]);
        put_shape(&to, &shape);
    }
    put_words(&to, " ->");
    for (int i = 0; i < call->outputs; i++)
        put_shape(&to, &call->out[i].shape);
    const union osp_attrs *a = call->attrs;
    if (call->op == OSP_conv2d)
        put_window(&to, a->conv2d.r, a->conv2d.s, a->conv2d.stride, a->conv2d.pad);
    else if (call->op == OSP_depthwise)
        put_window(&to, a->depthwise.r, a->depthwise.s, a->depthwise.stride, a->depthwise.pad);
    else if (call->op == OSP_maxpool)
        put_window(&to, a->maxpool.r, a->maxpool.s, a->maxpool.stride, a->maxpool.pad);
}

void osp_plan_call(const struct osp_plan *plan, int i, char text[OSP_TUNE_CALL]) { call_text(&plan->nodes[i].call, text); }

/* The first "KEY : VALUE" of /proc/cpuinfo, put behind what is there. */
static void add_processor(const char *key, const char *before, char *out, size_t size)
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "re");
    for (bool found = false; file && !found && fgets(line, sizeof line, file);) {
        size_t length = strlen(key), at = strlen(out);
        char *colon = strchr(line, ':');
        found = colon && !strncmp(line, key, length) && line[length + strspn(line + length, " \t")] == ':';
        if (!found)
            continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out + at, size - at, "%s%s", before, colon + 1 + strspn(colon + 1, " "));
    }
    if (file)
        fclose(file);
}

void osp_session_machine(const struct osp_session *s, struct osp_tune_machine *out)
{
    struct osp_device_info device;
    osp_session_device(s, &device);
    *out = (struct osp_tune_machine){.threads = osp_session_threads(s)};
    snprintf(out->backend, sizeof out->backend, "%s", osp_session_backend(s));
    snprintf(out->isa, sizeof out->isa, "%s", osp_session_isa(s));
    snprintf(out->precision, sizeof out->precision, "%s", osp_session_precision(s));
    snprintf(out->device, sizeof out->device, "%s", device.name);
    if (*device.name)
        return;
    /* Two makes of processor may bear one name, in a virtual machine above all. */
    add_processor("model name", "", out->device, sizeof out->device);
    add_processor("cpu family", ", family ", out->device, sizeof out->device);
    add_processor("model", ", model ", out->device, sizeof out->device);
    add_processor("stepping", ", stepping ", out->device, sizeof out->device);
}

/* ---- The choice ----------------------------------------------------------------------------------- */

osp_status osp_plan_tune(struct osp_plan *plan, int i, const struct osp_tune *tune)
{
    struct osp_plan_node *node = &plan->nodes[i];
    enum osp_op op = plan->graph->nodes[i].op;
    const char *owner, *other;
    char call[OSP_TUNE_CALL];
    call_text(&node->call, call);
    const char *rung = osp_tune_rung(tune, call), *reason = "there is no such rung";
    const struct osp_kernel *chosen = osp_backend_kernel(plan->backend, op, node->rung, &owner), *kernel;
    for (int r = 0; rung && (kernel = osp_backend_kernel(plan->backend, op, r, &other)) != NULL; r++) {
        if (strcmp(owner, other) != 0 || strcmp(kernel->name, rung) != 0 || kernel->precision != chosen->precision)
            continue;
        reason = kernel->refuses ? kernel->refuses(plan->device, &node->call) : NULL;
        if (reason)
            break;
        node->untuned = chosen->name;
        node->rung = r;
        return OSP_OK;
    }
    return !rung
               ? OSP_OK
               : osp_fail(OSP_REFUSED, "%s: \"%s\": found the rung %.64s, but on backend %s %s; osprey bench --tune chooses anew",
                          osp_tune_path(tune), call, rung, plan->backend->name, reason);
}
