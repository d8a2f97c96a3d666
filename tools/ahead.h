/* Pictures decoded before their turn, as many at once as there are threads: a folder's pictures are decoded on all cores, where
 * one at a time would leave all but one idle. Not while the network runs: it has all cores, and its threads would wait for the
 * one that decodes. A picture that could not be decoded here is no failure yet: it is read again in its turn, and that is what
 * counts. */
#ifndef OSPREY_TOOLS_AHEAD_H
#define OSPREY_TOOLS_AHEAD_H

#include <stdbool.h>

#include "image/image.h"
#include "inputs.h"

enum { AHEAD_MOST = 8 }; /* pictures at once */

struct ahead { /* all zero: none are decoded ahead */
    int threads;
    int64_t most_pixels; /* of a picture: larger ones wait for their turn */
    size_t first;        /* the input of the first */
    int count;
    struct {
        struct osp_image *image; /* NULL: taken, or not decoded */
        enum osp_format format;
    } pictures[AHEAD_MOST];
};

/* For runs of this session, which leaves memory for so many pixels ahead. */
void ahead_open(struct ahead *ahead, const struct osp_session *session);

/* The picture of input i, which becomes the caller's. Where it is not there yet, it and those behind it are decoded first. False:
 * decode it alone. */
bool ahead_take(struct ahead *ahead, const struct inputs *inputs, size_t i, const struct osp_image_options *options,
                struct osp_image **image, enum osp_format *format);

void ahead_close(struct ahead *ahead); /* frees what was not taken */

#endif
