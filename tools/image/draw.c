/* Boxes and captions on a picture, by cairo. Sizes follow the picture, so that a box is as easy to see on a stamp as on a poster.
 */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#include "decode.h"

enum { CAIRO_MOST = 32767 }; /* pixels a side */

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
/* fontconfig, under cairo, keeps tables to the end of the process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig"; }
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
#endif

struct colour {
    double r, g, b;
};

/* One colour for each class id, for ever: hues a golden angle apart, so that neighbouring ids look least alike. */
static struct colour class_colour(int id)
{
    double hue = fmod(0.33 + 0.61803398875 * id, 1.0) * 6, rise = hue - floor(hue);
    double low = 0.12, high = 0.95, up = low + (high - low) * rise, down = high - (high - low) * rise;
    switch ((int)hue) {
    case 0:
        return (struct colour){high, up, low};
    case 1:
        return (struct colour){down, high, low};
    case 2:
        return (struct colour){low, high, up};
    case 3:
        return (struct colour){low, down, high};
    case 4:
        return (struct colour){up, low, high};
    default:
        return (struct colour){high, low, down};
    }
}

/* Black or white, whichever reads better on this ground. */
static struct colour ink_on(struct colour ground)
{
    double light = 0.299 * ground.r + 0.587 * ground.g + 0.114 * ground.b;
    double ink = light > 0.5 ? 0 : 1;
    return (struct colour){ink, ink, ink};
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* The outline: a dark edge under the colour keeps it visible on any ground. Its outside edge is the box. */
static void draw_box(cairo_t *cr, const struct osp_mark *mark, double line, double width, double height)
{
    struct colour c = class_colour(mark->colour);
    double x0 = clamp(mark->box[0], 0, width), y0 = clamp(mark->box[1], 0, height);
    double x1 = clamp(mark->box[2], 0, width), y1 = clamp(mark->box[3], 0, height);
    double inset = fmin(line / 2, fmin(x1 - x0, y1 - y0) / 2);
    cairo_rectangle(cr, x0 + inset, y0 + inset, x1 - x0 - 2 * inset, y1 - y0 - 2 * inset);
    cairo_set_source_rgba(cr, 0, 0, 0, 0.55);
    cairo_set_line_width(cr, line * 1.7);
    cairo_stroke_preserve(cr);
    cairo_set_source_rgb(cr, c.r, c.g, c.b);
    cairo_set_line_width(cr, line);
    cairo_stroke(cr);
}

/* A caption's ground, and where in it the text starts. */
struct label {
    double x, y, w, h, font, text_x, text_y;
};

/* Measures a caption; one that is too long for the picture gets smaller letters, down to legible. */
static struct label measure(cairo_t *cr, const char *caption, double font, double width)
{
    cairo_text_extents_t text;
    cairo_font_extents_t line;
    cairo_set_font_size(cr, font);
    cairo_text_extents(cr, caption, &text);
    if (text.x_advance + font > width) {
        font = fmax(7, font * width / (text.x_advance + font));
        cairo_set_font_size(cr, font);
        cairo_text_extents(cr, caption, &text);
    }
    cairo_font_extents(cr, &line);
    double pad = font * 0.3;
    return (struct label){.w = text.x_advance + 2 * pad,
                          .h = line.ascent + line.descent + pad * 0.5,
                          .font = font,
                          .text_x = pad,
                          .text_y = pad * 0.25 + line.ascent};
}

static bool overlap(const struct label *a, const struct label *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

/* Puts labels[i] at its box where no label before it is in the way: on the upper edge if that is free, else under it, below the
 * box, above its lower edge, and the same at the right; always inside the picture. */
static void place(struct label *labels, int i, const double box[4], double width, double height)
{
    struct label *label = &labels[i];
    const double xs[2] = {box[0], box[2] - label->w}, ys[4] = {box[1] - label->h, box[1], box[3], box[3] - label->h};
    for (int c = 0; c < 9; c++) { /* the ninth is the first again: no place is free */
        bool taken = false;
        label->x = clamp(xs[c / 4 % 2], 0, fmax(0, width - label->w));
        label->y = clamp(ys[c % 4], 0, fmax(0, height - label->h));
        for (int k = 0; k < i && !taken; k++)
            taken = overlap(label, &labels[k]);
        if (!taken)
            return;
    }
}

static void draw_label(cairo_t *cr, const struct label *label, const struct osp_mark *mark)
{
    struct colour ground = class_colour(mark->colour), ink = ink_on(ground);
    cairo_rectangle(cr, label->x, label->y, label->w, label->h);
    cairo_set_source_rgb(cr, ground.r, ground.g, ground.b);
    cairo_fill(cr);
    cairo_set_source_rgb(cr, ink.r, ink.g, ink.b);
    cairo_set_font_size(cr, label->font);
    cairo_move_to(cr, label->x + label->text_x, label->y + label->text_y);
    cairo_show_text(cr, mark->caption);
}

/* labels has room for each mark's. */
static void draw_marks(cairo_t *cr, const struct osp_mark *marks, struct label *labels, int count, double width, double height)
{
    double side = fmin(width, height), line = clamp(side / 160, 1.5, 24), font = clamp(side / 26, 11, 160);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
    for (int i = count - 1; i >= 0; i--)
        draw_box(cr, &marks[i], line, width, height);
    for (int i = 0; i < count; i++) {
        labels[i] = measure(cr, marks[i].caption, font, width);
        place(labels, i, marks[i].box, width, height);
    }
    for (int i = count - 1; i >= 0; i--)
        draw_label(cr, &labels[i], &marks[i]);
}

/* RGB bytes to cairo's native-endian xRGB words, and back. */
static void to_surface(const struct osp_image *image, cairo_surface_t *surface)
{
    uint8_t *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    const uint8_t *rgb = image->rgb;
    for (int y = 0; y < image->height; y++) {
        uint32_t *row = (uint32_t *)(void *)(data + (size_t)y * stride);
        for (int x = 0; x < image->width; x++, rgb += 3)
            row[x] = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
    }
    cairo_surface_mark_dirty(surface);
}

static void from_surface(cairo_surface_t *surface, struct osp_image *image)
{
    cairo_surface_flush(surface);
    const uint8_t *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    uint8_t *rgb = image->rgb;
    for (int y = 0; y < image->height; y++) {
        const uint32_t *row = (const uint32_t *)(const void *)(data + (size_t)y * stride);
        for (int x = 0; x < image->width; x++, rgb += 3) {
            rgb[0] = (uint8_t)(row[x] >> 16);
            rgb[1] = (uint8_t)(row[x] >> 8);
            rgb[2] = (uint8_t)row[x];
        }
    }
}

osp_status osp_image_draw(struct osp_image *image, const struct osp_mark *marks, int count)
{
    if (image->width > CAIRO_MOST || image->height > CAIRO_MOST)
        return osp_fail(OSP_BAD_IMAGE, "a picture of %d x %d pixels cannot be drawn on, allowed are at most %d a side",
                        image->width, image->height, CAIRO_MOST);
    struct label *labels = calloc((size_t)count + 1, sizeof *labels);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, image->width, image->height);
    cairo_t *cr = cairo_create(surface);
    cairo_status_t status = labels ? cairo_status(cr) : CAIRO_STATUS_NO_MEMORY;
    if (status == CAIRO_STATUS_SUCCESS) {
        to_surface(image, surface);
        draw_marks(cr, marks, labels, count, image->width, image->height);
        status = cairo_status(cr);
    }
    if (status == CAIRO_STATUS_SUCCESS)
        from_surface(surface, image);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    free(labels);
    if (status == CAIRO_STATUS_NO_MEMORY)
        return osp_fail(OSP_MEMORY, "out of memory: drawing on %d x %d pixels", image->width, image->height);
    if (status != CAIRO_STATUS_SUCCESS)
        return osp_fail(OSP_BAD_IMAGE, "cannot draw: %s", cairo_status_to_string(status));
    return OSP_OK;
}
