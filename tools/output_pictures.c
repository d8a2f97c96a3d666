/* Annotated pictures: boxes and captions drawn, saved in the format of the input. */
#include <stdlib.h>

#include "output.h"
#include "runtime/file.h"
#include "tools.h"

struct pictures {
    struct output base;
    const struct run *run;
    struct out_folder folder;
};

static osp_status draw(const struct run *run, const struct result *result)
{
    struct osp_mark *marks = calloc((size_t)result->count + 1, sizeof *marks);
    osp_status status = marks ? OSP_OK : output_no_memory();
    int made = 0;
    for (; status == OSP_OK && made < result->count; made++) {
        const struct osp_detection *d = &result->items[made];
        char *label = clean_text(osp_model_class(run->model, d->label), false), *caption = NULL;
        if (!label || asprintf(&caption, "%s %.3f", label, (double)d->score) < 0)
            status = output_no_memory();
        marks[made].caption = caption;
        marks[made].colour = d->label;
        for (int k = 0; k < 4; k++)
            marks[made].box[k] = (double)d->box[k];
        free(label);
    }
    if (status == OSP_OK)
        status = osp_image_draw(result->image, marks, made);
    for (int i = 0; i < made; i++)
        free((char *)marks[i].caption);
    free(marks);
    return status;
}

static osp_status add(struct output *output, const struct result *result)
{
    struct pictures *pictures = (struct pictures *)output;
    struct osp_writer writer;
    char *path = NULL;
    osp_status status = draw(pictures->run, result);
    if (status == OSP_OK)
        status = out_folder_claim(&pictures->folder, result, NULL, &path);
    if (status == OSP_OK)
        status = osp_writer_open(path, &writer);
    if (status == OSP_OK) {
        status = osp_image_save(writer.stream, path, result->format, result->image);
        if (status == OSP_OK)
            status = osp_writer_commit(&writer);
        else
            osp_writer_abandon(&writer);
    }
    free(path);
    return status;
}

static osp_status finish(struct output *output, bool commit)
{
    struct pictures *pictures = (struct pictures *)output;
    out_folder_close(&pictures->folder);
    free(pictures);
    return OSP_OK;
}

osp_status pictures_output_new(const struct run *run, const char *folder, struct output **out)
{
    struct pictures *pictures = malloc(sizeof *pictures);
    if (!pictures)
        return output_no_memory();
    *pictures = (struct pictures){{add, finish, true}, run, {0}};
    osp_status status = out_folder_open(run, folder, &pictures->folder);
    if (status == OSP_OK)
        *out = &pictures->base;
    else
        free(pictures);
    return status;
}
