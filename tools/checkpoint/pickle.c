/* The opcodes: Python's pickletools, protocol 2, and those that PyTorch's own restricted reader (weights_only) knows and
 * torch.save writes. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#define LONG_LIMIT 16 /* bytes of an integer */

static const char *const kind_names[PICKLE_KINDS] = {"None",
                                                     "a bool",
                                                     "an int",
                                                     "a long int",
                                                     "a float",
                                                     "a string",
                                                     "a tuple",
                                                     "a list",
                                                     "a dict",
                                                     "an OrderedDict",
                                                     "_rebuild_tensor_v2",
                                                     "_rebuild_parameter",
                                                     "the type OrderedDict",
                                                     "a storage type",
                                                     "a storage",
                                                     "a tensor"};

const char *pickle_kind_name(enum pickle_kind kind) { return kind_names[kind]; }

void pickle_items(const struct pickle *p, const struct pickle_value *container, uint32_t n, uint32_t *out)
{
    uint32_t cell = container->items.first;
    for (uint32_t i = 0; i < n; i++, cell = p->cells[cell].next)
        out[i] = p->cells[cell].value;
}

const uint8_t *pickle_bytes(const struct pickle *p, const struct pickle_value *value) { return p->in.data + value->at; }

bool pickle_is(const struct pickle *p, const struct pickle_value *value, const char *string)
{
    size_t size = strlen(string);
    return value->kind == PICKLE_STRING && value->size == size && memcmp(pickle_bytes(p, value), string, size) == 0;
}

/* ---- The arena and the stack ---------------------------------------------------------------------- */

/* Makes room for element `index`, at least doubling. Every element costs the file a byte or more, and there is a limit besides.
 */
static osp_status grow(struct machine *m, void *array, uint32_t *room, uint64_t index, size_t each)
{
    void **place = array, *wider;
    if (index < *room)
        return OSP_OK;
    if (index >= PICKLE_LIMIT)
        return machine_refuse(m, "found more than %d objects, allowed at most that many", PICKLE_LIMIT);
    uint64_t more = index < 64 ? 128 : 2 * index;
    if (!(wider = realloc(*place, more * each)))
        return osp_fail(OSP_MEMORY, "%s: out of memory: a pickle needs %llu bytes", m->in->path,
                        (unsigned long long)(more * each));
    memset((char *)wider + *room * each, 0, (more - *room) * each);
    *place = wider;
    *room = (uint32_t)more;
    return OSP_OK;
}

osp_status machine_push(struct machine *m, uint32_t value)
{
    osp_status status = grow(m, &m->stack, &m->stack_room, m->depth, sizeof *m->stack);
    if (status == OSP_OK)
        m->stack[m->depth++] = value;
    return status;
}

osp_status machine_push_new(struct machine *m, struct pickle_value value)
{
    osp_status status = grow(m, &m->p->values, &m->p->value_room, m->p->value_count, sizeof *m->p->values);
    if (status != OSP_OK)
        return status;
    m->p->values[m->p->value_count] = value;
    return machine_push(m, m->p->value_count++);
}

/* Are there n values above the last mark? */
osp_status machine_need(struct machine *m, uint32_t n)
{
    uint32_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    if (m->depth - floor < n)
        return machine_refuse(m, "found %u values on the stack%s, allowed %u or more", m->depth - floor,
                              floor ? " above the mark" : "", n);
    return OSP_OK;
}

static osp_status pop_mark(struct machine *m, uint32_t *n)
{
    if (m->mark_count == 0)
        return machine_refuse(m, "found no mark on the stack, allowed one");
    *n = m->depth - m->marks[--m->mark_count];
    return OSP_OK;
}

/* Moves the n topmost values to the end of a container that stands below them. */
static osp_status take(struct machine *m, uint32_t container, uint32_t n)
{
    struct pickle *p = m->p;
    for (uint32_t i = m->depth - n; i < m->depth; i++) {
        osp_status status = grow(m, &p->cells, &p->cell_room, p->cell_count, sizeof *p->cells);
        if (status != OSP_OK)
            return status;
        struct pickle_value *to = &p->values[container];
        p->cells[p->cell_count].value = m->stack[i];
        if (to->size++ == 0)
            to->items.first = p->cell_count;
        else
            p->cells[to->items.last].next = p->cell_count;
        to->items.last = p->cell_count++;
    }
    m->depth -= n;
    return OSP_OK;
}

/* ---- Opcodes: plain values ------------------------------------------------------------------------ */

