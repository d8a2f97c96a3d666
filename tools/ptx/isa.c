/* The instruction set as a table: lanes.def's rows with the widths of their operands. */
#include "decode.h"

#include <string.h>

enum {
    BYTES_u8 = 1,
    BYTES_s8 = 1,
    BYTES_u16 = 2,
    BYTES_s16 = 2,
    BYTES_u32 = 4,
    BYTES_s32 = 4,
    BYTES_u64 = 8,
    BYTES_s64 = 8,
    BYTES_f32 = 4,
    BYTES_f64 = 8,
    BYTES_h = 2,
    BYTES_q = 2,
    BYTES_hh = 4,
    BYTES_qq = 4
};
enum {
    FLOAT_u8,
    FLOAT_s8 = 0,
    FLOAT_u16 = 0,
    FLOAT_s16 = 0,
    FLOAT_u32 = 0,
    FLOAT_s32 = 0,
    FLOAT_u64 = 0,
    FLOAT_s64 = 0,
    FLOAT_f32 = 1,
    FLOAT_f64 = 1,
    FLOAT_h = 0,
    FLOAT_q = 0,
    FLOAT_hh = 0,
    FLOAT_qq = 0
};

#define VALUE1(name, pattern, D, A, ...) {pattern, ROW_VALUE, 1, {BYTES_##D, BYTES_##A}, {FLOAT_##D, FLOAT_##A}},
#define VALUE2(name, pattern, D, A, B, ...)                                                                                      \
    {pattern, ROW_VALUE, 2, {BYTES_##D, BYTES_##A, BYTES_##B}, {FLOAT_##D, FLOAT_##A, FLOAT_##B}},
#define VALUE3(name, pattern, D, A, B, C, ...)                                                                                   \
    {pattern, ROW_VALUE, 3, {BYTES_##D, BYTES_##A, BYTES_##B, BYTES_##C}, {FLOAT_##D, FLOAT_##A, FLOAT_##B, FLOAT_##C}},
#define TEST1(name, pattern, A, ...) {pattern, ROW_TEST, 1, {0, BYTES_##A}, {false, FLOAT_##A}},
#define TEST2(name, pattern, A, ...) {pattern, ROW_TEST, 2, {0, BYTES_##A, BYTES_##A}, {false, FLOAT_##A, FLOAT_##A}},
#define SELECT(name, pattern, T)     {pattern, ROW_SELECT, 2, {BYTES_##T, BYTES_##T, BYTES_##T}, {false, false, false}},
const struct lane_row ptx_lane_rows[LANE_ROWS] = {
#include "lanes.def"
};

static size_t part_length(const char *s) { return strcspn(s, "."); }

/* One of the alternatives of a pattern's part ("u32/s32") is the opcode's part. */
static bool part_matches(const char *pattern, size_t length, const char *part, size_t part_size)
{
    const char *end = pattern + length;
    while (pattern < end) {
        const char *slash = memchr(pattern, '/', (size_t)(end - pattern));
        size_t n = (size_t)((slash ? slash : end) - pattern);
        if (n == part_size && memcmp(pattern, part, n) == 0)
            return true;
        pattern += n + 1;
    }
    return false;
}

static uint32_t flag_of(const char *part, size_t n)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } FLAGS[] = {{"ftz", FLAG_FTZ}, {"sat", FLAG_SAT}, {"and", FLAG_AND}, {"or", FLAG_OR}, {"xor", FLAG_XOR}};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (strlen(FLAGS[i].word) == n && memcmp(FLAGS[i].word, part, n) == 0)
            return FLAGS[i].flag;
    return 0;
}

bool ptx_row_matches(const char *pattern, const char *opcode, uint32_t *flags)
{
    *flags = 0;
    while (*pattern) {
        size_t n = part_length(pattern), m = part_length(opcode);
        bool optional = pattern[n - 1] == '?';
        if (*opcode && part_matches(pattern, n - optional, opcode, m)) {
            *flags |= optional ? flag_of(opcode, m) : 0; /* a modifier that the row itself computes is no flag */
            opcode += m + (opcode[m] == '.');
        } else if (!optional) {
            return false;
        }
        pattern += n + (pattern[n] == '.');
    }
    return *opcode == '\0';
}
