#include "convert_model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "names.h"
#include "tools/tools.h"
#include "weights.h"

enum { COCO_CLASSES = 91, NAME_ROOM = 24, MOST_META = 34, SHARED = 2 };

static const char background[] = "__background__";
static const char demo_network[] = "fasterrcnn_efficientnet_lite0_fpn";

/* What is being made, and from what. */
struct job {
    const struct convert_options *options;
    struct checkpoint checkpoint;
    struct names names;
    const struct osp_network *network;
    struct osp_config *previous; /* the settings of a file that was converted before, else NULL */
    struct osp_config config;
    char sha256[65], nonfinite[24], *source;
    const char **class_name;
    char *made_up; /* text of names that nobody gave */
    struct weights weights;
    struct convert_report report;
};

#define remark(job, ...)                                                                                                         \
    do {                                                                                                                         \
        if ((job)->options->remark)                                                                                              \
            (job)->options->remark(__VA_ARGS__);                                                                                 \
    } while (0)

/* ---- The source ----------------------------------------------------------------------------------- */

/* 20260131 is a day, not the start of a checksum. */
static bool is_date(const char *digits)
{
    int month = (digits[4] - '0') * 10 + digits[5] - '0', day = (digits[6] - '0') * 10 + digits[7] - '0';
    bool century = memcmp(digits, "19", 2) == 0 || memcmp(digits, "20", 2) == 0;
    return century && strspn(digits, "0123456789") >= 8 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* NAME-xxxxxxxx.pth: eight hex digits of the file's SHA-256, as torch.hub names files. */
static osp_status check_sha256(struct job *job)
{
    const char *path = job->options->input, *name = base_name(path), *dot = strrchr(name, '.'), *known;
    if (job->checkpoint.safetensors) {
        osp_status status = osp_safetensors_sha256(job->checkpoint.safetensors, &known);
        if (status != OSP_OK)
            return status;
        memcpy(job->sha256, known, sizeof job->sha256);
    } else {
        osp_sha256_file(&job->checkpoint.file, job->sha256);
    }
    if (!dot || dot - name < 10 || dot[-9] != '-' || strspn(dot - 8, "0123456789abcdef") != 8 || is_date(dot - 8))
        return OSP_OK;
    if (memcmp(dot - 8, job->sha256, 8) != 0)
        return osp_fail(OSP_REFUSED,
                        "%s: SHA-256: found %.8s..., allowed %.8s..., as its name says: the file is damaged or another", path,
                        job->sha256, dot - 8);
    return OSP_OK;
}

/* Output onto input would destroy what the user cannot get back. */
static osp_status check_paths(const struct convert_options *o)
{
    struct stat in, out;
    if (stat(o->input, &in) == 0 && stat(o->output, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return osp_fail(OSP_USAGE, "-o: found %s, allowed is another file than the input", o->output);
    return OSP_OK;
}

static osp_status open_source(struct job *job)
{
    const struct convert_options *o = job->options;
    osp_status status = check_paths(o);
    if (status == OSP_OK)
        status = checkpoint_open(o->input, &job->checkpoint);
    if (status == OSP_OK)
        status = check_sha256(job);
    if (status == OSP_OK)
        status = names_read(&job->checkpoint, o->input, &job->names);
    const struct osp_safetensors *file = job->checkpoint.safetensors;
    if (status == OSP_OK && file && osp_safetensors_meta(file, "architecture"))
        status = osp_config_read(file, &job->previous);
    if (status != OSP_OK)
        return status;
    if (*job->checkpoint.key)
        remark(job, "%s: the state dict is under \"%s\"", o->input, job->checkpoint.key);
    if (job->checkpoint.module_prefix)
        remark(job, "%s: every name began with \"module.\", which is left out", o->input);
    if (job->names.renamed)
        remark(job, "%s: %d names from before torchvision 0.13 are brought up to date", o->input, job->names.renamed);
    return OSP_OK;
}

/* ---- Settings ------------------------------------------------------------------------------------- */

/* Rows of the layer that scores classes. */
static osp_status count_classes(struct job *job)
{
    static const char name[] = "roi_heads.box_predictor.cls_score.weight";
    const struct osp_stored_tensor *head = names_find(&job->names, name);
    if (!head || head->rank != 2 || head->dim[0] < 2 || head->dim[0] > OSP_MAX_CLASSES)
        return osp_fail(OSP_REFUSED, "%s: tensor '%s': found %s%lld rows, allowed a matrix of 2 to %d", job->options->input, name,
                        head ? "" : "none, so ", head && head->rank > 0 ? (long long)head->dim[0] : 0LL, OSP_MAX_CLASSES);
    job->config.classes = (int)head->dim[0];
    return OSP_OK;
}

/* Names that nobody gave: class_1, class_2, ... */
static void make_up_classes(struct job *job)
{
    int classes = job->config.classes;
    for (int i = 1; i < classes; i++) {
        char *name = job->made_up + (size_t)i * NAME_ROOM;
        snprintf(name, NAME_ROOM, "class_%d", i);
        job->class_name[i] = name;
    }
    remark(job, "no --classes: the %d classes are called class_1%s", classes - 1, classes > 2 ? ", class_2, ..." : "");
}

static osp_status choose_classes(struct job *job)
{
    const struct convert_options *o = job->options;
    int classes = job->config.classes;
    job->class_name = calloc((size_t)classes, sizeof *job->class_name);
    job->made_up = calloc((size_t)classes, NAME_ROOM);
    if (!job->class_name || !job->made_up)
        return osp_fail(OSP_MEMORY, "out of memory: %d class names", classes);
    job->config.class_name = job->class_name;
    job->class_name[0] = background;
    bool whole = o->class_count == classes && strcmp(o->classes[0], background) == 0;
    if (o->class_count > 0 && o->class_count != classes - 1 && !whole)
        return osp_fail(OSP_USAGE, "--classes: found %d names, allowed are %d: %s scores that many classes beside the background",
                        o->class_count, classes - 1, o->input);
    if (o->class_count > 0)
        memcpy(job->class_name + 1, o->classes + whole, (size_t)(classes - 1) * sizeof *job->class_name);
    else if (job->previous)
        memcpy(job->class_name, job->previous->class_name, (size_t)classes * sizeof *job->class_name);
    else if (classes == COCO_CLASSES)
        memcpy(job->class_name, osp_coco_classes, sizeof osp_coco_classes);
    else
        make_up_classes(job);
    return OSP_OK;
}

static osp_status choose_norm(struct job *job)
{
    const struct convert_options *o = job->options;
    bool demo = strcmp(job->network->name, demo_network) == 0;
    if (demo && o->norm_times == 2)
        return osp_fail(OSP_USAGE, "--input-norm: found twice, allowed is once for %s", demo_network);
    if (!o->norm_times && !demo && !job->previous && job->config.classes != COCO_CLASSES)
        return osp_fail(
            OSP_USAGE,
            "%s: its %d classes are not COCO's, so say how its pictures were normalised in training: --input-norm twice if "
            "Detecto saved it, --input-norm once for torchvision's own training",
            o->input, job->config.classes - 1);
    if (o->norm_times)
        job->config.norm_times = o->norm_times;
    return OSP_OK;
}

/* Batch norm was frozen, with eps 0, where torchvision's COCO weights of ResNet-50 v1 come from, and so in Detecto. A network
 * whose batch norm was trained has counters, and eps 1e-5. */
static void choose_eps(struct job *job)
{
    const struct convert_options *o = job->options;
    struct osp_config *c = &job->config;
    if (o->bn_eps >= 0) {
        c->bn_eps = o->bn_eps;
        return;
    }
    if (job->previous)
        return;
    if (c->bn_eps == 0 && job->names.dropped > 0)
        c->bn_eps = 1e-5;
    if (c->bn_eps == 0 && c->classes != COCO_CLASSES)
        remark(job, "batch norm eps 0 is taken, as in torchvision's COCO weights and Detecto; if training began from an ImageNet "
                    "backbone only, say --bn-eps 1e-5");
}

static osp_status choose_sizes(struct job *job)
{
    struct osp_config *c = &job->config;
    const struct convert_options *o = job->options;
    if (o->min_size)
        c->min_size = o->min_size;
    if (o->max_size)
        c->max_size = o->max_size;
    if (c->min_size > c->max_size)
        return osp_fail(OSP_USAGE, "--min-size: found %d, allowed is at most the longer side, %d (--max-size)", c->min_size,
                        c->max_size);
    if (o->resize)
        c->resize = o->resize;
    return OSP_OK;
}

static osp_status choose_settings(struct job *job)
{
    const struct convert_options *o = job->options;
    const char *known = job->previous && !o->model ? job->previous->architecture : o->model;
    osp_status status = names_network(&job->names, o->input, known, &job->network);
    if (status != OSP_OK)
        return status;
    if (job->previous && strcmp(job->previous->architecture, job->network->name) != 0) {
        osp_config_free(job->previous); /* its sizes and thresholds are those of another network */
        job->previous = NULL;
    }
    job->config = job->previous ? *job->previous : job->network->defaults;
    job->config.source_name = job->source = clean_text(base_name(o->input), false);
    if (!job->source)
        return osp_fail(OSP_MEMORY, "out of memory: %zu bytes for a name", strlen(o->input));
    job->config.source_sha256 = job->sha256;
    status = count_classes(job);
    if (status == OSP_OK)
        status = choose_norm(job);
    if (status == OSP_OK)
        status = choose_classes(job);
    if (status == OSP_OK)
        status = choose_sizes(job);
    if (status == OSP_OK)
        choose_eps(job);
    return status;
}

/* ---- Weights, and the file ------------------------------------------------------------------------ */

static osp_status make_weights(struct job *job)
{
    const struct convert_options *o = job->options;
    const struct checkpoint *c = &job->checkpoint;
    uint64_t size = c->safetensors ? osp_safetensors_bytes(c->safetensors) : c->file.size;
    osp_status status = weights_make(&job->names, o->input, o->f16, SHARED * size, &job->weights);
    if (status != OSP_OK || job->weights.nonfinite == 0)
        return status;
    if (!o->allow_nonfinite)
        return osp_fail(
            OSP_REFUSED,
            "%s: found %llu values that are NaN or infinite (%s), allowed 0: --allow-nonfinite takes them as they are", o->input,
            (unsigned long long)job->weights.nonfinite, job->weights.worst);
    remark(job, "%s: %llu values are NaN or infinite (%s)", o->input, (unsigned long long)job->weights.nonfinite,
           job->weights.worst);
    return OSP_OK;
}

/* Tensors that the network does not have are named and kept. */
static void find_unused(struct job *job)
{
    const struct osp_graph *graph = osp_model_graph(job->report.model);
    char list[256] = "", shown[64];
    for (int i = 0; i < job->weights.count; i++) {
        const char *name = job->weights.tensors[i].name;
        if (osp_graph_uses(graph, name))
            continue;
        if (job->report.unused++ < 3)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s'%s'", *list ? ", " : "",
                     osp_quote(shown, sizeof shown, name, strlen(name)));
    }
    if (job->report.unused)
        remark(job, "%s: %d tensors are no part of %s: %s%s", job->options->input, job->report.unused, job->network->name, list,
               job->report.unused > 3 ? ", ..." : "");
}

/* Opens the finished file as osprey detect will, so that a missing or misshapen tensor is found before it takes its place. What
 * is said of the temporary is said of the input. */
static osp_status check_network(void *context, const char *temporary)
{
    struct job *job = context;
    size_t size = strlen(temporary);
    osp_status status = osp_model_open(temporary, &job->report.model);
    if (status != OSP_OK && strncmp(osp_message(), temporary, size) == 0)
        return osp_fail(status, "%s%s", job->options->input, osp_message() + size);
    if (status == OSP_OK)
        status = checkpoint_unchanged(&job->checkpoint);
    if (status == OSP_OK)
        find_unused(job);
    return status;
}

static osp_status write_file(struct job *job)
{
    struct osp_meta meta[MOST_META];
    int count, own;
    osp_status status = osp_config_meta(&job->config, meta, &own);
    if (status == OSP_REFUSED) /* settings from the command line */
        return osp_fail(OSP_USAGE, "%s", osp_message());
    if (status != OSP_OK)
        return status;
    count = own;
    meta[count++] = (struct osp_meta){"converter", "osprey " OSP_VERSION};
    if (job->weights.nonfinite) {
        snprintf(job->nonfinite, sizeof job->nonfinite, "%llu", (unsigned long long)job->weights.nonfinite);
        meta[count++] = (struct osp_meta){"nonfinite", job->nonfinite};
    }
    status = osp_safetensors_write_checked(job->options->output, meta, count, job->weights.tensors, job->weights.count,
                                           check_network, job);
    osp_config_meta_free(meta, own);
    return status;
}

osp_status convert_model(const struct convert_options *options, struct convert_report *out)
{
    struct job job = {.options = options};
    osp_status status = open_source(&job);
    if (status == OSP_OK)
        status = choose_settings(&job);
    if (status == OSP_OK)
        status = make_weights(&job);
    if (status == OSP_OK)
        status = write_file(&job);
    if (status == OSP_OK) {
        job.report.format = job.checkpoint.format;
        job.report.key = job.checkpoint.key;
        job.report.tensors = job.weights.count;
        job.report.dropped = job.names.dropped;
        job.report.nonfinite = job.weights.nonfinite;
        *out = job.report;
    } else {
        convert_report_free(&job.report);
    }
    weights_free(&job.weights);
    names_free(&job.names);
    osp_config_free(job.previous);
    checkpoint_close(&job.checkpoint);
    free(job.class_name);
    free(job.made_up);
    free(job.source);
    return status;
}

void convert_report_free(struct convert_report *report)
{
    osp_model_close(report->model);
    *report = (struct convert_report){0};
}
