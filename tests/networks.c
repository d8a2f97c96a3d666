/* Whole networks on two backends. */
#include "networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/zoo.h"
#include "scratch.h"
#include "seeded.h"

#define GOLDEN    OSP_SOURCE "/tests/golden/"
#define MOBILENET "fasterrcnn_mobilenet_v3_large_fpn.tensors"
#define PHOTOS    OSP_SOURCE "/models/demo/"

const struct network networks[] = {
    {.label = "demo, astronaut.png", .photo = PHOTOS "astronaut.png"},
    {.label = "demo, camera.png", .photo = PHOTOS "camera.png"},
    {"mobilenet_v3_large_320_fpn", NULL, "fasterrcnn_mobilenet_v3_large_320_fpn", MOBILENET, 91, 10, 128},
    {"mobilenet_v3_large_fpn", NULL, "fasterrcnn_mobilenet_v3_large_fpn", MOBILENET, 91, 36, 128},
    {"resnet50_fpn", NULL, "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn.tensors", 91, 4, 64},
};
const int network_count = sizeof networks / sizeof networks[0];

/* Writes the model file as `osprey convert` would for a checkpoint with these weights. */
static osp_status write_seeded(const struct network *network, const char *path)
{
    struct osp_config config = osp_zoo_find(network->architecture)->defaults;
    struct osp_meta pairs[32];
    char tensors[4096];
    int count;
    config.classes = network->classes;
    config.class_name = (const char **)osp_coco_classes;
    config.min_size = network->size;
    config.max_size = 2 * network->size;
    config.rpn_pre_nms_top_n = 200;
    config.rpn_post_nms_top_n = 20;
    if (strstr(network->architecture, "resnet"))
        config.bn_eps = 0;
    snprintf(tensors, sizeof tensors, GOLDEN "%s", network->tensors);
    osp_status status = osp_config_meta(&config, pairs, &count);
    if (status)
        return status;
    status = seeded_write(tensors, config.classes, (uint64_t)network->seed, pairs, count, path);
    osp_config_meta_free(pairs, count);
    return status;
}

static osp_status open_seeded(const struct network *network, struct osp_model **model, struct osp_image **picture)
{
    char path[] = "/tmp/osprey-network-XXXXXX";
    int descriptor = mkstemp(path), width = network->size * 5 / 4, height = network->size;
    struct osp_image *image = calloc(1, sizeof *image);
    if (descriptor < 0 || !image || !(image->rgb = malloc((size_t)width * (size_t)height * 3))) {
        free(image);
        return osp_fail(OSP_MEMORY, "no file or no memory for a network's test");
    }
    close(descriptor);
    image->width = width;
    image->height = height;
    seeded_picture(width, height, (uint64_t)network->seed, image->rgb);
    osp_status status = write_seeded(network, path);
    if (!status)
        status = osp_model_open(path, model);
    unlink(path); /* the model has it mapped */
    if (status)
        osp_image_free(image);
    else
        *picture = image;
    return status;
}

osp_status network_open(const struct network *network, struct osp_model **model, struct osp_image **picture)
{
    if (!network->photo)
        return open_seeded(network, model, picture);
    osp_status status = osp_model_open(NULL, model);
    if (status)
        return status;
    status = osp_image_load(network->photo, NULL, picture);
    if (status)
        osp_model_close(*model);
    return status;
}

/* The sizes and the number of proposals in the header changed, the header's length not. */
osp_status network_open_small(struct osp_model **model)
{
    size_t size;
    char *bytes = get_file(PHOTOS "demo.safetensors", &size);
    char *min_size = memmem(bytes, size, "\"min_size\":\"320\"", 16), *max_size = memmem(bytes, size, "\"max_size\":\"640\"", 16);
    char *proposals = memmem(bytes, size, "\"rpn_post_nms_top_n\":\"300\"", 26);
    if (!min_size || !max_size || !proposals) {
        free(bytes);
        return osp_fail(OSP_UNREADABLE, "demo.safetensors: its sizes are not those that this test changes");
    }
    memcpy(min_size, "\"min_size\":\"64\" ", 16);
    memcpy(max_size, "\"max_size\":\"64\" ", 16);
    memcpy(proposals, "\"rpn_post_nms_top_n\":\"30\" ", 26);
    put_file(at("small.safetensors"), bytes, size);
    free(bytes);
    return osp_model_open(at("small.safetensors"), model);
}

static osp_status run(const struct osp_model *model, const struct osp_image *picture, const struct osp_session_options *options,
                      struct osp_detections found[2], struct network_outcome *out)
{
    struct osp_session *session;
    struct osp_session_times times;
    osp_status status = osp_session_open(model, options, &session);
    if (status)
        return status;
    status = osp_detect(session, picture, &found[0]);
    if (!status) {
        osp_session_times(session, &times);
        out->first = times.network;
        status = osp_detect(session, picture, &found[1]);
        osp_session_times(session, &times);
        out->again = times.network;
        if (status)
            osp_detections_free(&found[0]);
    }
    snprintf(out->device, sizeof out->device, "%s", osp_session_isa(session));
    osp_session_close(session);
    return status;
}

static void compare(const struct osp_detections *want, const struct osp_detections *got, struct network_outcome *out)
{
    out->wanted = want->count;
    out->found = got->count;
    for (int i = 0; i < want->count && i < got->count; i++) {
        const struct osp_detection *a = &want->items[i], *b = &got->items[i];
        out->labels_differ += a->label != b->label;
        out->score = fmax(out->score, fabs((double)a->score - (double)b->score));
        for (int k = 0; k < 4; k++)
            out->box = fmax(out->box, fabs((double)a->box[k] - (double)b->box[k]));
    }
}

osp_status network_compare(const struct osp_model *model, const struct osp_image *picture,
                           const struct osp_session_options *options, struct network_outcome *out)
{
    struct osp_detections want[2], got[2];
    struct network_outcome cpu, second = {0};
    *out = (struct network_outcome){0};
    osp_status status = run(model, picture, NULL, want, &cpu);
    if (status)
        return status;
    status = run(model, picture, options, got, out);
    if (!status) {
        compare(&want[0], &got[0], out);
        compare(&got[0], &got[1], &second);
        out->labels_differ += second.labels_differ + (second.wanted != second.found) + (second.box > 0) + (second.score > 0);
        for (int i = 0; i < 2; i++)
            osp_detections_free(&got[i]);
    }
    for (int i = 0; i < 2; i++)
        osp_detections_free(&want[i]);
    return status;
}

int network_agrees(const struct network_outcome *outcome)
{
    return outcome->wanted == outcome->found && !outcome->labels_differ && outcome->box <= 1e-2 && outcome->score <= 1e-4;
}
