/* The run over all pictures. */
#include <stdlib.h>

#include "counts.h"
#include "detect.h"
#include "signals.h"
#include "tools.h"

/* One picture of a batch. */
struct slot {
    size_t index; /* of the input */
    struct osp_image *image;
    enum osp_format format;
};

/* After the bar has been wiped away, so that the sentence stands on a line of its own. */
static void picture_failed(struct detect *detect)
{
    progress_clear(&detect->progress);
    say("%s", osp_message());
    detect->failed++;
    progress_step(&detect->progress);
}

static osp_status load_standard(const struct osp_image_options *options, struct slot *slot)
{
    uint8_t *data;
    size_t size;
    osp_status status = read_standard_input(&data, &size);
    if (status != OSP_OK)
        return status;
    slot->format = osp_image_format(data, size);
    status = osp_image_decode("standard input", data, size, options, &slot->image);
    free(data);
    return status;
}

static osp_status load(struct detect *detect, const struct input *input, struct slot *slot)
{
    if (input->standard)
        return load_standard(&detect->image_options, slot);
    if (ahead_take(&detect->ahead, &detect->inputs, slot->index, &detect->image_options, &slot->image, &slot->format))
        return OSP_OK;
    return osp_image_load_as(input->path, &detect->image_options, &slot->image, &slot->format);
}

/* Decodes the next picture that can be; false: there is none left, or a signal came. */
static bool load_next(struct detect *detect, size_t *next, struct slot *slot, int later)
{
    while (*next < detect->inputs.count && !signal_caught()) {
        const struct input *input = &detect->inputs.items[*next];
        double start = now();
        *slot = (struct slot){.index = (*next)++};
        osp_status status = load(detect, input, slot);
        detect->times.decode[later] += now() - start;
        if (status == OSP_OK)
            return true;
        if (!signal_caught() || !input->standard) /* a signal ends the wait for standard input: that is no failure */
            picture_failed(detect);
    }
    return false;
}

/* Is there memory for this picture beside the batch's? Then it becomes one of them. */
static osp_status add_if_room(struct detect *detect, const struct slot *slot, struct batch_size *batch, bool *room)
{
    const struct osp_image *image = slot->image;
    struct batch_size larger = *batch;
    *room = true;
    if (!detect->budget.session)
        return OSP_OK;
    osp_status status = batch_add(&detect->budget, &larger, image->height, image->width);
    if (status == OSP_OK)
        status = budget_allows(&detect->budget, &larger, room);
    if (status == OSP_OK && *room)
        *batch = larger;
    else if (status == OSP_OK && batch->pictures == 0 && !detect->budget.asked)
        *room = true; /* it is what the device says when it is tried that counts */
    else if (status == OSP_OK && batch->pictures == 0)
        status = budget_refuse(&detect->budget, detect->inputs.items[slot->index].path, image->height, image->width);
    return status;
}

/* Fills a batch with the next pictures that can be decoded, as many as memory allows. `ahead`: a picture that was decoded, but
 * found no room in the batch before. Returns how many. */
static int load_batch(struct detect *detect, size_t *next, struct slot *slots, struct slot *ahead, int later)
{
    struct batch_size batch = {0};
    int count = 0;
    while (count < detect->batch) {
        struct slot *slot = &slots[count];
        bool room;
        *slot = *ahead;
        *ahead = (struct slot){0};
        if (!slot->image && !load_next(detect, next, slot, later))
            break;
        if (add_if_room(detect, slot, &batch, &room) != OSP_OK) {
            picture_failed(detect);
            osp_image_free(slot->image);
        } else if (room) {
            count++;
        } else {
            *ahead = *slot;
            detect->largest_batch = count > detect->largest_batch ? count : detect->largest_batch;
            break;
        }
    }
    return count;
}

