/* Instructions of 16 bytes: what each does, and which of them are the main loop. */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend.h"
#include "sass.h"

enum { INSTRUCTION = 16, OPCODE = 0x1ff, NOP = 0x118 };
enum { FEW = 16 }; /* fewer operations than one in so many instructions are a question about a number, not work with it */
enum { FMUL = 0x020, FADD = 0x021, MMA_FLOP = 64 }; /* 16 x 8 x 8 products by 32 lanes, and as many sums */
enum { BRANCH = 0x147, INDIRECT_BRANCH = 0x149, EXIT = 0x14d, RETURN = 0x150, UNIFORM_BRANCH = 0x547 /* all 12 bits */ };

static const struct {
    const char *name;
    int codes[2]; /* the low 9 bits */
} classes[SASS_CLASSES] = {
    [SASS_FFMA] = {"FFMA", {0x023, 0x023}},     [SASS_MMA] = {"MMA", {0x03c, 0x037}}, [SASS_LDS] = {"LDS", {0x184, 0x184}},
    [SASS_LDSM] = {"LDSM", {0x03b, 0x03b}},     [SASS_STS] = {"STS", {0x188, 0x188}}, [SASS_LDG] = {"LDG", {0x181, 0x180}},
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

/* Of 8 x 8 elements of 16 bits, 4 bytes a lane: bits 72 and 73, 1 2 4. */
static int matrices(const unsigned char *p) { return 1 << (word(p + 8) >> 8 & 3); }

static void add(struct sass_mix *mix, const unsigned char *p)
{
    if (opcode(p) == NOP)
        return;
    enum sass_class class = class_of(opcode(p));
    mix->count++;
    mix->of[class]++;
    mix->flop += class == SASS_FFMA ? 2 : class == SASS_MMA ? MMA_FLOP : opcode(p) == FADD || opcode(p) == FMUL;
    if (class == SASS_LDS)
        mix->lds_bytes += width(p);
    if (class == SASS_LDSM)
        mix->lds_bytes += matrices(p) * 4;
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

/* Whether an instruction is for no lane but those whose predicate says so. Bits 12 to 14; 7 is always. */
static int is_asked(const unsigned char *p) { return (word(p) >> 12 & 7) != 7 || (int)(word(p) & 0xfff) == UNIFORM_BRANCH; }

/* Jumps that end a way. Not one out of the loop: that is of a lane that has parted from its warp, and is not taken here. */
static int leaves(const unsigned char *p) { return opcode(p) == EXIT || opcode(p) == RETURN || opcode(p) == INDIRECT_BRANCH; }

/* What makes one way better than another. */
enum aim { MOST_WORK, FEWEST_LOADS };
enum { NO_WAY = INT_MIN };

/* The best way from an instruction on to the jump that closes the loop; of equals the longest. */
struct way {
    int worth, count; /* worth NO_WAY: there is none */
    size_t next;      /* instruction */
};

static int worth(const struct sass_mix *one, enum aim aim) { return aim == MOST_WORK ? one->flop : -one->ldg_bytes; }

/* Marks what lies in loops within the loop, whose work is their own. 0: there are none. */
static int mark_nested(const unsigned char *code, size_t start, size_t end, int arch, unsigned char *nested)
{
    size_t inner;
    int found = 0;
    memset(nested, 0, (end - start) / INSTRUCTION + 1);
    for (size_t at = start; at < end; at += INSTRUCTION)
        if (closes(code, at, arch, &inner) && inner >= start) {
            memset(nested + (inner - start) / INSTRUCTION, 1, (at - inner) / INSTRUCTION + 1);
            found = 1;
        }
    return found;
}

/* What a warp executes that goes once round the loop from start to end by the best way: a branch that it jumps over is not in its
 * way. Loops within are passed once, and their work does not count where `nested` marks them. With `whole` it is a kernel, which
 * ends where it is left. */
static struct sass_mix way_round(const unsigned char *code, size_t start, size_t end, int arch, struct way *ways,
                                 const unsigned char *nested, bool whole, enum aim aim)
{
    struct sass_mix mix = {0};
    size_t last = (end - start) / INSTRUCTION;
    for (size_t i = last + 1; i-- > 0;) {
        const unsigned char *p = code + start + i * INSTRUCTION;
        int64_t to = opcode(p) == BRANCH ? target(p, start + i * INSTRUCTION, arch) - (int64_t)start : -1;
        int within = to > (int64_t)(i * INSTRUCTION) && to <= (int64_t)(end - start) && to % INSTRUCTION == 0;
        int jumps = i < last && within, stays = is_asked(p) || (!within && !leaves(p));
        const bool ends = i == last || (whole && leaves(p));
        struct way way = {ends ? 0 : NO_WAY, 0, last + 1}, jump = {NO_WAY, 0, 0};
        if (i < last && stays && ways[i + 1].worth != NO_WAY) /* also past an exit that only some lanes take */
            way = (struct way){ways[i + 1].worth, ways[i + 1].count, i + 1};
        if (jumps)
            jump = ways[to / INSTRUCTION], jump.next = (size_t)to / INSTRUCTION;
        if (jump.worth > way.worth || (jump.worth == way.worth && jump.worth != NO_WAY && jump.count > way.count))
            way = jump;
        struct sass_mix one = {0};
        add(&one, p);
        if (way.worth != NO_WAY && !(nested && nested[i]))
            way.worth += worth(&one, aim);
        way.count += one.count;
        ways[i] = way;
    }
    if (ways[0].worth != NO_WAY)
        for (size_t i = 0; i <= last; i = ways[i].next)
            add(&mix, code + start + i * INSTRUCTION);
    return mix;
}

/* A loop that loads nothing, on whatever way, is a division, or a small part of something. */
static int loads(const unsigned char *code, size_t start, size_t end)
{
    struct sass_mix mix = {0};
    for (size_t at = start; at < end; at += INSTRUCTION)
        add(&mix, code + at);
    return mix.lds_bytes > 0 || mix.ldg_bytes > 0;
}

osp_status sass_mix_of(const unsigned char *code, size_t size, int arch, struct sass_kernel *out)
{
    struct way *ways = malloc((size / INSTRUCTION + 1) * sizeof *ways);
    unsigned char *nested = malloc(size / INSTRUCTION + 1);
    size_t start;
    int most = 0;
    out->all = out->loop = out->lean = out->once = (struct sass_mix){0};
    out->loop_at = 0;
    if (ways && size >= INSTRUCTION)
        out->once = way_round(code, 0, size / INSTRUCTION * INSTRUCTION - INSTRUCTION, arch, ways, NULL, true, MOST_WORK);
    for (size_t at = 0; ways && nested && at + INSTRUCTION <= size; at += INSTRUCTION) {
        add(&out->all, code + at);
        if (!closes(code, at, arch, &start))
            continue;
        int outer = mark_nested(code, start, at, arch, nested);
        struct sass_mix loop = way_round(code, start, at, arch, ways, nested, false, MOST_WORK);
        int own = ways[0].worth == NO_WAY ? 0 : ways[0].worth;
        int done = loads(code, start, at) && (int64_t)own * FEW >= loop.count ? own : 0;
        /* A loop within goes round twice at least. Of equals the one that loads more from global memory, and then the shorter,
         * for the other is the same with questions asked; without work the longest that has none within. */
        const struct sass_mix *best = &out->loop;
        int least = most && out->loop_at >= start ? 2 * most : most, more = loop.ldg_bytes - best->ldg_bytes;
        if (done > least || (done == least &&
                             (done ? more > 0 || (more == 0 && loop.count < best->count) : !outer && loop.count > best->count))) {
            most = done;
            out->loop = loop;
            out->lean = way_round(code, start, at, arch, ways, NULL, false, FEWEST_LOADS);
            out->loop_at = start;
        }
    }
    osp_status status = ways && nested ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory for the instructions of a kernel");
    free(ways);
    free(nested);
    return status;
}
