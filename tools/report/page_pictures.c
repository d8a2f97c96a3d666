/* Each column's boxes on the picture, as JPEG inside the page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../image/image.h"
#include "../tools.h"
#include "page.h"

enum { MOST_PICTURES = 16, WIDEST = 560, NARROWEST = 120, MOST_BYTES = 90000, MOST_BOXES = 40 };
static const float least_score = 0.5f;

/* The mean of the source pixels under each of the new ones; width is at most the image's. NULL: out of memory. */
static struct osp_image *shrink(const struct osp_image *image, int width)
{
    int height = (int)fmax(1, round((double)image->height * width / image->width));
    struct osp_image *out = malloc(sizeof *out);
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    if (!out || !rgb) {
        free(out);
        free(rgb);
        return NULL;
    }
    *out = (struct osp_image){width, height, rgb};
    for (int y = 0; y < height; y++) {
        size_t y0 = (size_t)y * (size_t)image->height / (size_t)height,
               y1 = ((size_t)y + 1) * (size_t)image->height / (size_t)height;
        for (int x = 0; x < width; x++) {
            size_t x0 = (size_t)x * (size_t)image->width / (size_t)width,
                   x1 = ((size_t)x + 1) * (size_t)image->width / (size_t)width;
            uint64_t sum[3] = {0}, count = 0;
            for (size_t v = y0; v < (y1 > y0 ? y1 : y0 + 1); v++)
                for (size_t u = x0; u < (x1 > x0 ? x1 : x0 + 1); u++, count++)
                    for (int k = 0; k < 3; k++)
                        sum[k] += image->rgb[(v * (size_t)image->width + u) * 3 + (size_t)k];
            for (int k = 0; k < 3; k++)
                rgb[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)k] = (uint8_t)((sum[k] + count / 2) / count);
        }
    }
    return out;
}

static int boxes_of(const struct picture_result *result)
{
    int count = 0;
    while (count < result->count && count < MOST_BOXES && result->items[count].score >= least_score)
        count++;
    return count;
}

/* Draws the boxes on an image that is `scale` times the original. */
static osp_status draw(struct osp_image *image, const struct report_pictures *pictures, const struct picture_result *result,
                       double scale)
{
    struct osp_mark marks[MOST_BOXES] = {0};
    char *captions[MOST_BOXES] = {0};
    osp_status status = OSP_OK;
    int count = boxes_of(result);
    for (int i = 0; i < count; i++) {
        const struct osp_detection *d = &result->items[i];
        bool named = pictures->classes && d->label >= 0 && d->label < pictures->class_count && pictures->classes[d->label];
        char *name = named ? clean_text(pictures->classes[d->label], false) : NULL;
        int made = name ? asprintf(&captions[i], "%s %.2f", name, (double)d->score)
                        : asprintf(&captions[i], "%d %.2f", d->label, (double)d->score);
        free(name);
        if (made < 0) {
            captions[i] = NULL;
            status = OSP_MEMORY;
        }
        marks[i].caption = captions[i] ? captions[i] : "";
        marks[i].colour = d->label;
        for (int k = 0; k < 4; k++)
            marks[i].box[k] = (double)d->box[k] * scale;
    }
    if (status == OSP_OK)
        status = osp_image_draw(image, marks, count);
    for (int i = 0; i < count; i++)
        free(captions[i]);
    return status;
}

/* A drawn, shrunken copy as JPEG of at most `most` bytes, unless it is as narrow as it may be. */
static osp_status encode(const struct report_pictures *pictures, const struct picture_result *result, size_t most, char **data,
                         size_t *size, int shape[2])
{
    int width = pictures->image->width < WIDEST ? pictures->image->width : WIDEST;
    for (;;) {
        struct osp_image *image = shrink(pictures->image, width);
        FILE *stream = image ? open_memstream(data, size) : NULL;
        osp_status status = stream ? OSP_OK : OSP_MEMORY;
        if (stream) {
            status = draw(image, pictures, result, (double)width / pictures->image->width);
            if (status == OSP_OK)
                status = osp_image_save(stream, "a picture of the report", OSP_FORMAT_JPEG, image);
            shape[0] = image->width;
            shape[1] = image->height;
            if (fclose(stream) != 0 && status == OSP_OK)
                status = OSP_MEMORY;
        }
        osp_image_free(image);
        if (status != OSP_OK) {
            if (stream)
                free(*data);
            return status;
        }
        if (*size <= most || width <= NARROWEST)
            return OSP_OK;
        double factor = sqrt((double)most / (double)*size) * 0.97;
        width = (int)fmax(NARROWEST, fmin(width - 1, width * factor));
        free(*data);
    }
}

static const struct picture_result *result_of(const struct page *page, int column)
{
    const struct report_pictures *pictures = page->pictures;
    const struct cell *cell = view_cell(page->study, column, pictures->workload);
    bool kept = cell && pictures->picture >= 0 && pictures->picture < cell->picture_count;
    return kept ? &cell->pictures[pictures->picture] : NULL;
}

static void figure_of(struct page *page, int column, size_t most)
{
    const struct picture_result *result = result_of(page, column);
    const char *name = text_or(page->study->columns[column].name, "?");
    struct html *html = page->html;
    char *data;
    size_t size;
    int shape[2], boxes = boxes_of(result);
    if (encode(page->pictures, result, most, &data, &size, shape) != OSP_OK) {
        html->broken = true;
        return;
    }
    html_open(html, "figure");
    html_open(html, "img");
    html_attr(html, "alt", "the picture with the %d boxes of %s", boxes, name);
    html_attr(html, "width", "%d", shape[0]);
    html_attr(html, "height", "%d", shape[1]);
    html_data(html, "src", "image/jpeg", (const uint8_t *)data, size);
    html_close(html, "img");
    free(data);
    html_open(html, "figcaption");
    html_element(html, "strong", NULL, name);
    column_marks(page, column);
    html_say(html, " %d box%s", boxes, boxes == 1 ? "" : "es");
    html_close(html, "figcaption");
    html_close(html, "figure");
}

void page_pictures(struct page *page)
{
    int columns[MOST_PICTURES], count = 0, left = 0;
    if (!page->pictures || !page->pictures->image || page->pictures->image->width < 1 || page->pictures->image->height < 1)
        return;
    for (int c = 0; c < page->study->column_count; c++) {
        if (!result_of(page, c))
            continue;
        if (count < MOST_PICTURES)
            columns[count++] = c;
        else
            left++;
    }
    if (count == 0)
        return;
    page_say(page, "soft", "Boxes with a score of %.1f and more, at most %d%s.", (double)least_score, MOST_BOXES,
             left ? ", of the first sixteen columns" : "");
    size_t most = page->picture_bytes / (size_t)count < MOST_BYTES ? page->picture_bytes / (size_t)count : MOST_BYTES;
    html_open(page->html, "div");
    html_attr(page->html, "class", "photos");
    for (int i = 0; i < count; i++)
        figure_of(page, columns[i], most);
    html_close(page->html, "div");
}
