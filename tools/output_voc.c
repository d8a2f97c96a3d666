/* Pascal VOC: an XML file for each picture. Boxes are as everywhere here: pixels from 0, with decimals, the far edge exclusive.
 */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "runtime/file.h"
#include "tools.h"

struct voc {
    struct output base;
    const struct run *run;
    struct out_folder folder;
};

static void put_text(FILE *stream, const char *text)
{
    char *clean = clean_text(text, false);
    for (const char *p = clean; p && *p; p++) {
        const char *entity = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : NULL;
        if (entity)
            fputs(entity, stream);
        else
            fputc(*p, stream);
    }
    free(clean);
}

static void put_element(FILE *stream, const char *name, const char *text)
{
    fprintf(stream, "<%s>", name);
    put_text(stream, text);
    fprintf(stream, "</%s>\n", name);
}

static void put_object(FILE *stream, const char *label, const struct osp_detection *d)
{
    static const char *const edges[4] = {"xmin", "ymin", "xmax", "ymax"};
    fputs("  <object>\n    ", stream);
    put_element(stream, "name", label);
    fprintf(stream, "    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n    <difficult>0</difficult>\n");
    fprintf(stream, "    <score>%.*f</score>\n    <bndbox>", SCORE_DECIMALS, (double)d->score);
    for (int i = 0; i < 4; i++)
        fprintf(stream, "<%s>%.*f</%s>", edges[i], BOX_DECIMALS, (double)d->box[i], edges[i]);
    fputs("</bndbox>\n  </object>\n", stream);
}

static void put_annotation(FILE *stream, const struct run *run, const struct result *result, const char *made_by)
{
    fputs("<annotation>\n  ", stream);
    put_element(stream, "filename", result->standard ? "stdin" : base_name(result->file));
    fputs("  ", stream);
    put_element(stream, "path", result->file);
    fputs("  <source>\n    <database>osprey</database>\n    ", stream);
    put_element(stream, "annotation", made_by);
    fprintf(stream, "  </source>\n  <size><width>%d</width><height>%d</height><depth>3</depth></size>\n", result->image->width,
            result->image->height);
    fputs("  <segmented>0</segmented>\n", stream);
    for (int i = 0; i < result->count; i++)
        put_object(stream, osp_model_class(run->model, result->items[i].label), &result->items[i]);
    fputs("</annotation>\n", stream);
}

static osp_status add(struct output *output, const struct result *result)
{
    struct voc *voc = (struct voc *)output;
    struct osp_writer writer;
    char *path = NULL, *made_by = NULL;
    json_t *kernels = json_object();
    if (kernels)
        note_kernels(kernels, voc->run->session);
    made_by = kernels ? provenance_line(voc->run, kernels) : NULL;
    osp_status status = made_by ? out_folder_claim(&voc->folder, result, ".xml", &path) : output_no_memory();
    if (status == OSP_OK)
        status = osp_writer_open(path, &writer);
    if (status == OSP_OK) {
        put_annotation(writer.stream, voc->run, result, made_by);
        status = osp_writer_commit(&writer);
    }
    json_decref(kernels);
    free(made_by);
    free(path);
    return status;
}

static osp_status finish(struct output *output, bool commit)
{
    struct voc *voc = (struct voc *)output;
    out_folder_close(&voc->folder);
    free(voc);
    return OSP_OK;
}

osp_status voc_output_new(const struct run *run, const char *folder, struct output **out)
{
    struct voc *voc = malloc(sizeof *voc);
    if (!voc)
        return output_no_memory();
    *voc = (struct voc){{add, finish, false}, run, {0}};
    osp_status status = out_folder_open(run, folder, &voc->folder);
    if (status == OSP_OK)
        *out = &voc->base;
    else
        free(voc);
    return status;
}
