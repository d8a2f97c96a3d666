/* Device memory with guard bands. */
#include "block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 256 };

static void fill_poison(uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = ((const uint8_t *)&block_poison)[i % sizeof block_poison];
}

struct block block_new(const struct bench *bench, const void *host, size_t bytes)
{
    const struct osp_memory *memory = bench->backend->memory;
    struct block block = {.bytes = bytes, .total = GUARD + (bytes + 63) / 64 * 64 + GUARD};
    block.image = malloc(block.total);
    assert_non_null(block.image);
    if (memory->alloc(bench->device, block.total, &block.device) != OSP_OK)
        fail_msg("alloc: %s", osp_message());
    assert_int_equal((uintptr_t)block.device % 64, 0);
    fill_poison(block.image, block.total);
    if (host)
        memcpy(block.image + GUARD, host, bytes);
    if (memory->upload(bench->device, block.device, block.image, block.total) != OSP_OK)
        fail_msg("upload: %s", osp_message());
    return block;
}

void *block_body(const struct block *block) { return block->device ? (uint8_t *)block->device + GUARD : NULL; }

bool block_intact(const struct bench *bench, const struct block *block, bool body_may_change, void *out)
{
    uint8_t *now = malloc(block->total);
    assert_non_null(now);
    if (bench->backend->memory->download(bench->device, now, block->device, block->total) != OSP_OK)
        fail_msg("download: %s", osp_message());
    size_t end = GUARD + block->bytes;
    bool intact = memcmp(now, block->image, GUARD) == 0 && memcmp(now + end, block->image + end, block->total - end) == 0 &&
                  (body_may_change || memcmp(now, block->image, block->total) == 0);
    if (out)
        memcpy(out, now + GUARD, block->bytes);
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
