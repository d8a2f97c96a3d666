/* Pictures: decoding by content, drawing, saving. Part of libosprey: returns a status and a sentence, prints nothing. */
#ifndef OSPREY_IMAGE_H
#define OSPREY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/osprey.h"

enum osp_format { OSP_FORMAT_OTHER, OSP_FORMAT_JPEG, OSP_FORMAT_PNG };

enum { OSP_FORMAT_BYTES = 512 }; /* as much of a file's start as osp_image_format and osp_image_looks_like look at */

/* By the first bytes, whatever the file is called. */
enum osp_format osp_image_format(const uint8_t *data, size_t size);

/* What bytes that are neither JPEG nor PNG seem to be: "a WebP picture", "an empty file", "text". */
const char *osp_image_looks_like(const uint8_t *data, size_t size);

/* osp_image_load from memory; `name` is for sentences. */
osp_status osp_image_decode(const char *name, const uint8_t *data, size_t size, const struct osp_image_options *options,
                            struct osp_image **out);

/* osp_image_load that also says which format it found. */
osp_status osp_image_load_as(const char *path, const struct osp_image_options *options, struct osp_image **out,
                             enum osp_format *format);

/* "libjpeg-turbo 2.1.5, libpng 1.6.39" */
const char *osp_image_decoder(void);

/* A box to draw: x0 y0 x1 y1 in pixels, a caption in UTF-8, and a class id that chooses the colour. */
struct osp_mark {
    double box[4];
    const char *caption;
    int colour;
};

/* Draws the boxes, the first one on top, with their captions on filled grounds that stay inside the picture.
 * OSP_BAD_IMAGE for a side above 32767 pixels (cairo's limit), OSP_MEMORY. */
osp_status osp_image_draw(struct osp_image *image, const struct osp_mark *marks, int count);

/* Encodes as PNG, or as JPEG of quality 92 without chroma subsampling. OSP_UNWRITTEN, OSP_MEMORY. */
osp_status osp_image_save(FILE *stream, const char *name, enum osp_format format, const struct osp_image *image);

#endif
