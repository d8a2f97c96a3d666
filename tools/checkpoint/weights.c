#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 };

static bool is_float(enum osp_stored type)
{
    return type == OSP_STORED_F64 || type == OSP_STORED_F32 || type == OSP_STORED_F16 || type == OSP_STORED_BF16;
}

/* Reads a tensor in pieces, counts what is not finite, and fills `copy`, if there is one, with `type` (F32 or F16). */
static osp_status pass(const struct osp_stored_tensor *from, const char *path, const char *name, enum osp_stored type, void *copy,
                       uint64_t *nonfinite)
{
    float chunk[CHUNK];
    uint64_t count = from->bytes / osp_stored_size(from->type);
    for (uint64_t first = 0; first < count; first += CHUNK) {
        uint64_t n = count - first < CHUNK ? count - first : CHUNK;
        osp_stored_read(from, first, n, chunk);
        if (copy && type == OSP_STORED_F32)
            memcpy((float *)copy + first, chunk, n * sizeof *chunk);
        for (uint64_t i = 0; i < n; i++) {
            bool finite = isfinite(chunk[i]);
            *nonfinite += !finite;
            if (!copy || type != OSP_STORED_F16)
                continue;
            uint16_t half = osp_f32_to_f16(chunk[i]);
            if (finite && (half & 0x7c00) == 0x7c00)
                return osp_fail(OSP_REFUSED, "%s: tensor '%s': element %llu is %g, allowed with --f16 is up to 65504", path, name,
                                (unsigned long long)(first + i), (double)chunk[i]);
            ((uint16_t *)copy)[first + i] = half;
        }
    }
    return OSP_OK;
}

/* Notes where values are that are not finite: three tensors by name, then dots. */
static void note(struct weights *w, const char *name, uint64_t found)
{
    char shown[64];
    size_t length = strlen(w->worst), room = sizeof w->worst - length;
    static const char dots[] = ", ...";
    if (length > 200 && strcmp(w->worst + length - strlen(dots), dots) != 0)
        snprintf(w->worst + length, room, "%s", dots);
    else if (length <= 200)
        snprintf(w->worst + length, room, "%s'%s': %llu", length ? ", " : "", osp_quote(shown, sizeof shown, name, strlen(name)),
                 (unsigned long long)found);
}

static osp_status make_one(const struct named *named, const char *path, bool f16, struct osp_stored_tensor *out, void **copy,
                           uint64_t *nonfinite)
{
    const struct osp_stored_tensor *from = named->tensor;
    if (!is_float(from->type))
        return osp_fail(OSP_REFUSED, "%s: tensor '%s': found type %s, allowed F32, F16, BF16 or F64", path, named->name,
                        osp_stored_name(from->type));
    *out = *from;
    out->name = named->name;
    out->type = f16 && from->rank >= 2 ? OSP_STORED_F16 : OSP_STORED_F32;
    out->bytes = from->bytes / osp_stored_size(from->type) * osp_stored_size(out->type);
    if (out->type != from->type && out->bytes > 0) {
        *copy = malloc(out->bytes);
        if (!*copy)
            return osp_fail(OSP_MEMORY, "%s: out of memory: tensor '%s' needs %llu bytes", path, named->name,
                            (unsigned long long)out->bytes);
        out->data = *copy;
    }
    return pass(from, path, named->name, out->type, *copy, nonfinite);
}

osp_status weights_make(const struct names *names, const char *path, bool f16, uint64_t limit, struct weights *out)
{
    struct weights w = {.count = names->count};
    uint64_t total = 0;
    w.tensors = calloc((size_t)w.count + 1, sizeof *w.tensors);
    w.copies = calloc((size_t)w.count + 1, sizeof *w.copies);
    osp_status status = OSP_OK;
    if (!w.tensors || !w.copies)
        status = osp_fail(OSP_MEMORY, "%s: out of memory: %d tensors need %zu bytes", path, w.count,
                          (size_t)w.count * (sizeof *w.tensors + sizeof *w.copies));
    for (int i = 0; i < w.count && status == OSP_OK; i++) {
        uint64_t nonfinite = 0;
        if (!osp_add(total, names->items[i].tensor->bytes, &total) || total > limit)
            status =
                osp_fail(OSP_REFUSED, "%s: found tensors of more than %llu bytes that share data, allowed twice the file's size",
                         path, (unsigned long long)limit);
        else
            status = make_one(&names->items[i], path, f16, &w.tensors[i], &w.copies[i], &nonfinite);
        if (nonfinite > 0)
            note(&w, names->items[i].name, nonfinite);
        w.nonfinite += nonfinite;
    }
    if (status == OSP_OK)
        *out = w;
    else
        weights_free(&w);
    return status;
}

void weights_free(struct weights *weights)
{
    for (int i = 0; weights->copies && i < weights->count; i++)
        free(weights->copies[i]);
    free(weights->copies);
    free(weights->tensors);
    *weights = (struct weights){0};
}
