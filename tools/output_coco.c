/* COCO: one object with info, images, annotations (each with its score) and categories. pycocotools takes it as a data set,
 * COCOeval(COCO("truth.json"), COCO("F"), "bbox"), and its "annotations" as results, truth.loadRes(list). */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "runtime/file.h"
#include "tools.h"

static const size_t longest_ids = (size_t)1 << 30; /* bytes */

struct coco {
    struct output base;
    const struct run *run;
    struct osp_writer writer;
    json_t *images, *annotations, *categories;
    json_t *image_ids;       /* file_name -> id, from the data set given; NULL: none given */
    json_int_t *category_id; /* [classes] */
    char *ids_path;
};

/* ---- Ids of a data set -------------------------------------------------------------------------- */

static osp_status load_dataset(const char *path, json_t **out)
{
    struct osp_file file;
    json_error_t error;
    osp_status status = osp_file_map(path, &file);
    if (status != OSP_OK)
        return osp_fail(OSP_USAGE, "--coco-ids: %s", osp_message());
    json_t *root = NULL;
    if (file.size > longest_ids)
        status = osp_fail(OSP_USAGE, "--coco-ids: %s: %zu bytes, allowed are at most %zu", path, file.size, longest_ids);
    else if (!(root = json_loadb((const char *)file.data, file.size, 0, &error)))
        status = osp_fail(OSP_USAGE, "--coco-ids: %s: line %d: %s", path, error.line, error.text);
    osp_file_unmap(&file);
    *out = root;
    return status;
}

/* list[i][key] -> list[i]["id"] */
static osp_status map_ids(const char *path, const json_t *root, const char *list, const char *key, json_t **out)
{
    json_t *ids = json_object(), *entry;
    size_t i;
    const json_t *entries = json_object_get(root, list);
    bool right = ids && json_is_array(entries);
    json_array_foreach(entries, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, key));
        json_t *id = json_object_get(entry, "id");
        right = right && name && json_is_integer(id) && json_object_set(ids, name, id) == 0;
    }
    *out = ids;
    return right ? OSP_OK
                 : osp_fail(OSP_USAGE, "--coco-ids: %s: \"%s\" is not a list of objects with \"%s\" and a whole \"id\"", path,
                            list, key);
}

/* Classes by name; one that the data set lacks gets an id past its largest. */
static void use_category_ids(struct coco *coco, const json_t *ids, int classes)
{
    json_int_t past = 0;
    const char *name;
    json_t *id;
    json_object_foreach((json_t *)ids, name, id) past = json_integer_value(id) > past ? json_integer_value(id) : past;
    for (int i = 1; i < classes; i++) {
        const json_t *known = json_object_get(ids, osp_model_class(coco->run->model, i));
        coco->category_id[i] = known ? json_integer_value(known) : ++past;
    }
}

static osp_status use_dataset(struct coco *coco, const char *path, int classes)
{
    json_t *root = NULL, *categories = NULL;
    coco->ids_path = strdup(path);
    osp_status status = coco->ids_path ? load_dataset(path, &root) : output_no_memory();
    if (status == OSP_OK)
        status = map_ids(path, root, "images", "file_name", &coco->image_ids);
    if (status == OSP_OK)
        status = map_ids(path, root, "categories", "name", &categories);
    if (status == OSP_OK)
        use_category_ids(coco, categories, classes);
    json_decref(categories);
    json_decref(root);
    return status;
}

/* The data set's entry that ends this path: the whole of it, or all after one of its slashes; the longest counts. */
static osp_status image_id(const struct coco *coco, const struct result *result, json_int_t *out)
{
    *out = (json_int_t)result->number;
    if (!coco->image_ids)
        return OSP_OK;
    for (const char *name = result->file; name; name = strchr(name, '/'), name = name ? name + 1 : NULL) {
        const json_t *id = json_object_get(coco->image_ids, name);
        if (id) {
            *out = json_integer_value(id);
            return OSP_OK;
        }
    }
    return osp_fail(OSP_BAD_IMAGE, "%s: %s has no image of this file_name", result->file, coco->ids_path);
}

/* ---- The output --------------------------------------------------------------------------------- */

