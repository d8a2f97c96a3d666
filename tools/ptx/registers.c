/* Places in the register file. PTX names a new register for nearly every value; those that are not alive at the same time share a
 * place, which keeps a warp's file in the cache. Liveness is found by the usual walk backwards over blocks of straight code; then
 * places are given in the order of first use (a linear scan), a function at a time. */
#include "decode.h"
#include "specials.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5 }; /* predicates, 8, 16, 32 and 64 bits */
static const uint64_t MOST_BITS = 1ull << 27;
static const uint32_t MOST_FILE = 4u << 20;

struct stretch {              /* straight code */
    uint32_t first, last;     /* instructions */
    uint32_t next[2];         /* UINT32_MAX: none */
    const struct insn *index; /* brx.idx: its targets come after next */
};

struct life {
    uint32_t vreg, from, to; /* instruction n reads at 2n and writes at 2n + 1 */
};

struct liveness {
    struct decoder *d;
    const struct decoded_function *f;
    struct stretch *stretches;
    uint32_t count;
    uint32_t *stretch_of; /* of each instruction of the function */
    uint32_t *ref_of;     /* first reference of each instruction; refs are in the order of instructions */
    uint32_t *local;      /* vreg to number within the function */
    uint32_t *vreg_of;
    uint32_t locals, words;
    uint64_t *in, *out, *uses, *defines;
    struct life *lives;
};

/* After a jump without a guard, what stands behind it is not reached from it. */
static bool falls_through(const struct insn *i)
{
    return !((i->run == exec_branch || i->run == exec_return || i->run == exec_exit) && !(i->flags & GUARDED));
}

static bool ends_stretch(const struct insn *i)
{
    return i->run == exec_branch || i->run == exec_branch_index || i->run == exec_return || i->run == exec_exit;
}

static bool make_stretches(struct liveness *v)
{
    const struct decoder *d = v->d;
    const uint32_t start = v->f->start, n = v->f->end - start;
    v->stretches = calloc(n + 1, sizeof *v->stretches);
    v->stretch_of = calloc(n + 1, sizeof *v->stretch_of);
    if (!v->stretches || !v->stretch_of)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct insn *insn = &d->code[start + i];
        /* Targets of jumps stand right behind an exec_label. */
        const bool begins = i == 0 || ends_stretch(insn - 1) || insn[-1].run == exec_label;
        if (begins)
            v->stretches[v->count++].first = i;
        v->stretches[v->count - 1].last = i;
        v->stretch_of[i] = v->count - 1;
    }
    for (uint32_t s = 0; s < v->count; s++) {
        struct stretch *x = &v->stretches[s];
        const struct insn *last = &d->code[start + x->last];
        x->next[0] = falls_through(last) && s + 1 < v->count ? s + 1 : UINT32_MAX;
        x->next[1] = last->run == exec_branch ? v->stretch_of[last->imm - start] : UINT32_MAX;
        x->index = last->run == exec_branch_index ? last : NULL;
    }
    return true;
}

static bool number_vregs(struct liveness *v, uint32_t first_ref, uint32_t last_ref)
{
    const struct decoder *d = v->d;
    v->local = malloc((d->vreg_count + 1) * sizeof *v->local);
    v->vreg_of = malloc((d->vreg_count + 1) * sizeof *v->vreg_of);
    if (!v->local || !v->vreg_of)
        return false;
    memset(v->local, 0xff, d->vreg_count * sizeof *v->local);
    for (uint32_t r = first_ref; r < last_ref; r++) {
        const uint32_t vreg = d->refs[r].vreg;
        if (d->vregs[vreg].fixed || v->local[vreg] != UINT32_MAX)
            continue;
        v->vreg_of[v->locals] = vreg;
        v->local[vreg] = v->locals++;
    }
    v->words = (v->locals + 63) / 64;
    return true;
}

/* What a stretch reads before it writes, and what it writes for sure: a guarded write leaves the old value in some lanes. */
static void summarise(struct liveness *v)
{
    const struct decoder *d = v->d;
    for (uint32_t s = 0; s < v->count; s++) {
        uint64_t *uses = v->uses + (size_t)s * v->words, *defines = v->defines + (size_t)s * v->words;
        for (uint32_t i = v->stretches[s].first; i <= v->stretches[s].last; i++) {
            const bool guarded = d->code[v->f->start + i].flags & GUARDED;
            for (int pass = 0; pass < 2; pass++) {
                for (uint32_t r = v->ref_of[i]; r < v->ref_of[i + 1]; r++) {
                    const struct reference *ref = &d->refs[r];
                    const uint32_t n = v->local[ref->vreg];
                    if (n == UINT32_MAX || ref->defines != (pass == 1))
                        continue;
                    const uint64_t bit = 1ull << n % 64;
                    if (pass == 0 || guarded)
                        uses[n / 64] |= defines[n / 64] & bit ? 0 : bit;
                    else
                        defines[n / 64] |= bit;
                }
            }
        }
    }
}

