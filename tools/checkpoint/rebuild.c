/* What the names in a checkpoint stand for: storages, tensors, parameters. None is called: its arguments are checked and kept. */
#include "machine.h"

#include <string.h>

#define NAME_LIMIT 128 /* bytes of a module's or a class's name */
#define KEY_LIMIT  20  /* digits of a storage's key: it was a counter or an address */

/* ---- Storages: ("storage", type, key, location, elements[, None]) --------------------------------- */

osp_status pickle_storage(const struct pickle *p, uint32_t id, size_t at, struct pickle_storage *out)
{
    static const char field[] = "persistent id";
    const struct pickle_value *tuple = pickle_at(p, id);
    uint32_t item[6];
    if (tuple->kind != PICKLE_TUPLE || tuple->size < 5 || tuple->size > 6)
        return osp_refuse(&p->in, at, field, "found %s%s, allowed a tuple of 5 or 6 items", pickle_kind_name(tuple->kind),
                          tuple->kind == PICKLE_TUPLE ? " of another length" : "");
    pickle_items(p, tuple, tuple->size, item);
    const struct pickle_value *type = pickle_at(p, item[1]), *key = pickle_at(p, item[2]), *elements = pickle_at(p, item[4]);
    if (!pickle_is(p, pickle_at(p, item[0]), "storage"))
        return osp_refuse(&p->in, at, field, "found %s first, allowed the string \"storage\"",
                          pickle_kind_name(pickle_at(p, item[0])->kind));
    if (type->kind != PICKLE_STORAGE_TYPE)
        return osp_refuse(&p->in, at, field, "found %s second, allowed a storage type", pickle_kind_name(type->kind));
    bool digits = key->kind == PICKLE_STRING && key->size >= 1 && key->size <= KEY_LIMIT;
    for (uint32_t i = 0; digits && i < key->size; i++)
        digits = pickle_bytes(p, key)[i] >= '0' && pickle_bytes(p, key)[i] <= '9';
    if (!digits) {
        char shown[256] = "";
        if (key->kind == PICKLE_STRING)
            osp_quote(shown, sizeof shown, pickle_bytes(p, key), key->size);
        return osp_refuse(&p->in, at, "storage key", "found %s \"%s\", allowed a string of 1 to %d digits",
                          pickle_kind_name(key->kind), shown, KEY_LIMIT);
    }
    if (pickle_at(p, item[3])->kind != PICKLE_STRING)
        return osp_refuse(&p->in, at, "storage location", "found %s, allowed a string",
                          pickle_kind_name(pickle_at(p, item[3])->kind));
    if (elements->kind != PICKLE_INT)
        return osp_refuse(&p->in, at, "storage elements", "found %s, allowed an int", pickle_kind_name(elements->kind));
    if (elements->number < 0 || (uint64_t)elements->number > SIZE_MAX / 8)
        return osp_refuse(&p->in, at, "storage elements", "found %lld, allowed 0 to %llu", (long long)elements->number,
                          (unsigned long long)(SIZE_MAX / 8));
    if (tuple->size == 6 && pickle_at(p, item[5])->kind != PICKLE_NONE)
        return osp_refuse(&p->in, at, field, "found %s sixth, allowed None: views of storages are not read",
                          pickle_kind_name(pickle_at(p, item[5])->kind));
    *out = (struct pickle_storage){(const char *)pickle_bytes(p, key), key->size, (enum osp_stored)type->number,
                                   (uint64_t)elements->number};
    return OSP_OK;
}

/* ---- Tensors: (storage, offset, sizes, strides, requires_grad, hooks) ----------------------------- */

static const char *const tensor_field = "_rebuild_tensor_v2";

/* A tuple of ints that are not negative. */
static osp_status read_sizes(const struct pickle *p, const struct pickle_value *tuple, size_t at, const char *what, int64_t *out)
{
    uint32_t item[OSP_STORED_RANK];
    if (tuple->kind != PICKLE_TUPLE)
        return osp_refuse(&p->in, at, what, "found %s, allowed a tuple", pickle_kind_name(tuple->kind));
    if (tuple->size > OSP_STORED_RANK)
        return osp_refuse(&p->in, at, what, "found %u dimensions, allowed at most %d", tuple->size, OSP_STORED_RANK);
    pickle_items(p, tuple, tuple->size, item);
    for (uint32_t i = 0; i < tuple->size; i++) {
        const struct pickle_value *size = pickle_at(p, item[i]);
        if (size->kind != PICKLE_INT)
            return osp_refuse(&p->in, at, what, "found %s, allowed an int", pickle_kind_name(size->kind));
        if (size->number < 0)
            return osp_refuse(&p->in, at, what, "found %lld, allowed 0 or more", (long long)size->number);
        out[i] = size->number;
    }
    return OSP_OK;
}

