#include "faults.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static void want_product(struct data *d)
{
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 64; j++)
            for (int k = 0; k < 64; k++)
                d->out[i * 64 + j] += d->a[i * 64 + k] * d->b[k * 64 + j];
}

static void want_three(struct data *d)
{
    for (int i = 0; i < 128; i++)
        d->out[i] = (i > 0 ? d->a[i - 1] : 0) + d->a[i] + (i < 127 ? d->a[i + 1] : 0);
}

static void want_reversed(struct data *d)
{
    for (int i = 0; i < 512; i++)
        d->out[i] = d->a[i / 256 * 256 + 255 - i % 256];
}

static void want_exchanged(struct data *d)
{
    for (int i = 0; i < 400; i++)
        d->out[i] = d->a[i ^ 1];
}

static void want_rows(struct data *d)
{
    for (int i = 0; i < 32 * 32; i++)
        d->out[i / 32] += d->a[i];
}

static void want_doubled(struct data *d)
{
    for (int i = 0; i < 1000; i++)
        d->out[i] = 2 * d->a[i];
}

static void want_pipeline(struct data *d)
{
    for (int i = 0; i < 1024; i++)
        d->out[127 - i % 128] += d->a[i] * (float)(i / 128 + 1);
}

static void sum_first(struct data *d, int count)
{
    for (int i = 0; i < count; i++)
        d->out[0] += d->a[i];
}
static void want_sum_16(struct data *d) { sum_first(d, 16); }
static void want_sum_32(struct data *d) { sum_first(d, 32); }
static void want_sum_64(struct data *d) { sum_first(d, 64); }

static void want_fours(struct data *d)
{
    for (int i = 0; i < 128; i++)
        d->out[i / 4] += d->a[i];
}

static void want_matrices(struct data *d)
{
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            for (int k = 0; k < 8; k++)
                d->out[i * 8 + j] += roundf(d->a[i * 8 + k]) * d->b[k * 8 + j];
}

static void want_positive(struct data *d)
{
    uint32_t bits = 0;
    for (int i = 0; i < 32; i++)
        bits |= (uint32_t)(d->a[i] > 0) << i;
    memcpy(d->out, &bits, sizeof bits);
}

static void want_compact(struct data *d)
{
    for (int i = 0, count = 0; i < 128; i++)
        if (d->a[i] > 0)
            d->out[count++] = d->a[i];
}

static void want_copied(struct data *d) { memcpy(d->out, d->a, 256 * sizeof(float)); }

static void want_columns(struct data *d)
{
    for (int i = 0; i < 2000; i++)
        d->out[i % 256] += d->a[i];
}

