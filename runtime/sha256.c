/* SHA-256 (FIPS 180-4). */
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "sha256.h"

const uint32_t osp_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static inline uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One round. The eight names move by one place each round instead of the values. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                                                         \
    do {                                                                                                                         \
        uint32_t sum =                                                                                                           \
            h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + osp_sha256_constants[i] + schedule(w, i); \
        d += sum;                                                                                                                \
        h = sum + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));                                    \
    } while (0)

/* Word i of the message schedule; w keeps the last 16. */
static inline uint32_t schedule(uint32_t w[16], int i)
{
    if (i >= 16) {
        uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];
        w[i & 15] += (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[(i + 9) & 15] + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    return w[i & 15];
}

void osp_sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    for (; count > 0; count--, blocks += 64) {
        uint32_t w[16];
        for (int i = 0; i < 16; i++)
            w[i] = big_endian(blocks + 4 * i);
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i += 16) {
            ROUND(a, b, c, d, e, f, g, h, i + 0);
            ROUND(h, a, b, c, d, e, f, g, i + 1);
            ROUND(g, h, a, b, c, d, e, f, i + 2);
            ROUND(f, g, h, a, b, c, d, e, i + 3);
            ROUND(e, f, g, h, a, b, c, d, i + 4);
            ROUND(d, e, f, g, h, a, b, c, i + 5);
            ROUND(c, d, e, f, g, h, a, b, i + 6);
            ROUND(b, c, d, e, f, g, h, a, i + 7);
            ROUND(a, b, c, d, e, f, g, h, i + 8);
            ROUND(h, a, b, c, d, e, f, g, i + 9);
            ROUND(g, h, a, b, c, d, e, f, i + 10);
            ROUND(f, g, h, a, b, c, d, e, i + 11);
            ROUND(e, f, g, h, a, b, c, d, i + 12);
            ROUND(d, e, f, g, h, a, b, c, i + 13);
            ROUND(c, d, e, f, g, h, a, b, i + 14);
            ROUND(b, c, d, e, f, g, h, a, i + 15);
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

enum { PIECE = 8 << 20 }; /* of a mapped file that is in memory at a time; whole blocks */

/* file: the map that all of data is, or NULL. */
static void digest(const uint8_t *data, size_t size, const struct osp_file *file, char out[65])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    osp_sha256_absorb *fast = osp_sha256_fast(), *absorb = fast ? fast : osp_sha256_portable;
    size_t rest = size % 64, whole = size - rest;
    for (size_t at = 0, piece; at < whole; at += piece) {
        piece = whole - at < PIECE ? whole - at : PIECE;
        absorb(state, data + at, piece / 64);
        if (file)
            osp_file_give_back(file);
    }

    uint8_t last[128] = {0}; /* the rest, a one bit, zeros, the length in bits as 64-bit big-endian */
    if (rest > 0)
        memcpy(last, data + whole, rest);
    last[rest] = 0x80;
    size_t blocks = rest < 56 ? 1 : 2;
    for (int i = 0; i < 8; i++)
        last[blocks * 64 - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    absorb(state, last, blocks);

    for (int i = 0; i < 8; i++)
        snprintf(out + 8 * i, 9, "%08x", state[i]);
}

void osp_sha256_hex(const void *data, size_t size, char out[65]) { digest(data, size, NULL, out); }
void osp_sha256_file(const struct osp_file *file, char out[65]) { digest(file->data, file->size, file, out); }