static bool flow(struct liveness *v, uint32_t s, uint32_t next)
{
    uint64_t *out = v->out + (size_t)s * v->words;
    const uint64_t *in = v->in + (size_t)next * v->words;
    bool changed = false;
    for (uint32_t w = 0; w < v->words; w++) {
        changed |= (in[w] & ~out[w]) != 0;
        out[w] |= in[w];
    }
    return changed;
}

static void iterate(struct liveness *v)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t s = v->count; s-- > 0;) {
            const struct stretch *x = &v->stretches[s];
            for (int n = 0; n < 2; n++)
                if (x->next[n] != UINT32_MAX)
                    changed |= flow(v, s, x->next[n]);
            for (uint32_t n = 0; x->index && n < x->index->extra; n++)
                changed |= flow(v, s, v->stretch_of[x->index->more[n] - v->f->start]);
            uint64_t *in = v->in + (size_t)s * v->words;
            const uint64_t *out = v->out + (size_t)s * v->words, *uses = v->uses + (size_t)s * v->words;
            const uint64_t *defines = v->defines + (size_t)s * v->words;
            for (uint32_t w = 0; w < v->words; w++)
                in[w] = uses[w] | (out[w] & ~defines[w]);
        }
    }
}

static void extend(struct life *life, uint32_t at)
{
    life->from = at < life->from ? at : life->from;
    life->to = at > life->to ? at : life->to;
}

static void extend_set(struct liveness *v, const uint64_t *set, uint32_t at)
{
    for (uint32_t w = 0; w < v->words; w++)
        for (uint64_t bits = set[w]; bits; bits &= bits - 1)
            extend(&v->lives[w * 64 + (uint32_t)__builtin_ctzll(bits)], at);
}

static void find_lives(struct liveness *v)
{
    for (uint32_t n = 0; n < v->locals; n++)
        v->lives[n] = (struct life){.vreg = v->vreg_of[n], .from = UINT32_MAX, .to = 0};
    for (uint32_t s = 0; s < v->count; s++) {
        const struct stretch *x = &v->stretches[s];
        extend_set(v, v->in + (size_t)s * v->words, 2 * x->first);
        extend_set(v, v->out + (size_t)s * v->words, 2 * x->last + 1);
        for (uint32_t i = x->first; i <= x->last; i++)
            for (uint32_t r = v->ref_of[i]; r < v->ref_of[i + 1]; r++)
                if (v->local[v->d->refs[r].vreg] != UINT32_MAX)
                    extend(&v->lives[v->local[v->d->refs[r].vreg]], 2 * i + v->d->refs[r].defines);
    }
}

static int earlier(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->vreg > y->vreg) - (x->vreg < y->vreg);
}

static int class_of(uint32_t bytes) { return bytes == 0 ? 0 : bytes == 1 ? 1 : bytes == 2 ? 2 : bytes == 4 ? 3 : 4; }
static uint32_t place_bytes(uint32_t bytes) { return bytes == 0 ? 4 : bytes == 1 ? 64 : bytes * LANES; }

/* Free places and lives that still run, by class. A result may take the place of an operand that is read for the last time: every
 * handler reads before it writes. */
static bool scan(struct liveness *v, uint32_t *file, uint32_t *pred_file, uint32_t *most_words)
{
    struct decoder *d = v->d;
    uint32_t *free_places = malloc((v->locals + 1) * CLASSES * sizeof *free_places), free_count[CLASSES] = {0};
    uint32_t *running = malloc((v->locals + 1) * sizeof *running), running_count = 0, words = 0;
    if (!free_places || !running) {
        free(free_places);
        free(running);
        return false;
    }
    qsort(v->lives, v->locals, sizeof *v->lives, earlier);
    for (uint32_t n = 0; n < v->locals; n++) {
        const struct life *life = &v->lives[n];
        uint32_t kept = 0;
        for (uint32_t r = 0; r < running_count; r++) {
            const struct life *old = &v->lives[running[r]];
            if (old->to >= life->from) {
                running[kept++] = running[r];
                continue;
            }
            const int c = class_of(d->vregs[old->vreg].bytes);
            free_places[(size_t)c * (v->locals + 1) + free_count[c]++] = d->vregs[old->vreg].offset;
            words -= (d->vregs[old->vreg].bytes + 3u) / 4;
        }
        running_count = kept;
        struct vreg *vreg = &d->vregs[life->vreg];
        const int c = class_of(vreg->bytes);
        uint32_t *next = c == 0 ? pred_file : file;
        if (free_count[c] > 0) {
            vreg->offset = free_places[(size_t)c * (v->locals + 1) + --free_count[c]];
        } else {
            vreg->offset = *next;
            *next += place_bytes(vreg->bytes);
        }
        running[running_count++] = n;
        words += (vreg->bytes + 3u) / 4;
        *most_words = words > *most_words ? words : *most_words;
    }
    free(free_places);
    free(running);
    return true;
}