static osp_status run_proto(struct machine *m, int unused)
{
    uint8_t version;
    if (m->at != 0)
        return machine_refuse(m, "found a second time, allowed only at the start");
    if (osp_read_u8(m->in, "PROTO", &version))
        return OSP_REFUSED;
    if (version != 2 && version != 3)
        return machine_refuse(m, "found protocol %u, allowed 2 (what torch.save writes) or 3", version);
    return OSP_OK;
}

static osp_status run_constant(struct machine *m, int kind)
{
    return machine_push_new(m, (struct pickle_value){.kind = (uint8_t)kind});
}

static osp_status run_bool(struct machine *m, int value)
{
    return machine_push_new(m, (struct pickle_value){.kind = PICKLE_BOOL, .number = value});
}

static osp_status run_float(struct machine *m, int unused)
{
    const uint8_t *bytes;
    if (osp_read_bytes(m->in, m->op, 8, &bytes))
        return OSP_REFUSED;
    return machine_push_new(m, (struct pickle_value){.kind = PICKLE_FLOAT});
}

/* BININT1, BININT2: 1 or 2 bytes without a sign; BININT: 4 with one. */
static osp_status run_int(struct machine *m, int size)
{
    const uint8_t *b;
    if (osp_read_bytes(m->in, m->op, (uint64_t)size, &b))
        return OSP_REFUSED;
    int64_t number = b[0];
    if (size == 2)
        number |= (int64_t)b[1] << 8;
    if (size == 4)
        number = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
    return machine_push_new(m, (struct pickle_value){.kind = PICKLE_INT, .number = number});
}

/* Reads a length of 1 or 4 bytes and that many bytes. */
static osp_status counted(struct machine *m, int width, struct pickle_value *out)
{
    uint8_t narrow = 0;
    uint32_t wide = 0;
    const uint8_t *bytes;
    if (width == 1 ? osp_read_u8(m->in, m->op, &narrow) : osp_read_u32(m->in, m->op, &wide))
        return OSP_REFUSED;
    out->size = width == 1 ? narrow : wide;
    out->at = m->in->at;
    return osp_read_bytes(m->in, m->op, out->size, &bytes);
}

/* LONG1, LONG4: two's complement, little-endian. */
static osp_status run_long(struct machine *m, int width)
{
    struct pickle_value value = {.kind = PICKLE_LONG};
    if (counted(m, width, &value))
        return OSP_REFUSED;
    if (value.size > LONG_LIMIT)
        return machine_refuse(m, "found an integer of %u bytes, allowed at most %d", value.size, LONG_LIMIT);
    if (value.size <= 8) {
        const uint8_t *b = pickle_bytes(m->p, &value);
        uint64_t bits = value.size && b[value.size - 1] & 0x80 ? UINT64_MAX : 0;
        for (uint32_t i = value.size; i-- > 0;)
            bits = bits << 8 | b[i];
        value = (struct pickle_value){.kind = PICKLE_INT, .number = (int64_t)bits};
    }
    return machine_push_new(m, value);
}

/* Where the first byte that is not UTF-8 stands; size if there is none. No overlong forms, no surrogates, nothing past U+10FFFF.
 */
static uint32_t utf8_end(const uint8_t *s, uint32_t size)
{
    for (uint32_t i = 0; i < size;) {
        uint8_t lead = s[i];
        uint32_t more = lead < 0x80                   ? 0
                        : lead >= 0xc2 && lead < 0xe0 ? 1
                        : (lead & 0xf0) == 0xe0       ? 2
                        : lead >= 0xf0 && lead < 0xf5 ? 3
                                                      : 4;
        if (more == 4 || more >= size - i)
            return i;
        for (uint32_t k = 1; k <= more; k++)
            if ((s[i + k] & 0xc0) != 0x80)
                return i;
        if ((lead == 0xe0 && s[i + 1] < 0xa0) || (lead == 0xed && s[i + 1] > 0x9f) || (lead == 0xf0 && s[i + 1] < 0x90) ||
            (lead == 0xf4 && s[i + 1] > 0x8f))
            return i;
        i += more + 1;
    }
    return size;
}

static osp_status run_string(struct machine *m, int width)
{
    struct pickle_value value = {.kind = PICKLE_STRING};
    if (counted(m, width, &value))
        return OSP_REFUSED;
    uint32_t end = utf8_end(pickle_bytes(m->p, &value), value.size);
    if (end != value.size)
        return machine_refuse(m, "found byte 0x%02x at %u of a string, allowed UTF-8", pickle_bytes(m->p, &value)[end], end);
    return machine_push_new(m, value);
}