static int add_annotation(struct coco *coco, json_int_t image, const struct osp_detection *d)
{
    double x = (double)d->box[0], y = (double)d->box[1], w = (double)d->box[2] - x, h = (double)d->box[3] - y;
    return json_array_append_new(
        coco->annotations,
        json_pack("{sI sI sI s[oooo] so so si}", "id", (json_int_t)json_array_size(coco->annotations) + 1, "image_id", image,
                  "category_id", coco->category_id[d->label], "bbox", json_rounded(x, BOX_DECIMALS),
                  json_rounded(y, BOX_DECIMALS), json_rounded(w, BOX_DECIMALS), json_rounded(h, BOX_DECIMALS), "score",
                  json_rounded((double)d->score, SCORE_DECIMALS), "area", json_rounded(w * h, BOX_DECIMALS), "iscrowd", 0));
}

static osp_status add(struct output *output, const struct result *result)
{
    struct coco *coco = (struct coco *)output;
    json_int_t id;
    osp_status status = image_id(coco, result, &id);
    if (status != OSP_OK)
        return status;
    int failed = json_array_append_new(coco->images, json_pack("{sI so si si}", "id", id, "file_name", json_text(result->file),
                                                               "width", result->image->width, "height", result->image->height));
    for (int i = 0; i < result->count; i++)
        failed |= add_annotation(coco, id, &result->items[i]);
    return failed ? output_no_memory() : OSP_OK;
}

/* One element a line: long lists stay readable, and files can be compared by line. */
static int put_list(FILE *stream, const char *name, const json_t *list)
{
    const json_t *element;
    size_t i;
    int failed = 0;
    fprintf(stream, ",\n\"%s\": [", name);
    json_array_foreach(list, i, element)
    {
        fputs(i ? ",\n" : "\n", stream);
        failed |= json_dumpf(element, stream, JSON_DIGITS);
    }
    fputs("]", stream);
    return failed;
}

static void coco_free(struct coco *coco)
{
    json_decref(coco->images);
    json_decref(coco->annotations);
    json_decref(coco->categories);
    json_decref(coco->image_ids);
    free(coco->category_id);
    free(coco->ids_path);
    free(coco);
}

static osp_status write_file(struct coco *coco)
{
    char *made_by = provenance_line(coco->run, coco->run->kernels);
    if (!made_by)
        return output_no_memory();
    FILE *stream = coco->writer.stream;
    fprintf(stream, "{\"info\": {\"description\": \"osprey detections\", \"version\": \"%s\", \"provenance\": %s}", OSP_VERSION,
            made_by);
    free(made_by);
    int failed = put_list(stream, "images", coco->images) | put_list(stream, "annotations", coco->annotations) |
                 put_list(stream, "categories", coco->categories);
    fputs("}\n", stream);
    return failed && !ferror(stream) ? output_no_memory() : OSP_OK;
}

static osp_status finish(struct output *output, bool commit)
{
    struct coco *coco = (struct coco *)output;
    osp_status status = commit ? write_file(coco) : OSP_OK;
    if (commit && status == OSP_OK)
        status = osp_writer_commit(&coco->writer);
    else
        osp_writer_abandon(&coco->writer);
    coco_free(coco);
    return status;
}

static osp_status prepare(struct coco *coco, const char *ids)
{
    struct osp_model_info model;
    osp_model_describe(coco->run->model, &model);
    coco->images = json_array();
    coco->annotations = json_array();
    coco->categories = json_array();
    coco->category_id = calloc((size_t)model.classes, sizeof *coco->category_id);
    if (!coco->images || !coco->annotations || !coco->categories || !coco->category_id)
        return output_no_memory();
    for (int i = 1; i < model.classes; i++)
        coco->category_id[i] = i;
    osp_status status = ids ? use_dataset(coco, ids, model.classes) : OSP_OK;
    for (int i = 1; status == OSP_OK && i < model.classes; i++) {
        json_t *category =
            json_pack("{sI so}", "id", coco->category_id[i], "name", json_text(osp_model_class(coco->run->model, i)));
        if (json_array_append_new(coco->categories, category) != 0)
            status = output_no_memory();
    }
    return status;
}

osp_status coco_output_new(const struct run *run, const char *path, const char *ids, struct output **out)
{
    struct coco *coco = calloc(1, sizeof *coco);
    if (!coco)
        return output_no_memory();
    coco->base = (struct output){add, finish, false};
    coco->run = run;
    osp_status status = prepare(coco, ids);
    if (status == OSP_OK)
        status = osp_writer_open(path, &coco->writer);
    if (status == OSP_OK)
        *out = &coco->base;
    else
        coco_free(coco);
    return status;
}
