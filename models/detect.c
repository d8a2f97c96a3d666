/* From pictures to boxes: sizes, one run of the network, boxes back to the pictures' own pixels.
 * torchvision models/detection/transform.py, GeneralizedRCNNTransform. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "faster_rcnn.h"

enum { SIZE_DIVISIBLE = 32, RESULTS = NET_BOX_NONFINITE + 1 };

/* ---- Sizes ---------------------------------------------------------------------------------------- */

osp_status osp_resized_size(const char *rule, int min_size, int max_size, int height, int width, int *out_height, int *out_width)
{
    int f32 = !strcmp(rule, "f32-reciprocal");
    if (!f32 && strcmp(rule, "double"))
        return osp_fail(OSP_USAGE, "resize rule '%s'; allowed are double and f32-reciprocal", rule);
    if (height < 1 || width < 1 || min_size < 1 || max_size < 1)
        return osp_fail(OSP_BAD_IMAGE, "a picture of %dx%d pixels; allowed are sides of at least 1", width, height);
    int shorter = height < width ? height : width, longer = height < width ? width : height;
    double scale;
    if (f32) { /* there, number / tensor is the tensor's f32 reciprocal times the number */
        float to_min = 1.0f / (float)shorter * (float)min_size, to_max = 1.0f / (float)longer * (float)max_size;
        scale = to_min < to_max ? to_min : to_max;
    } else {
        double to_min = (double)min_size / shorter, to_max = (double)max_size / longer;
        scale = to_min < to_max ? to_min : to_max;
    }
    int h = (int)floor(height * scale), w = (int)floor(width * scale);
    *out_height = h > 0 ? h : 1;
    *out_width = w > 0 ? w : 1;
    return OSP_OK;
}

static int padded(int side) { return (side + SIZE_DIVISIBLE - 1) / SIZE_DIVISIBLE * SIZE_DIVISIBLE; }

/* Fills a row of `images` for each picture, and the padded size of the batch. */
static osp_status lay_out(struct osp_session *session, const struct osp_image *const *images, int count, int64_t *rows, int *h,
                          int *w)
{
    const struct osp_config *config = osp_model_config(osp_session_model(session));
    const char *rule = osp_session_resize(session);
    int min_size = config->min_size, max_size = config->max_size;
    osp_session_size(session, &min_size, &max_size);
    *h = *w = 0;
    for (int i = 0; i < count; i++) {
        int rh, rw;
        osp_status status =
            osp_resized_size(rule ? rule : config->resize, min_size, max_size, images[i]->height, images[i]->width, &rh, &rw);
        if (status)
            return status;
        int64_t *row = rows + (int64_t)i * OSP_IMAGE_FIELDS;
        row[OSP_IMAGE_H] = images[i]->height;
        row[OSP_IMAGE_W] = images[i]->width;
        row[OSP_IMAGE_RESIZED_H] = rh;
        row[OSP_IMAGE_RESIZED_W] = rw;
        *h = rh > *h ? rh : *h;
        *w = rw > *w ? rw : *w;
    }
    *h = padded(*h);
    *w = padded(*w);
    return OSP_OK;
}

/* ---- Results -------------------------------------------------------------------------------------- */

struct results {
    void *block;         /* holds all: */
    void *data[RESULTS]; /* enum net_result */
    int64_t capacity;    /* M */
};

/* Downloads what the last run kept. */
static osp_status fetch(struct osp_session *session, int images, struct results *out)
{
    size_t bytes[RESULTS], at[RESULTS], total = 0;
    for (int i = 0; i < RESULTS; i++) {
        bytes[i] = osp_session_result_bytes(session, i);
        at[i] = total;
        total += bytes[i];
    }
    out->block = malloc(total ? total : 1);
    if (!out->block)
        return osp_fail(OSP_MEMORY, "out of memory: the results need %zu bytes", total);
    out->capacity = (int64_t)(bytes[NET_SCORES] / sizeof(float)) / images;
    osp_status status = OSP_OK;
    for (int i = 0; !status && i < RESULTS; i++) {
        out->data[i] = (char *)out->block + at[i];
        status = osp_session_result(session, i, out->data[i], bytes[i]);
    }
    return status;
}