/* ---- Opcodes: stack and memo ---------------------------------------------------------------------- */

static osp_status run_mark(struct machine *m, int unused)
{
    osp_status status = grow(m, &m->marks, &m->mark_room, m->mark_count, sizeof *m->marks);
    if (status == OSP_OK)
        m->marks[m->mark_count++] = m->depth;
    return status;
}

static osp_status memo_index(struct machine *m, int width, uint32_t *out)
{
    uint8_t narrow = 0;
    if (width == 4)
        return osp_read_u32(m->in, m->op, out);
    osp_status status = osp_read_u8(m->in, m->op, &narrow);
    *out = narrow;
    return status;
}

static osp_status run_put(struct machine *m, int width)
{
    uint32_t index;
    if (memo_index(m, width, &index) || machine_need(m, 1))
        return OSP_REFUSED;
    if (index >= PICKLE_LIMIT || index > m->in->size) /* a pickler counts its slots up from 0 */
        return machine_refuse(m, "found memo slot %u in a pickle of %zu bytes, allowed at most %d and no more than it has bytes",
                              index, m->in->size, PICKLE_LIMIT - 1);
    osp_status status = grow(m, &m->memo, &m->memo_room, index, sizeof *m->memo);
    if (status == OSP_OK)
        m->memo[index] = m->stack[m->depth - 1] + 1;
    return status;
}

static osp_status run_get(struct machine *m, int width)
{
    uint32_t index;
    if (memo_index(m, width, &index))
        return OSP_REFUSED;
    if (index >= m->memo_room || m->memo[index] == 0)
        return machine_refuse(m, "found memo slot %u, allowed one that was filled before", index);
    return machine_push(m, m->memo[index] - 1);
}

/* ---- Opcodes: containers -------------------------------------------------------------------------- */

/* argument: how many items, -1: all above the mark. */
static osp_status run_tuple(struct machine *m, int items)
{
    uint32_t n = (uint32_t)items;
    if (items < 0 ? pop_mark(m, &n) : machine_need(m, n))
        return OSP_REFUSED;
    osp_status status = machine_push_new(m, (struct pickle_value){.kind = PICKLE_TUPLE});
    if (status != OSP_OK)
        return status;
    uint32_t tuple = m->stack[--m->depth];
    status = take(m, tuple, n);
    return status == OSP_OK ? machine_push(m, tuple) : status;
}

/* argument: 1 for APPEND, -1 for APPENDS. */
static osp_status run_append(struct machine *m, int items)
{
    uint32_t n = (uint32_t)items;
    if ((items < 0 ? pop_mark(m, &n) : OSP_OK) || machine_need(m, n + 1))
        return OSP_REFUSED;
    uint32_t list = m->stack[m->depth - n - 1];
    if (m->p->values[list].kind != PICKLE_LIST)
        return machine_refuse(m, "found %s, allowed a list", kind_names[m->p->values[list].kind]);
    return take(m, list, n);
}

/* argument: 2 for SETITEM, -1 for SETITEMS. */
static osp_status run_setitem(struct machine *m, int items)
{
    uint32_t n = (uint32_t)items;
    if ((items < 0 ? pop_mark(m, &n) : OSP_OK) || machine_need(m, n + 1))
        return OSP_REFUSED;
    if (n % 2 != 0)
        return machine_refuse(m, "found %u values, allowed pairs of a key and a value", n);
    uint32_t dict = m->stack[m->depth - n - 1];
    int kind = m->p->values[dict].kind;
    if (kind != PICKLE_DICT && kind != PICKLE_ORDERED)
        return machine_refuse(m, "found %s, allowed a dict", kind_names[kind]);
    for (uint32_t i = m->depth - n; i < m->depth; i += 2) {
        kind = m->p->values[m->stack[i]].kind;
        if (kind > PICKLE_STRING)
            return machine_refuse(m, "found %s as a key, allowed a string, a number, a bool or None", kind_names[kind]);
    }
    return take(m, dict, n);
}

/* An OrderedDict's attributes, `_metadata` in a state dict. They say nothing that is needed. */
static osp_status run_build(struct machine *m, int unused)
{
    if (machine_need(m, 2))
        return OSP_REFUSED;
    int state = m->p->values[m->stack[m->depth - 1]].kind, object = m->p->values[m->stack[m->depth - 2]].kind;
    if (object != PICKLE_ORDERED || state != PICKLE_DICT)
        return machine_refuse(m, "found %s as the state of %s, allowed a dict as the state of an OrderedDict", kind_names[state],
                              kind_names[object]);
    m->depth--;
    return OSP_OK;
}

