/* What backends have, for those who hold no plan. */
#include <string.h>

#include "plan.h"

static const struct osp_backend *find(const char *name)
{
    int i = 0;
    while (osp_backends[i] && strcmp(osp_backends[i]->name, name) != 0)
        i++;
    return osp_backends[i];
}

const char *osp_op_word(int i) { return i >= 0 && i < OSP_OP_COUNT ? osp_op_name((enum osp_op)i) : NULL; }

const char *osp_backend_rung(const char *backend, const char *op, int rung)
{
    const struct osp_backend *found = find(backend);
    int index = osp_op_find(op);
    const char *owner;
    const struct osp_ladder *ladder = found && index >= 0 ? osp_backend_ladder(found, (enum osp_op)index, &owner) : NULL;
    return ladder && rung >= 0 && rung < ladder->count ? ladder->rungs[rung]->name : NULL;
}

static int has_precision(const struct osp_backend *backend, enum osp_precision precision)
{
    const char *owner;
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        const struct osp_ladder *ladder = osp_backend_ladder(backend, (enum osp_op)op, &owner);
        for (int i = 0; ladder && i < ladder->count; i++)
            if (ladder->rungs[i]->precision == precision)
                return 1;
    }
    return 0;
}

const char *osp_backend_precision(const char *backend, int i)
{
    const struct osp_backend *found = find(backend);
    for (int p = 0; found && p < OSP_PRECISION_COUNT; p++)
        if (has_precision(found, (enum osp_precision)p) && i-- == 0)
            return osp_precision_name((enum osp_precision)p);
    return NULL;
}