/* The detections of image n, in pixels of the picture: the ratio of sizes is rounded to f32 for each axis, as torchvision's
 * resize_boxes does. */
static osp_status convert(const struct results *results, int n, const int64_t *row, struct osp_detections *out)
{
    int64_t first = n * results->capacity;
    const float *boxes = (const float *)results->data[NET_BOXES] + first * 4,
                *scores = (const float *)results->data[NET_SCORES] + first;
    const int32_t *labels = (const int32_t *)results->data[NET_LABELS] + first;
    int count = ((const int32_t *)results->data[NET_COUNT])[n];
    float ratio[2] = {(float)row[OSP_IMAGE_W] / (float)row[OSP_IMAGE_RESIZED_W],
                      (float)row[OSP_IMAGE_H] / (float)row[OSP_IMAGE_RESIZED_H]};
    struct osp_detection *items = calloc(count ? (size_t)count : 1, sizeof *items);
    if (!items)
        return osp_fail(OSP_MEMORY, "out of memory: %d detections need %zu bytes", count, (size_t)count * sizeof *items);
    for (int i = 0; i < count; i++) {
        items[i].label = labels[i];
        items[i].score = scores[i];
        for (int k = 0; k < 4; k++)
            items[i].box[k] = boxes[i * 4 + k] * ratio[k % 2];
    }
    out->count = count;
    out->items = items;
    out->nonfinite =
        ((const int32_t *)results->data[NET_RPN_NONFINITE])[n] + ((const int32_t *)results->data[NET_BOX_NONFINITE])[n];
    return OSP_OK;
}

void osp_detections_free(struct osp_detections *detections)
{
    if (!detections)
        return;
    free(detections->items);
    *detections = (struct osp_detections){0};
}

/* ---- Detecting ------------------------------------------------------------------------------------ */

static osp_status convert_all(struct osp_session *session, const struct results *results, int count, const int64_t *rows,
                              struct osp_detections *out)
{
    double start = osp_seconds();
    for (int i = 0; i < count; i++) {
        struct osp_detections found;
        osp_status status = convert(results, i, rows + (int64_t)i * OSP_IMAGE_FIELDS, &found);
        if (status) {
            while (i-- > 0)
                osp_detections_free(&out[i]);
            return status;
        }
        out[i] = found;
    }
    osp_session_note_postprocess(session, osp_seconds() - start);
    return OSP_OK;
}

static osp_status detect(struct osp_session *session, const struct osp_image *const *images, int count, int64_t *rows,
                         struct osp_detections *out)
{
    struct results results = {0};
    int h, w;
    osp_status status = lay_out(session, images, count, rows, &h, &w);
    if (!status)
        status = osp_session_run(session, images, rows, count, h, w);
    if (!status)
        status = fetch(session, count, &results);
    if (!status)
        status = convert_all(session, &results, count, rows, out);
    free(results.block);
    return status;
}

osp_status osp_detect_batch(struct osp_session *session, const struct osp_image *const *images, int count,
                            struct osp_detections *out)
{
    if (count < 1)
        return osp_fail(OSP_USAGE, "a batch of %d pictures; allowed are 1 and more", count);
    osp_status status = osp_session_enter(session);
    if (status)
        return status;
    int64_t *rows = calloc((size_t)count, OSP_IMAGE_FIELDS * sizeof *rows);
    status =
        rows ? detect(session, images, count, rows, out) : osp_fail(OSP_MEMORY, "out of memory: a batch of %d pictures", count);
    free(rows);
    osp_session_leave(session);
    return status;
}

osp_status osp_detect(struct osp_session *session, const struct osp_image *image, struct osp_detections *out)
{
    return osp_detect_batch(session, &image, 1, out);
}
