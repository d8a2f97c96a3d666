/* A checksum for files that this program wrote itself. */
#include <string.h>

#include "file.h"

enum { LANES = 8, BLOCK = LANES * 8 };

static const uint64_t odd = 0x9e3779b97f4a7c15;

static inline uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

/* Each lane takes every eighth word. The step can be undone, so that a lane in which one word differs ends up different whatever
 * follows; no lane waits for another. */
static void absorb(uint64_t lane[LANES], const uint8_t *block)
{
    for (int i = 0; i < LANES; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, 8);
        lane[i] = rotate(lane[i] ^ word, 29) * odd;
    }
}

uint64_t osp_checksum(uint64_t seed, const void *data, size_t size)
{
    const uint8_t *at = data, *end = at + size - size % BLOCK;
    uint64_t lane[LANES], sum = rotate(seed ^ size, 29) * odd;
    uint8_t last[BLOCK] = {0};
    for (int i = 0; i < LANES; i++)
        lane[i] = (sum + (uint64_t)i) * odd;
    for (; at < end; at += BLOCK)
        absorb(lane, at);
    if (size % BLOCK)
        memcpy(last, at, size % BLOCK);
    absorb(lane, last);
    for (int i = 0; i < LANES; i++)
        sum = rotate(sum ^ lane[i], 29) * odd;
    return sum ^ sum >> 32;
}
