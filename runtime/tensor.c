/* Names and sizes: dtypes, shapes, ops. */
#include <string.h>

#include "backend.h"

size_t osp_dtype_size(enum osp_dtype dtype)
{
    static const size_t sizes[] = {[OSP_F32] = 4, [OSP_F16] = 2, [OSP_BF16] = 2, [OSP_U8] = 1, [OSP_I32] = 4, [OSP_I64] = 8};
    return sizes[dtype];
}

int64_t osp_shape_count(const struct osp_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

static const struct {
    const char *name, *help;
} ops[OSP_OP_COUNT] = {
#define OSP_OP(name, help) {#name, help},
#include "ops.def"
#undef OSP_OP
};

const char *osp_op_name(enum osp_op op) { return ops[op].name; }
const char *osp_op_help(enum osp_op op) { return ops[op].help; }

int osp_op_find(const char *name)
{
    for (int op = 0; op < OSP_OP_COUNT; op++)
        if (!strcmp(ops[op].name, name))
            return op;
    return -1;
}
