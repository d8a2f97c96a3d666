/* One JSON object a picture, a line each, on standard output. */
#include <stdlib.h>

#include "counts.h"
#include "output.h"
#include "tools.h"

struct json {
    struct output base;
    const struct run *run;
};

static json_t *detection_json(const struct osp_model *model, const struct osp_detection *d)
{
    json_t *box = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(box, json_rounded((double)d->box[i], BOX_DECIMALS));
    return json_pack("{so si so so}", "label", json_text(osp_model_class(model, d->label)), "id", d->label, "score",
                     json_rounded((double)d->score, SCORE_DECIMALS), "box", box);
}

static json_t *result_json(const struct run *run, const struct result *result)
{
    json_t *detections = json_array(), *kernels = json_object();
    for (int i = 0; i < result->count; i++)
        json_array_append_new(detections, detection_json(run->model, &result->items[i]));
    note_kernels(kernels, run->session);
    json_t *object = json_pack("{so si si so}", "file", json_text(result->file), "width", result->image->width, "height",
                               result->image->height, "detections", detections);
    json_t *counts = counts_json(run->session);
    if (counts)
        json_object_set_new(object, "counts", counts);
    if (object && result->nonfinite)
        json_object_set_new(object, "nonfinite", json_integer(result->nonfinite));
    if (object && json_object_set_new(object, "provenance", provenance(run, kernels)) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(kernels);
    return object;
}

static osp_status add(struct output *output, const struct result *result)
{
    json_t *object = result_json(((struct json *)output)->run, result);
    char *line = object ? json_dumps(object, JSON_DIGITS) : NULL;
    json_decref(object);
    if (!line)
        return output_no_memory();
    puts(line);
    free(line);
    return stdout_flush();
}

static osp_status finish(struct output *output, bool commit)
{
    free(output);
    return OSP_OK;
}

osp_status json_output_new(const struct run *run, struct output **out)
{
    struct json *json = malloc(sizeof *json);
    if (!json)
        return output_no_memory();
    *json = (struct json){{add, finish, false}, run};
    *out = &json->base;
    return OSP_OK;
}
