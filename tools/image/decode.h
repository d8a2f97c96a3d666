/* Between the files of tools/image only. */
#ifndef OSPREY_IMAGE_DECODE_H
#define OSPREY_IMAGE_DECODE_H

#include "image.h"
#include "runtime/file.h"

/* Bytes to decode, and the rules. */
struct picture {
    const char *name; /* for sentences */
    const uint8_t *data;
    size_t size;
    int64_t max_pixels;
};

/* Each decodes one format to RGB and finds the EXIF orientation, 1 to 8 (1 where there is none or it is broken). */
osp_status jpeg_decode(const struct picture *from, struct osp_image **out, int *orientation);
osp_status png_decode(const struct picture *from, struct osp_image **out, int *orientation);

/* Checks the sizes that a header gives against max_pixels, and against the bytes that are there: no encoder packs more than
 * `most_per_byte` units (of which this picture has `units`) into one byte. Only then allocates the pixels. */
osp_status image_new(const struct picture *from, const char *format, uint32_t width, uint32_t height, uint64_t units,
                     uint64_t most_per_byte, struct osp_image **out);

/* The orientation tag in an EXIF block that starts with its TIFF header ("II" or "MM"). */
int exif_orientation(const uint8_t *tiff, size_t size);

/* Turns the picture upright. OSP_MEMORY. */
osp_status image_turn(struct osp_image *image, int orientation);

#endif