/* clang-format off */
const struct planted planted[PLANTED] = {
    {.number = 1, .what = "missing barrier after a tile is loaded", .must = "race-shared uninitialised-shared",
     .grid = {4, 4, 1}, .block = {16, 16, 1}, .n = 64, .count = 4096, .want = want_product},
    {.number = 2, .what = "missing barrier before a tile is overwritten", .must = "race-shared",
     .grid = {4, 4, 1}, .block = {16, 16, 1}, .n = 64, .count = 4096, .want = want_product},
    {.number = 3, .what = "shared array, one past its end", .must = "out-of-bounds-shared",
     .grid = {2, 1, 1}, .block = {256, 1, 1}, .n = 512, .count = 512, .want = want_reversed},
    {.number = 4, .what = "shared array, past the end of a row", .companion = BOUNDS,
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 32, .count = 32, .want = want_rows},
    {.number = 5, .what = "no guard for the last block", .must = "out-of-bounds-global",
     .grid = {4, 1, 1}, .block = {256, 1, 1}, .n = 1000, .count = 1000, .want = want_doubled,
     .first_thread = 1000 - 768, .first_block = 3, .tight = true},
    {.number = 6, .what = "asynchronous copy, never waited for",
     .must = "copy-pending copy-unwaited", .may = "race-shared uninitialised-shared",
     .grid = {1, 1, 1}, .block = {128, 1, 1}, .n = 1024, .count = 128, .want = want_pipeline},
    {.number = 7, .what = "asynchronous copy, last one not waited for",
     .must = "copy-pending copy-unwaited", .may = "race-shared uninitialised-shared",
     .grid = {1, 1, 1}, .block = {128, 1, 1}, .n = 1024, .count = 128, .want = want_pipeline},
    {.number = 8, .what = "asynchronous copy, no barrier after the wait",
     .must = "race-shared copy-pending", .may = "uninitialised-shared",
     .grid = {1, 1, 1}, .block = {128, 1, 1}, .n = 1024, .count = 128, .want = want_pipeline},
    {.number = 9, .what = "asynchronous copy into what others still read", .must = "race-shared", .may = "copy-pending",
     .grid = {1, 1, 1}, .block = {128, 1, 1}, .n = 1024, .count = 128, .want = want_pipeline},
    {.number = 10, .what = "+= by several blocks, not atomic", .must = "race-between-blocks",
     .grid = {64, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_sum_64},
    {.number = 11, .what = "edge of a shared row, never written", .must = "uninitialised-shared",
     .grid = {1, 1, 1}, .block = {128, 1, 1}, .n = 0, .count = 128, .want = want_three, .first_thread = 127},
    {.number = 12, .what = "shuffle of all 32 lanes, by 16", .must = "warp-mask",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_sum_16},
    {.number = 13, .what = "shuffle of 16 lanes, by 32", .must = "warp-mask warp-mismatch", .may = "shuffle-source",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_sum_16},
    {.number = 14, .what = "barrier for half the block", .must = "barrier-after-exit", .may = "race-shared uninitialised-shared",
     .grid = {1, 1, 1}, .block = {256, 1, 1}, .n = 0, .count = 256, .want = want_reversed},
    {.number = 15, .what = "two barriers, in the two ways of an if", .must = "divergent-barrier",
     .grid = {1, 1, 1}, .block = {256, 1, 1}, .n = 0, .count = 256, .want = want_reversed},
    {.number = 16, .what = "return before a barrier", .must = "barrier-after-exit",
     .grid = {2, 1, 1}, .block = {256, 1, 1}, .n = 400, .count = 400, .want = want_exchanged, .first_block = 1},
    {.number = 17, .what = "missing __syncwarp", .must = "race-shared",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_sum_32},
    {.number = 18, .what = "float4 at an address of 8 bytes", .must = "misaligned",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 32, .want = want_fours},
    {.number = 19, .what = "two registers of a matrix exchanged", .companion = VALUES,
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 128, .want = want_matrices},
    {.number = 20, .what = "matrix operand not rounded to tf32", .must = "tf32-unrounded",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 128, .want = want_matrices, .unrounded = true},
    {.number = 21, .what = "|= by several threads, not atomic", .must = "race-global",
     .grid = {1, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_positive},
    {.number = 22, .what = "places given in order of arrival", .companion = SEEDED,
     .grid = {4, 1, 1}, .block = {32, 1, 1}, .n = 128, .count = 128, .want = want_compact},
    {.number = 23, .what = "parts of other blocks, read without a fence", .must = "race-between-blocks",
     .grid = {16, 1, 1}, .block = {32, 1, 1}, .n = 0, .count = 1, .want = want_sum_16},
    {.number = 24, .what = "local variable, not always set", .companion = PATTERN,
     .grid = {1, 1, 1}, .block = {256, 1, 1}, .n = 0, .count = 256, .want = want_copied},
    {.number = 25, .what = "loop that leaves out the last 32", .companion = VALUES,
     .grid = {1, 1, 1}, .block = {256, 1, 1}, .n = 2000, .count = 256, .want = want_columns},
    {.number = 26, .what = "host memory given to a kernel", .must = "host-pointer",
     .grid = {4, 1, 1}, .block = {256, 1, 1}, .n = 1000, .count = 1000, .want = want_doubled, .tight = true, .host = true},
};
/* clang-format on */

/* Whole numbers, so that every sum is exact in any order; none is 0. */
void fault_data(const struct planted *fault, struct data *given, struct data *want)
{
    uint32_t random = 12345;
    for (int i = 0; i < ROOM; i++)
        for (int side = 0; side < 2; side++) {
            random = random * 1664525 + 1013904223;
            int value = (int)(random >> 20) % 16 - 8;
            (side ? given->b : given->a)[i] = (float)(value < 0 ? value : value + 1) + (fault->unrounded && !side ? 0x1p-13f : 0);
        }
    memset(given->out, 0, sizeof given->out);
    *want = *given;
    fault->want(want);
}

bool fault_right(const struct planted *fault, const struct data *got, const struct data *want)
{
    return memcmp(got->out, want->out, (size_t)fault->count * sizeof(float)) == 0;
}

bool among(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at && (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}
