/* A model: a weight file, its settings, its graph. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zoo.h"

#define DEMO "demo.safetensors"

struct osp_model {
    struct osp_safetensors *file;
    struct osp_config *config;
    struct osp_graph *graph;
    int64_t parameters;
};

/* ---- The demo model ------------------------------------------------------------------------------- */

/* The folder of the running program, "." if the system does not say. */
static void program_folder(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    else
        snprintf(folder, size, ".");
}

/* Beside the program as it is built or installed, in the source tree it was built from, where it was to be installed. */
osp_status osp_shipped_file(const char *name, char *path, size_t size)
{
    char folder[PATH_MAX / 2];
    program_folder(folder, sizeof folder);
    const struct {
        const char *base, *rest;
    } places[] = {{folder, "/../models/demo/"},
                  {folder, "/../share/osprey/"},
                  {folder, "/../../models/demo/"}, /* a test program's */
                  {OSP_SOURCE, "/models/demo/"},
                  {OSP_PREFIX, "/share/osprey/"}};
    enum { PLACES = sizeof places / sizeof *places };
    for (int i = 0; i < PLACES; i++) {
        int length = snprintf(path, size, "%s%s%s", places[i].base, places[i].rest, name);
        if (length > 0 && (size_t)length < size && !access(path, R_OK))
            return OSP_OK;
    }
    return osp_fail(OSP_UNREADABLE, "%s, which ships with osprey, is in none of %s%s, %s%s, %s%s, %s%s", name, places[0].base,
                    places[0].rest, places[1].base, places[1].rest, places[3].base, places[3].rest, places[4].base,
                    places[4].rest);
}

/* ---- Opening -------------------------------------------------------------------------------------- */

static int64_t count_parameters(const struct osp_safetensors *file)
{
    int64_t total = 0;
    for (int i = 0; i < osp_safetensors_count(file); i++) {
        const struct osp_stored_tensor *tensor = osp_safetensors_tensor(file, i);
        total += (int64_t)(tensor->bytes / osp_stored_size(tensor->type));
    }
    return total;
}

osp_status osp_model_open(const char *path, struct osp_model **out)
{
    char demo[PATH_MAX];
    osp_status status = path ? OSP_OK : osp_shipped_file(DEMO, demo, sizeof demo);
    if (status)
        return status;
    struct osp_model *model = calloc(1, sizeof *model);
    if (!model)
        return osp_fail(OSP_MEMORY, "out of memory: a model needs %zu bytes", sizeof *model);
    status = osp_safetensors_open(path ? path : demo, &model->file);
    if (!status)
        status = osp_config_read(model->file, &model->config);
    if (!status)
        status = osp_graph_new(model->file, &model->graph);
    if (!status) {
        osp_zoo_find(model->config->architecture)->build(model->graph, model->config);
        status = osp_graph_finish(model->graph);
    }
    if (status) {
        osp_model_close(model);
        return status;
    }
    model->parameters = count_parameters(model->file);
    *out = model;
    return OSP_OK;
}

void osp_model_close(struct osp_model *model)
{
    if (!model)
        return;
    osp_graph_free(model->graph);
    osp_config_free(model->config);
    osp_safetensors_close(model->file);
    free(model);
}

/* ---- What it says of itself ----------------------------------------------------------------------- */

osp_status osp_model_sha256(const struct osp_model *model, const char **out) { return osp_safetensors_sha256(model->file, out); }

const struct osp_graph *osp_model_graph(const struct osp_model *model) { return model->graph; }
const struct osp_config *osp_model_config(const struct osp_model *model) { return model->config; }

const char *osp_model_class(const struct osp_model *model, int id)
{
    return id >= 0 && id < model->config->classes ? model->config->class_name[id] : NULL;
}

void osp_model_describe(const struct osp_model *model, struct osp_model_info *out)
{
    const struct osp_config *c = model->config;
    *out = (struct osp_model_info){
        .path = osp_safetensors_path(model->file),
        .architecture = c->architecture,
        .source_name = c->source_name,
        .source_sha256 = c->source_sha256,
        .classes = c->classes,
        .min_size = c->min_size,
        .max_size = c->max_size,
        .resize = c->resize,
        .input_norm = c->norm_times == 2 ? "twice" : "once",
        .bn_eps = c->bn_eps,
        .rpn_pre_nms = c->rpn_pre_nms_top_n,
        .rpn_post_nms = c->rpn_post_nms_top_n,
        .rpn_nms_threshold = c->rpn_nms_thresh,
        .rpn_score_threshold = c->rpn_score_thresh,
        .box_score_threshold = c->box_score_thresh,
        .box_nms_threshold = c->box_nms_thresh,
        .detections_per_image = c->box_detections_per_img,
        .parameters = model->parameters,
        .file_bytes = (int64_t)osp_safetensors_bytes(model->file),
    };
}
