/* Which rungs there are, for those who have no plan. */
#include <string.h>

#include "plan.h"

const char *osp_op_word(int i) { return i >= 0 && i < OSP_OP_COUNT ? osp_op_name((enum osp_op)i) : NULL; }

const char *osp_backend_rung(const char *backend, const char *op, int rung)
{
    int found = osp_op_find(op), i = 0;
    const char *owner;
    while (osp_backends[i] && strcmp(osp_backends[i]->name, backend) != 0)
        i++;
    const struct osp_ladder *ladder =
        osp_backends[i] && found >= 0 ? osp_backend_ladder(osp_backends[i], (enum osp_op)found, &owner) : NULL;
    return ladder && rung >= 0 && rung < ladder->count ? ladder->rungs[rung]->name : NULL;
}