/* Does every element lie in the storage, and does the tensor have no more of them than the storage? */
static osp_status check_extent(const struct pickle *p, size_t at, uint64_t room, struct pickle_tensor *t)
{
    uint64_t last = t->offset, step;
    bool empty = false, fits = true;
    t->elements = 1;
    t->contiguous = true;
    for (int i = 0; i < t->rank; i++)
        empty = empty || t->dim[i] == 0;
    for (int i = t->rank; i-- > 0 && !empty && fits;) {
        uint64_t dim = (uint64_t)t->dim[i];
        if (dim > 1 && t->stride[i] == 0)
            return osp_refuse(&p->in, at, "stride",
                              "found 0 for a dimension of %llu, allowed 1 or more: save a contiguous() copy",
                              (unsigned long long)dim);
        t->contiguous = t->contiguous && (dim == 1 || t->stride[i] == t->elements);
        fits = osp_mul(t->elements, dim, &t->elements) && osp_mul(dim - 1, t->stride[i], &step) && osp_add(last, step, &last);
    }
    if (!fits || (empty ? last > room : last >= room))
        return osp_refuse(&p->in, at, "extent",
                          "found offset, sizes and strides that reach past element %llu, allowed inside the storage",
                          (unsigned long long)room);
    if (empty)
        t->elements = 0;
    if (t->elements > room)
        return osp_refuse(&p->in, at, "sizes", "found %llu elements, allowed at most the storage's %llu",
                          (unsigned long long)t->elements, (unsigned long long)room);
    return OSP_OK;
}

osp_status pickle_tensor(const struct pickle *p, uint32_t arguments, size_t at, struct pickle_tensor *out)
{
    struct pickle_storage storage;
    int64_t stride[OSP_STORED_RANK] = {0};
    uint32_t item[6];
    const struct pickle_value *tuple = pickle_at(p, arguments), *value[6];
    if (tuple->size != 6)
        return osp_refuse(&p->in, at, tensor_field, "found %u arguments, allowed 6", tuple->size);
    pickle_items(p, tuple, 6, item);
    for (int i = 0; i < 6; i++)
        value[i] = pickle_at(p, item[i]);
    if (value[0]->kind != PICKLE_STORAGE)
        return osp_refuse(&p->in, at, tensor_field, "found %s first, allowed a storage", pickle_kind_name(value[0]->kind));
    if (value[1]->kind != PICKLE_INT || value[1]->number < 0)
        return osp_refuse(&p->in, at, "storage offset", "found %s%s, allowed an int of 0 or more",
                          pickle_kind_name(value[1]->kind), value[1]->kind == PICKLE_INT ? " below 0" : "");
    *out = (struct pickle_tensor){.storage = item[0], .offset = (uint64_t)value[1]->number, .rank = (int)value[2]->size};
    if (read_sizes(p, value[2], at, "sizes", out->dim) || read_sizes(p, value[3], at, "strides", stride))
        return OSP_REFUSED;
    if (value[3]->size != value[2]->size)
        return osp_refuse(&p->in, at, "strides", "found %u, allowed as many as sizes: %u", value[3]->size, value[2]->size);
    if (value[4]->kind != PICKLE_BOOL || value[5]->kind != PICKLE_ORDERED || value[5]->size != 0)
        return osp_refuse(&p->in, at, tensor_field, "found %s and %s at the end, allowed a bool and an empty OrderedDict",
                          pickle_kind_name(value[4]->kind), pickle_kind_name(value[5]->kind));
    for (int i = 0; i < out->rank; i++)
        out->stride[i] = (uint64_t)stride[i];
    if (pickle_storage(p, value[0]->made.from, at, &storage))
        return OSP_REFUSED;
    return check_extent(p, at, storage.elements, out);
}

/* ---- Opcodes: the names that are known, and what they make ---------------------------------------- */