/* ---- The machine ---------------------------------------------------------------------------------- */

#define STOP 0x2e

static const struct opcode {
    const char *name;
    osp_status (*run)(struct machine *m, int argument);
    int argument;
} opcodes[256] = {
    [0x80] = {"PROTO", run_proto, 0},
    ['('] = {"MARK", run_mark, 0},
    [')'] = {"EMPTY_TUPLE", run_constant, PICKLE_TUPLE},
    [']'] = {"EMPTY_LIST", run_constant, PICKLE_LIST},
    ['}'] = {"EMPTY_DICT", run_constant, PICKLE_DICT},
    ['N'] = {"NONE", run_constant, PICKLE_NONE},
    [0x88] = {"NEWTRUE", run_bool, 1},
    [0x89] = {"NEWFALSE", run_bool, 0},
    ['K'] = {"BININT1", run_int, 1},
    ['M'] = {"BININT2", run_int, 2},
    ['J'] = {"BININT", run_int, 4},
    [0x8a] = {"LONG1", run_long, 1},
    [0x8b] = {"LONG4", run_long, 4},
    ['G'] = {"BINFLOAT", run_float, 0},
    ['U'] = {"SHORT_BINSTRING", run_string, 1},
    [0x8c] = {"SHORT_BINUNICODE", run_string, 1},
    ['X'] = {"BINUNICODE", run_string, 4},
    ['q'] = {"BINPUT", run_put, 1},
    ['r'] = {"LONG_BINPUT", run_put, 4},
    ['h'] = {"BINGET", run_get, 1},
    ['j'] = {"LONG_BINGET", run_get, 4},
    ['t'] = {"TUPLE", run_tuple, -1},
    [0x85] = {"TUPLE1", run_tuple, 1},
    [0x86] = {"TUPLE2", run_tuple, 2},
    [0x87] = {"TUPLE3", run_tuple, 3},
    ['a'] = {"APPEND", run_append, 1},
    ['e'] = {"APPENDS", run_append, -1},
    ['s'] = {"SETITEM", run_setitem, 2},
    ['u'] = {"SETITEMS", run_setitem, -1},
    ['b'] = {"BUILD", run_build, 0},
    ['c'] = {"GLOBAL", machine_global, 0},
    ['Q'] = {"BINPERSID", machine_persid, 0},
    ['R'] = {"REDUCE", machine_reduce, 0},
    [STOP] = {"STOP", NULL, 0},
};

static osp_status run(struct machine *m)
{
    for (;;) {
        uint8_t code;
        m->at = m->in->at;
        m->op = "opcode";
        if (osp_read_u8(m->in, "opcode", &code))
            return OSP_REFUSED;
        const struct opcode *op = &opcodes[code];
        if (!op->name)
            return machine_refuse(m, "found 0x%02x, allowed only the opcodes of plain data and tensors", code);
        if (m->at == 0 && code != 0x80)
            return machine_refuse(m, "found 0x%02x, allowed 0x80 (PROTO) at the start", code);
        m->op = op->name;
        if (code == STOP)
            break;
        osp_status status = op->run(m, op->argument);
        if (status != OSP_OK)
            return status;
    }
    if (m->depth != 1 || m->mark_count != 0)
        return machine_refuse(m, "found %u values and %u marks on the stack, allowed 1 and 0", m->depth, m->mark_count);
    m->p->root = m->stack[0];
    return OSP_OK;
}

osp_status pickle_read(const char *path, const uint8_t *data, size_t size, size_t base, struct pickle *out, size_t *used)
{
    struct pickle p = {.in = {.path = path, .data = data, .size = size < UINT32_MAX ? size : UINT32_MAX, .base = base},
                       .cell_count = 1};
    struct machine m = {.p = &p, .in = &p.in};
    osp_status status = run(&m);
    free(m.stack);
    free(m.marks);
    free(m.memo);
    if (status != OSP_OK) {
        pickle_close(&p);
        return status;
    }
    *used = p.in.at;
    *out = p;
    return OSP_OK;
}

void pickle_close(struct pickle *pickle)
{
    free(pickle->values);
    free(pickle->cells);
    *pickle = (struct pickle){0};
}