/* Keeps what --score, --only and --top ask for, in order; best score first means that --top keeps the first of each label. */
static void keep_wanted(const struct detect *detect, struct osp_detections *found)
{
    int kept = 0;
    for (int i = 0; i < found->count; i++) {
        const struct osp_detection *d = &found->items[i];
        bool keep = (double)d->score >= detect->score && (!detect->wanted || detect->wanted[d->label]);
        for (int k = 0; keep && detect->top && k < kept; k++)
            keep = found->items[k].label != d->label;
        if (keep)
            found->items[kept++] = *d;
    }
    found->count = kept;
}

/* One picture's result into every output. OSP_UNWRITTEN: go no further. */
static osp_status put_result(struct detect *detect, const struct slot *slot, struct osp_detections *found, int later)
{
    const struct input *input = &detect->inputs.items[slot->index];
    keep_wanted(detect, found);
    const struct result result = {input->path, input->standard, slot->index + 1, slot->format,
                                  slot->image, found->items,    found->count,    found->nonfinite};
    progress_clear(&detect->progress);
    if (found->nonfinite)
        say("%s: %d candidates were dropped, because a score or a box was not finite", input->path, found->nonfinite);
    for (int i = 0; i < detect->output_count; i++) {
        struct output *output = detect->outputs[i];
        double start = now();
        osp_status status = output->add(output, &result);
        *(output->draws ? &detect->times.drawing[later] : &detect->times.writing[later]) += now() - start;
        if (status == OSP_UNWRITTEN)
            return status;
        if (status != OSP_OK) {
            picture_failed(detect);
            return OSP_OK;
        }
    }
    detect->pictures++;
    detect->detections += found->count;
    progress_step(&detect->progress);
    return OSP_OK;
}

static osp_status put_batch(struct detect *detect, const struct slot *slots, int count, struct osp_detections *found, int later)
{
    osp_status status = OSP_OK;
    times_add_run(&detect->times, later, detect->session);
    detect->times.pictures[later] += count;
    note_kernels(detect->run.kernels, detect->session);
    progress_clear(&detect->progress);
    counts_print(detect->session);
    for (int i = 0; i < count; i++) {
        if (status == OSP_OK)
            status = put_result(detect, &slots[i], &found[i], later);
        osp_detections_free(&found[i]);
    }
    return status;
}

/* The network refused the batch. Without its backend nothing else can work; anything else may be these pictures' fault. */
static osp_status batch_failed(struct detect *detect, osp_status status, const struct slot *slots, int count)
{
    if (status == OSP_UNAVAILABLE || status == OSP_USAGE)
        return status;
    progress_clear(&detect->progress);
    for (int i = 0; i < count; i++)
        say("%s: %s", detect->inputs.items[slots[i].index].path, osp_message());
    detect->failed += count;
    return OSP_OK;
}

static osp_status run_batch(struct detect *detect, const struct slot *slots, int count, int later)
{
    const struct osp_image *images[MAX_BATCH];
    struct osp_detections found[MAX_BATCH];
    for (int i = 0; i < count; i++)
        images[i] = slots[i].image;
    osp_status status = osp_detect_batch(detect->session, images, count, found);
    return status == OSP_OK ? put_batch(detect, slots, count, found, later) : batch_failed(detect, status, slots, count);
}

int detect_all(struct detect *detect)
{
    struct slot slots[MAX_BATCH], ahead = {0};
    osp_status status = OSP_OK;
    size_t next = 0;
    progress_begin(&detect->progress, detect->inputs.count, detect->quiet);
    if (detect->memory_limit <= 0) /* what lies ahead is not in the forecast that keeps to the limit */
        ahead_open(&detect->ahead, detect->session);
    while (status == OSP_OK && (next < detect->inputs.count || ahead.image) && !signal_caught()) {
        int later = detect->times.pictures[0] > 0;
        int count = load_batch(detect, &next, slots, &ahead, later);
        if (count > 0)
            status = run_batch(detect, slots, count, later);
        for (int i = 0; i < count; i++)
            osp_image_free(slots[i].image);
    }
    osp_image_free(ahead.image);
    ahead_close(&detect->ahead);
    progress_clear(&detect->progress);
    if (status != OSP_OK)
        return say_failure(status);
    return detect->failed || detect->inputs.failed ? EXIT_IMAGE : EXIT_DONE;
}