static const struct {
    const char *module, *name;
    enum pickle_kind kind;
    enum osp_stored type;
} globals[] = {
    {"collections", "OrderedDict", PICKLE_ORDERED_TYPE, 0},
    {"torch._utils", "_rebuild_tensor_v2", PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", PICKLE_REBUILD_PARAMETER, 0},
    {"torch", "FloatStorage", PICKLE_STORAGE_TYPE, OSP_STORED_F32},
    {"torch", "HalfStorage", PICKLE_STORAGE_TYPE, OSP_STORED_F16},
    {"torch", "BFloat16Storage", PICKLE_STORAGE_TYPE, OSP_STORED_BF16},
    {"torch", "DoubleStorage", PICKLE_STORAGE_TYPE, OSP_STORED_F64},
    {"torch", "LongStorage", PICKLE_STORAGE_TYPE, OSP_STORED_I64},
    {"torch", "IntStorage", PICKLE_STORAGE_TYPE, OSP_STORED_I32},
    {"torch", "ShortStorage", PICKLE_STORAGE_TYPE, OSP_STORED_I16},
    {"torch", "CharStorage", PICKLE_STORAGE_TYPE, OSP_STORED_I8},
    {"torch", "ByteStorage", PICKLE_STORAGE_TYPE, OSP_STORED_U8},
    {"torch", "BoolStorage", PICKLE_STORAGE_TYPE, OSP_STORED_BOOL},
};

/* Reads up to and past the next newline. */
static osp_status read_line(struct machine *m, const char **line, size_t *size)
{
    size_t left = osp_read_left(m->in), seen = left < NAME_LIMIT + 1 ? left : NAME_LIMIT + 1;
    const uint8_t *bytes;
    if (osp_read_bytes(m->in, m->op, seen, &bytes))
        return OSP_REFUSED;
    const uint8_t *end = memchr(bytes, '\n', seen);
    if (!end)
        return machine_refuse(m, "found no end of a name in %zu bytes, allowed names of at most %d", seen, NAME_LIMIT);
    *line = (const char *)bytes;
    *size = (size_t)(end - bytes);
    m->in->at -= seen - *size - 1;
    return OSP_OK;
}

static bool same(const char *bytes, size_t size, const char *string)
{
    return strlen(string) == size && memcmp(bytes, string, size) == 0;
}

osp_status machine_global(struct machine *m, int unused)
{
    const char *module, *name;
    size_t module_size, name_size;
    char shown[2][256];
    if (read_line(m, &module, &module_size) || read_line(m, &name, &name_size))
        return OSP_REFUSED;
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (same(module, module_size, globals[i].module) && same(name, name_size, globals[i].name))
            return machine_push_new(m, (struct pickle_value){.kind = globals[i].kind, .number = globals[i].type});
    return machine_refuse(
        m, "found \"%s %s\", allowed only what a state dict is made of: save model.state_dict(), not the model or other objects",
        osp_quote(shown[0], sizeof shown[0], module, module_size), osp_quote(shown[1], sizeof shown[1], name, name_size));
}

osp_status machine_persid(struct machine *m, int unused)
{
    struct pickle_storage storage;
    if (machine_need(m, 1) || pickle_storage(m->p, m->stack[m->depth - 1], m->at, &storage))
        return OSP_REFUSED;
    uint32_t id = m->stack[--m->depth];
    return machine_push_new(m, (struct pickle_value){.kind = PICKLE_STORAGE, .made = {id, (uint32_t)m->at}});
}

static osp_status reduce_parameter(struct machine *m, uint32_t arguments)
{
    const struct pickle_value *tuple = pickle_at(m->p, arguments);
    uint32_t item[3];
    if (tuple->size != 3)
        return machine_refuse(m, "found %u arguments of _rebuild_parameter, allowed 3", tuple->size);
    pickle_items(m->p, tuple, 3, item);
    const struct pickle_value *hooks = pickle_at(m->p, item[2]);
    int kind = pickle_at(m->p, item[0])->kind;
    if (kind != PICKLE_TENSOR || pickle_at(m->p, item[1])->kind != PICKLE_BOOL || hooks->kind != PICKLE_ORDERED ||
        hooks->size != 0)
        return machine_refuse(
            m, "found %s, %s and %s as arguments of _rebuild_parameter, allowed a tensor, a bool and an empty OrderedDict",
            pickle_kind_name(kind), pickle_kind_name(pickle_at(m->p, item[1])->kind), pickle_kind_name(hooks->kind));
    m->depth -= 2;
    return machine_push(m, item[0]);
}

/* A function and a tuple of arguments: what it would return, as data. */
osp_status machine_reduce(struct machine *m, int unused)
{
    struct pickle_tensor tensor;
    if (machine_need(m, 2))
        return OSP_REFUSED;
    uint32_t arguments = m->stack[m->depth - 1];
    int function = m->p->values[m->stack[m->depth - 2]].kind, kind = m->p->values[arguments].kind;
    if (kind != PICKLE_TUPLE)
        return machine_refuse(m, "found %s as arguments, allowed a tuple", pickle_kind_name(kind));
    switch (function) {
    case PICKLE_ORDERED_TYPE:
        if (m->p->values[arguments].size != 0)
            return machine_refuse(m, "found %u arguments of OrderedDict, allowed 0", m->p->values[arguments].size);
        m->depth -= 2;
        return machine_push_new(m, (struct pickle_value){.kind = PICKLE_ORDERED});
    case PICKLE_REBUILD_TENSOR:
        if (pickle_tensor(m->p, arguments, m->at, &tensor))
            return OSP_REFUSED;
        m->depth -= 2;
        return machine_push_new(m, (struct pickle_value){.kind = PICKLE_TENSOR, .made = {arguments, (uint32_t)m->at}});
    case PICKLE_REBUILD_PARAMETER:
        return reduce_parameter(m, arguments);
    default:
        return machine_refuse(m, "found %s, allowed OrderedDict, _rebuild_tensor_v2 or _rebuild_parameter",
                              pickle_kind_name(function));
    }
}
