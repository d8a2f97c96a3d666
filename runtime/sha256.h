/* The inner loop of SHA-256, in C and by the processor's own instructions. For runtime/sha256*.c and their test. */
#ifndef OSPREY_SHA256_H
#define OSPREY_SHA256_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t osp_sha256_constants[64];

/* Takes `count` blocks of 64 bytes into the state (a to h of FIPS 180-4). */
typedef void osp_sha256_absorb(uint32_t state[8], const uint8_t *blocks, size_t count);

osp_sha256_absorb osp_sha256_portable;
osp_sha256_absorb *osp_sha256_fast(void); /* NULL: this processor has no instructions for it */

#endif