static bool analyse(struct liveness *v, uint32_t *file, uint32_t *pred_file, uint32_t *most_words, uint32_t first_ref,
                    uint32_t last_ref)
{
    const uint32_t n = v->f->end - v->f->start;
    if (!number_vregs(v, first_ref, last_ref) || !make_stretches(v))
        return false;
    const size_t bits = (size_t)v->count * v->words;
    const bool small = (uint64_t)bits * 64 <= MOST_BITS;
    v->ref_of = malloc((n + 2) * sizeof *v->ref_of);
    v->in = calloc(small ? 4 * bits + 1 : 1, sizeof *v->in);
    v->lives = malloc((v->locals + 1) * sizeof *v->lives);
    if (!v->ref_of || !v->in || !v->lives)
        return false;
    for (uint32_t i = 0, r = first_ref; i <= n; i++) {
        while (r < last_ref && v->d->refs[r].insn - v->f->start < i)
            r++;
        v->ref_of[i] = r;
    }
    if (small) {
        v->out = v->in + bits;
        v->uses = v->out + bits;
        v->defines = v->uses + bits;
        summarise(v);
        iterate(v);
        find_lives(v);
    } else {
        for (uint32_t k = 0; k < v->locals; k++) /* too large to analyse: everything is alive everywhere */
            v->lives[k] = (struct life){.vreg = v->vreg_of[k], .from = 0, .to = 2 * n + 1};
    }
    return scan(v, file, pred_file, most_words);
}

static bool allocate_function(struct decoder *d, const struct decoded_function *f, uint32_t *file, uint32_t *pred_file,
                              uint32_t *most_words, uint32_t first_ref, uint32_t last_ref)
{
    struct liveness v = {.d = d, .f = f};
    const bool ok = analyse(&v, file, pred_file, most_words, first_ref, last_ref);
    free(v.stretches);
    free(v.stretch_of);
    free(v.ref_of);
    free(v.local);
    free(v.vreg_of);
    free(v.in);
    free(v.lives);
    return ok;
}

/* Constants and special registers come first; what the kernel must fill in is listed. */
static bool place_fixed(struct decoder *d, uint32_t *file, uint32_t *pred_file)
{
    struct ptx_kernel *k = d->kernel;
    k->constants = calloc(d->vreg_count + 1, sizeof *k->constants);
    k->specials = calloc(SPECIALS, sizeof *k->specials);
    if (!k->constants || !k->specials)
        return false;
    for (uint32_t n = 0; n < d->vreg_count; n++) {
        struct vreg *v = &d->vregs[n];
        if (!v->fixed || !v->used)
            continue;
        uint32_t *next = v->bytes == 0 ? pred_file : file;
        v->offset = *next;
        *next += place_bytes(v->bytes);
        if (v->special >= 0)
            k->specials[k->special_count++] = (struct special){.offset = v->offset, .which = v->special};
        else
            k->constants[k->constant_count++] = (struct constant){.offset = v->offset, .bytes = v->bytes, .value = v->value};
    }
    return true;
}

static void write_operands(struct decoder *d, uint32_t file)
{
    for (uint32_t r = 0; r < d->ref_count; r++) {
        const struct reference *ref = &d->refs[r];
        struct insn *i = &d->code[ref->insn];
        const struct vreg *v = &d->vregs[ref->vreg];
        const uint32_t offset = v->bytes == 0 ? file + v->offset : v->offset; /* predicates lie behind the vectors */
        switch (ref->field) {
        case FIELD_D:
            i->d = offset;
            break;
        case FIELD_A:
            i->a = offset;
            break;
        case FIELD_B:
            i->b = offset;
            break;
        case FIELD_C:
            i->c = offset;
            break;
        case FIELD_PRED:
            i->pred = offset;
            break;
        default:
            ((uint32_t *)i->more)[ref->field - FIELD_MORE] = offset;
        }
    }
}

bool decode_allocate(struct decoder *d)
{
    uint32_t file = 0, pred_file = 0, most_words = 0, ref = 0;
    struct ptx_kernel *k = d->kernel;
    if (!place_fixed(d, &file, &pred_file))
        return ptx_fail(d->error, 0, "out of memory");
    for (uint32_t n = 0; n < d->function_count; n++) {
        const struct decoded_function *f = &d->functions[n];
        uint32_t last = ref;
        while (last < d->ref_count && d->refs[last].insn < f->end)
            last++;
        if (!allocate_function(d, f, &file, &pred_file, &most_words, ref, last))
            return ptx_fail(d->error, 0, "out of memory");
        ref = last;
        if (file > MOST_FILE)
            return ptx_fail(d->error, 0, "%s needs more than %u bytes of registers for a warp", k->info.name, MOST_FILE);
    }
    for (uint32_t n = 0; n < k->constant_count; n++)
        k->constants[n].offset += k->constants[n].bytes == 0 ? file : 0;
    write_operands(d, file);
    k->register_bytes = file + pred_file;
    k->info.registers = most_words < 16 ? 16 : most_words > 255 ? 255 : most_words;
    return true;
}
