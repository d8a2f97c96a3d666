/* What the outputs share: numbers, provenance, names of files. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/file.h"
#include "tools.h"

osp_status output_no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while preparing an output"); }

/* ---- JSON --------------------------------------------------------------------------------------- */

json_t *json_rounded(double value, int decimals)
{
    double scale = pow(10, decimals);
    return json_real(round(value * scale) / scale + 0.0); /* + 0.0: no minus zero */
}

json_t *json_text(const char *text)
{
    char *clean = clean_text(text, true);
    json_t *string = clean ? json_string(clean) : NULL;
    free(clean);
    return string;
}

void note_kernels(json_t *kernels, const struct osp_session *session)
{
    const struct osp_plan *plan = osp_session_last_plan(session);
    for (int i = 0; plan && i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        json_t *rungs = json_object_get(kernels, line.op), *rung;
        if (!rungs) {
            rungs = json_array();
            json_object_set_new(kernels, line.op, rungs);
        }
        const char *name = base_name(line.kernel);
        bool known = false;
        size_t k;
        json_array_foreach(rungs, k, rung) known = known || strcmp(json_string_value(rung), name) == 0;
        if (!known)
            json_array_append_new(rungs, json_string(name));
    }
}

json_t *provenance(const struct run *run, json_t *kernels)
{
    struct osp_model_info model;
    osp_model_describe(run->model, &model);
    const char *file = osp_session_tuned(run->session);
    json_t *path = json_text(model.path), *tuned = file ? json_text(file) : NULL;
    const char *resize = osp_session_resize(run->session); /* NULL: as the model says */
    return json_pack("{ss ss so ss ss ss ss ss sO so* si ss ss si}", "osprey", OSP_VERSION, "commit", commit_name(), "model",
                     path, "model_sha256", run->sha256, "architecture", model.architecture, "backend",
                     osp_session_backend(run->session), "isa", osp_session_isa(run->session), "precision",
                     osp_session_precision(run->session), "kernels", kernels, "tuned", tuned, "threads",
                     osp_session_threads(run->session), "decoder", osp_image_decoder(), "resize", resize ? resize : model.resize,
                     "batch", run->batch);
}

char *provenance_line(const struct run *run, json_t *kernels)
{
    json_t *object = provenance(run, kernels);
    char *line = object ? json_dumps(object, JSON_DIGITS) : NULL;
    json_decref(object);
    return line;
}

/* ---- Names of files ----------------------------------------------------------------------------- */

/* Inputs that lie in the folder keep their names to themselves. */
static osp_status reserve_inputs(const struct inputs *inputs, const struct stat *folder, json_t *taken)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const char *path = inputs->items[i].path, *name = base_name(path);
        struct stat st;
        char *parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
        if (!parent)
            return output_no_memory();
        bool here = stat(parent, &st) == 0 && st.st_dev == folder->st_dev && st.st_ino == folder->st_ino;
        free(parent);
        if (here && json_object_set_new_nocheck(taken, name, json_true()) != 0)
            return output_no_memory();
    }
    return OSP_OK;
}

osp_status out_folder_open(const struct run *run, const char *path, struct out_folder *out)
{
    struct stat st;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return osp_fail(OSP_UNWRITTEN, "%s: this folder cannot be made: %s", path, strerror(errno));
    if (stat(path, &st) != 0)
        return osp_fail(OSP_UNWRITTEN, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return osp_fail(OSP_UNWRITTEN, "%s: found %s, allowed is a folder", path, osp_file_type(st.st_mode));
    struct out_folder folder = {strdup(path), json_object()};
    osp_status status = folder.path && folder.taken ? reserve_inputs(run->inputs, &st, folder.taken) : output_no_memory();
    if (status == OSP_OK)
        *out = folder;
    else
        out_folder_close(&folder);
    return status;
}

void out_folder_close(struct out_folder *folder)
{
    free(folder->path);
    json_decref(folder->taken);
}

/* A picture's own extension, if it is one of its format. */
static const char *fitting_extension(const char *name, enum osp_format format)
{
    static const char *const jpeg[] = {".jpg", ".jpeg", ".jpe", ".jfif", NULL}, *const png[] = {".png", NULL};
    const char *dot = strrchr(name, '.');
    for (const char *const *known = format == OSP_FORMAT_JPEG ? jpeg : png; dot && *known; known++)
        if (strcasecmp(dot, *known) == 0)
            return dot;
    return format == OSP_FORMAT_JPEG ? ".jpg" : ".png";
}

osp_status out_folder_claim(struct out_folder *folder, const struct result *result, const char *extension, char **out)
{
    const char *base = result->standard ? "stdin" : base_name(result->file), *dot = strrchr(base, '.');
    int stem = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    size_t length = strlen(folder->path);
    const char *slash = length && folder->path[length - 1] == '/' ? "" : "/";
    char *path = NULL;
    extension = extension ? extension : fitting_extension(base, result->format);
    for (int number = 1;; number++) {
        char suffix[16] = "";
        if (number > 1)
            snprintf(suffix, sizeof suffix, "-%d", number);
        if (asprintf(&path, "%s%s%.*s%s%s", folder->path, slash, stem, base, suffix, extension) < 0)
            return output_no_memory();
        const char *name = path + length + strlen(slash);
        if (!json_object_get(folder->taken, name)) {
            if (json_object_set_new_nocheck(folder->taken, name, json_true()) != 0)
                break;
            if (number > 1)
                say("%s: the name is taken, so the output is %s", result->file, path);
            *out = path;
            return OSP_OK;
        }
        free(path);
    }
    free(path);
    return output_no_memory();
}
