/* Weights and pictures from seeds: the C half. tests/golden/seeded.py is the Python half; the two give the same bits, so that
 * what torchvision computed from them can be compared with what osprey computes, and neither has to be stored. */
#ifndef OSPREY_TESTS_SEEDED_H
#define OSPREY_TESTS_SEEDED_H

#include "runtime/safetensors.h"

/* out[i] = base + gain * u, with u in [-1, 1) from the top 24 bits of the i-th number of a SplitMix64 stream whose state is
 * a hash of the name and the seed: one product and one sum, each rounded once. */
void seeded_fill(const char *name, uint64_t seed, float base, float gain, int64_t count, float *out);

/* Writes the model file OUT with all tensors of a .tensors file (a line each: NAME BASE GAIN SIZE...; a size K stands for the
 * number of classes, 4K for four times that) and the given metadata. OSP_UNREADABLE, OSP_UNWRITTEN, OSP_MEMORY; OSP_USAGE: a line
 * that is none. */
osp_status seeded_write(const char *tensors_file, int classes, uint64_t seed, const struct osp_meta *meta, int meta_count,
                        const char *out);

/* rgb[height][width][3]: a gradient, twelve rectangles of plain colour, noise of five bits. */
void seeded_picture(int width, int height, uint64_t seed, uint8_t *rgb);

#endif
