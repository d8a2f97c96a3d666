/* Instructions of 16 bytes: what each does, and which of them are the main loop. */
#include <stdint.h>
#include <string.h>

#include "sass.h"

enum { INSTRUCTION = 16, OPCODE = 0x1ff, NOP = 0x118, BRANCH = 0x147 };

static const struct {
    const char *name;
    int codes[2]; /* the low 9 bits */
} classes[SASS_CLASSES] = {
    [SASS_FFMA] = {"FFMA", {0x023, 0x023}},     [SASS_MMA] = {"MMA", {0x03c, 0x037}}, [SASS_LDS] = {"LDS", {0x184, 0x184}},
    [SASS_LDSM] = {"LDSM", {0x03b, 0x03b}},     [SASS_STS] = {"STS", {0x188, 0x188}}, [SASS_LDG] = {"LDG", {0x181, 0x181}},
    [SASS_LDGSTS] = {"LDGSTS", {0x1ae, 0x1ae}}, [SASS_STG] = {"STG", {0x186, 0x186}}, [SASS_LDL] = {"LDL", {0x183, 0x183}},
    [SASS_STL] = {"STL", {0x187, 0x187}},       [SASS_BAR] = {"BAR", {0x11d, 0x11d}}, [SASS_OTHER] = {"other", {-1, -1}},
};

const char *sass_class_name(enum sass_class class) { return classes[class].name; }

double sass_share(const struct sass_mix *mix)
{
    return mix->count ? (double)(mix->of[SASS_FFMA] + mix->of[SASS_MMA]) / mix->count : 0;
}

static uint64_t word(const unsigned char *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static int opcode(const unsigned char *p) { return (int)(word(p) & OPCODE); }

static enum sass_class class_of(int code)
{
    int class = 0;
    while (class < SASS_OTHER && classes[class].codes[0] != code && classes[class].codes[1] != code)
        class ++;
    return (enum sass_class) class;
}

/* Bytes that a lane moves: bits 73 to 75, u8 s8 u16 s16 32 64 128. */
static int width(const unsigned char *p)
{
    static const int bytes[8] = {1, 1, 2, 2, 4, 8, 16, 16};
    return bytes[word(p + 8) >> 9 & 7];
}

static void add(struct sass_mix *mix, const unsigned char *p)
{
    if (opcode(p) == NOP)
        return;
    enum sass_class class = class_of(opcode(p));
    mix->count++;
    mix->of[class]++;
    if (class == SASS_LDS)
        mix->lds_bytes += width(p);
    if (class == SASS_LDG || class == SASS_LDGSTS)
        mix->ldg_bytes += width(p);
    if (class == SASS_STS)
        mix->sts_bytes += width(p);
}

/* Where the jump at `at` goes. Up to sm_89: bits 32 to 79 are bytes from the next instruction on. Then: bits 34 to 79 and below
 * them bits 16 to 23 are words of 4 bytes. */
static int64_t target(const unsigned char *p, size_t at, int arch)
{
    uint64_t low = word(p), high = word(p + 8) & 0xffff;
    int64_t distance;
    if (arch < 90)
        distance = (int64_t)((low >> 32 | high << 32) << 16) >> 16;
    else
        distance = (((int64_t)((low >> 34 | high << 30) << 18) >> 18) * 256 + (int64_t)(low >> 16 & 0xff)) * 4;
    return (int64_t)at + INSTRUCTION + distance;
}

/* The loop that the jump at `at` closes; false: it is no jump backwards. A jump to itself fills the space behind a kernel. */
static int closes(const unsigned char *code, size_t at, int arch, size_t *start)
{
    if (opcode(code + at) != BRANCH)
        return 0;
    int64_t to = target(code + at, at, arch);
    if (to < 0 || to >= (int64_t)at || to % INSTRUCTION)
        return 0;
    *start = (size_t)to;
    return 1;
}

static int is_innermost(const unsigned char *code, size_t start, size_t end, int arch)
{
    size_t inner;
    for (size_t at = start; at < end; at += INSTRUCTION)
        if (closes(code, at, arch, &inner) && inner >= start)
            return 0;
    return 1;
}

static int work(const struct sass_mix *mix) { return mix->of[SASS_FFMA] + mix->of[SASS_MMA]; }

/* Of two loops the one with more work; of equals the shorter, for the other is the same with questions asked; without work the
 * longer. */
static int is_rather(const struct sass_mix *a, const struct sass_mix *b)
{
    if (work(a) != work(b))
        return work(a) > work(b);
    return work(a) ? a->count < b->count : a->count > b->count;
}

void sass_mix_of(const unsigned char *code, size_t size, int arch, struct sass_kernel *out)
{
    size_t start;
    out->all = out->loop = (struct sass_mix){0};
    out->loop_at = 0;
    for (size_t at = 0; at + INSTRUCTION <= size; at += INSTRUCTION) {
        add(&out->all, code + at);
        if (!closes(code, at, arch, &start) || !is_innermost(code, start, at, arch))
            continue;
        struct sass_mix loop = {0};
        for (size_t i = start; i <= at; i += INSTRUCTION)
            add(&loop, code + i);
        if (is_rather(&loop, &out->loop)) {
            out->loop = loop;
            out->loop_at = start;
        }
    }
}
