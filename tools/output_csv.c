/* CSV (RFC 4180): a comment line with the provenance, a header line, a line for each detection. Rows wait in memory, because the
 * provenance names the kernels of all plans, and so is complete only at the end. */
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "runtime/file.h"
#include "tools.h"

struct csv {
    struct output base;
    const struct run *run;
    struct osp_writer writer;
    FILE *rows;
    char *text; /* what was written to rows */
    size_t size;
};

static osp_status add(struct output *output, const struct result *result)
{
    struct csv *csv = (struct csv *)output;
    for (int i = 0; i < result->count; i++) {
        const struct osp_detection *d = &result->items[i];
        print_csv_field(csv->rows, result->file);
        fprintf(csv->rows, ",%d,%d,", result->image->width, result->image->height);
        print_csv_field(csv->rows, osp_model_class(csv->run->model, d->label));
        fprintf(csv->rows, ",%d,%.*f", d->label, SCORE_DECIMALS, (double)d->score);
        for (int k = 0; k < 4; k++)
            fprintf(csv->rows, ",%.*f", BOX_DECIMALS, (double)d->box[k]);
        fputs("\r\n", csv->rows);
    }
    return ferror(csv->rows) ? output_no_memory() : OSP_OK;
}

static osp_status write_file(struct csv *csv)
{
    char *line = provenance_line(csv->run, csv->run->kernels);
    if (!line) {
        osp_writer_abandon(&csv->writer);
        return output_no_memory();
    }
    fprintf(csv->writer.stream, "# %s\r\nfile,width,height,label,id,score,x0,y0,x1,y1\r\n", line);
    fwrite(csv->text, 1, csv->size, csv->writer.stream);
    free(line);
    return osp_writer_commit(&csv->writer);
}

static osp_status finish(struct output *output, bool commit)
{
    struct csv *csv = (struct csv *)output;
    osp_status status = ferror(csv->rows) ? output_no_memory() : OSP_OK;
    if (fclose(csv->rows) != 0)
        status = output_no_memory();
    if (commit && status == OSP_OK)
        status = write_file(csv);
    else
        osp_writer_abandon(&csv->writer);
    free(csv->text);
    free(csv);
    return status;
}

osp_status csv_output_new(const struct run *run, const char *path, struct output **out)
{
    struct csv *csv = calloc(1, sizeof *csv);
    if (!csv)
        return output_no_memory();
    csv->base = (struct output){add, finish, false};
    csv->run = run;
    csv->rows = open_memstream(&csv->text, &csv->size);
    osp_status status = csv->rows ? osp_writer_open(path, &csv->writer) : output_no_memory();
    if (status == OSP_OK) {
        *out = &csv->base;
        return OSP_OK;
    }
    if (csv->rows)
        fclose(csv->rows);
    free(csv->text);
    free(csv);
    return status;
}
