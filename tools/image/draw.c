/* Boxes and captions on a picture, by cairo. Sizes follow the picture, so that a box is as easy to see on a stamp as on a poster.
 */
#include <cairo.h>
#include <math.h>
#include <string.h>

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

/* The caption stands on the box's upper edge, or as high as the picture allows. */
static void draw_caption(cairo_t *cr, const struct osp_mark *mark, double font, double width, double height)
{
    cairo_text_extents_t text;
    cairo_font_extents_t line;
    cairo_set_font_size(cr, font);
    cairo_text_extents(cr, mark->caption, &text);
    if (text.x_advance + font > width && text.x_advance > 0) { /* too long for the picture: smaller, down to legible */
        font = fmax(7, font * width / (text.x_advance + font));
        cairo_set_font_size(cr, font);
        cairo_text_extents(cr, mark->caption, &text);
    }
    cairo_font_extents(cr, &line);
    double pad = font * 0.3, w = text.x_advance + 2 * pad, h = line.ascent + line.descent + pad * 0.5;
    double x = clamp(mark->box[0], 0, fmax(0, width - w));
    double y = clamp(mark->box[1] - h, 0, fmax(0, height - h));
    struct colour ground = class_colour(mark->colour), ink = ink_on(ground);
    cairo_rectangle(cr, x, y, w, h);
    cairo_set_source_rgb(cr, ground.r, ground.g, ground.b);
    cairo_fill(cr);
    cairo_set_source_rgb(cr, ink.r, ink.g, ink.b);
    cairo_move_to(cr, x + pad, y + pad * 0.25 + line.ascent);
    cairo_show_text(cr, mark->caption);
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
    double width = image->width, height = image->height, side = fmin(width, height);
    double line = clamp(side / 160, 1.5, 24), font = clamp(side / 26, 11, 160);
    if (image->width > CAIRO_MOST || image->height > CAIRO_MOST)
        return osp_fail(OSP_BAD_IMAGE, "a picture of %d x %d pixels cannot be drawn on, allowed are at most %d a side",
                        image->width, image->height, CAIRO_MOST);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, image->width, image->height);
    cairo_t *cr = cairo_create(surface);
    if (cairo_status(cr) == CAIRO_STATUS_SUCCESS) {
        to_surface(image, surface);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_MITER);
        cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
        for (int i = count - 1; i >= 0; i--)
            draw_box(cr, &marks[i], line, width, height);
        for (int i = count - 1; i >= 0; i--)
            draw_caption(cr, &marks[i], font, width, height);
    }
    cairo_status_t status = cairo_status(cr);
    if (status == CAIRO_STATUS_SUCCESS)
        from_surface(surface, image);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    if (status == CAIRO_STATUS_NO_MEMORY)
        return osp_fail(OSP_MEMORY, "out of memory: drawing on %d x %d pixels", image->width, image->height);
    if (status != CAIRO_STATUS_SUCCESS)
        return osp_fail(OSP_BAD_IMAGE, "cannot draw: %s", cairo_status_to_string(status));
    return OSP_OK;
}
