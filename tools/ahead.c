#include "ahead.h"

#include <omp.h>

#include "signals.h"

/* Memory for what is decoded ahead: of each picture no more than this, and of what is free no more than a quarter. */
enum { PICTURE_BYTES = 96 << 20, PART_OF_FREE = 4, PIXEL_BYTES = 3 };

void ahead_open(struct ahead *ahead, const struct osp_session *session)
{
    size_t free_bytes, total;
    struct osp_device_info device;
    int64_t most = PICTURE_BYTES;
    osp_session_device(session, &device);
    int threads = device.gpu && !device.emulated ? omp_get_max_threads() : osp_session_threads(session);
    threads = threads < AHEAD_MOST ? threads : AHEAD_MOST;
    if (threads < 2)
        return;
    if (!*device.name && osp_session_memory(session, &free_bytes, &total) == OSP_OK &&
        (int64_t)(free_bytes / PART_OF_FREE) / threads < most)
        most = (int64_t)(free_bytes / PART_OF_FREE) / threads;
    *ahead = (struct ahead){.threads = threads, .most_pixels = most / PIXEL_BYTES};
}

void ahead_close(struct ahead *ahead)
{
    for (int k = 0; k < ahead->count; k++)
        osp_image_free(ahead->pictures[k].image);
    ahead->count = 0;
}

static void fill(struct ahead *ahead, const struct inputs *inputs, size_t first, const struct osp_image_options *options)
{
    size_t left = inputs->count - first;
    struct osp_image_options smaller = *options;
    ahead_close(ahead);
    ahead->first = first;
    ahead->count = left < (size_t)ahead->threads ? (int)left : ahead->threads;
    if (smaller.max_pixels == 0 || smaller.max_pixels > ahead->most_pixels)
        smaller.max_pixels = ahead->most_pixels;
#pragma omp parallel for schedule(static, 1) num_threads(ahead->count)
    for (int k = 0; k < ahead->count; k++) {
        const struct input *input = &inputs->items[first + (size_t)k];
        struct osp_image *image = NULL;
        if (!input->standard && !signal_caught() &&
            osp_image_load_as(input->path, &smaller, &image, &ahead->pictures[k].format) != OSP_OK)
            image = NULL;
        ahead->pictures[k].image = image;
    }
}

bool ahead_take(struct ahead *ahead, const struct inputs *inputs, size_t i, const struct osp_image_options *options,
                struct osp_image **image, enum osp_format *format)
{
    bool there = i >= ahead->first && i < ahead->first + (size_t)ahead->count;
    if (!there && ahead->threads > 1 && inputs->count - i > 1) {
        fill(ahead, inputs, i, options);
        there = true;
    }
    if (!there || !ahead->pictures[i - ahead->first].image)
        return false;
    *image = ahead->pictures[i - ahead->first].image;
    *format = ahead->pictures[i - ahead->first].format;
    ahead->pictures[i - ahead->first].image = NULL;
    return true;
}
