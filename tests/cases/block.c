/* Device memory with guard bands. */
#include "block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 256 };

/* Around inputs. Sums and products carry a NaN's bits along: what is computed from the guards of an input must not look like the
 * guards of an output. */
static const uint32_t input_poison = 0x7fc0beef;

static void fill_poison(uint8_t *at, size_t bytes, const uint32_t *poison)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = ((const uint8_t *)poison)[i % sizeof *poison];
}

struct block block_new(const struct bench *bench, const void *host, size_t bytes)
{
    const struct osp_memory *memory = bench->backend->memory;
    struct block block = {.bytes = bytes, .guard = GUARD, .total = GUARD + (bytes + 63) / 64 * 64 + GUARD};
    if (bench->watched) {
        block.guard = 0;
        block.total = bytes;
    }
    block.image = malloc(block.total + 1);
    assert_non_null(block.image);
    if (memory->alloc(bench->device, block.total, &block.device) != OSP_OK)
        fail_msg("alloc: %s", osp_message());
    assert_int_equal((uintptr_t)block.device % 64, 0);
    fill_poison(block.image, block.total, host ? &input_poison : &block_poison);
    if (host)
        memcpy(block.image + block.guard, host, bytes);
    if ((host || !bench->watched) && memory->upload(bench->device, block.device, block.image, block.total) != OSP_OK)
        fail_msg("upload: %s", osp_message());
    return block;
}

void *block_body(const struct block *block) { return block->device ? (uint8_t *)block->device + block->guard : NULL; }

bool block_intact(const struct bench *bench, const struct block *block, bool body_may_change, void *out)
{
    if (bench->watched && body_may_change && !out)
        return true; /* scratch, which may be left unwritten */
    uint8_t *now = malloc(block->total + 1);
    assert_non_null(now);
    if (bench->backend->memory->download(bench->device, now, block->device, block->total) != OSP_OK)
        fail_msg("download: %s", osp_message());
    size_t end = block->guard + block->bytes;
    bool intact = memcmp(now, block->image, block->guard) == 0 &&
                  memcmp(now + end, block->image + end, block->total - end) == 0 &&
                  (body_may_change || memcmp(now, block->image, block->total) == 0);
    if (out)
        memcpy(out, now + block->guard, block->bytes);
    free(now);
    return intact;
}

void block_free(const struct bench *bench, struct block *block)
{
    if (block->device)
        bench->backend->memory->free(bench->device, block->device);
    free(block->image);
    *block = (struct block){0};
}
