/* The table for people: a line for each picture, a line for each detection. */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "tools.h"

struct table {
    struct output base;
    const struct run *run;
};

/* Characters, where each is one column wide. */
static int columns(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static osp_status add(struct output *output, const struct result *result)
{
    const struct osp_model *model = ((struct table *)output)->run->model;
    char *file = clean_text(result->file, false);
    if (!file)
        return output_no_memory();
    printf("%s  %dx%d\n", file, result->image->width, result->image->height);
    free(file);
    int widest = 0;
    for (int i = 0; i < result->count; i++) {
        int width = columns(osp_model_class(model, result->items[i].label));
        widest = width > widest ? width : widest;
    }
    for (int i = 0; i < result->count; i++) {
        const struct osp_detection *d = &result->items[i];
        char *label = clean_text(osp_model_class(model, d->label), false);
        if (!label)
            return output_no_memory();
        printf("  %s%*s  %.4f  %8.1f %8.1f %8.1f %8.1f\n", label, widest - columns(label), "", (double)d->score,
               (double)d->box[0], (double)d->box[1], (double)d->box[2], (double)d->box[3]);
        free(label);
    }
    if (result->count == 0)
        printf("  no detections\n");
    return stdout_flush();
}

static osp_status finish(struct output *output, bool commit)
{
    free(output);
    return OSP_OK;
}

osp_status table_output_new(const struct run *run, struct output **out)
{
    struct table *table = malloc(sizeof *table);
    if (!table)
        return output_no_memory();
    *table = (struct table){{add, finish, false}, run};
    *out = &table->base;
    return OSP_OK;
}
