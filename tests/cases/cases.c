/* Shared by all case tables: numbers, filling, and the pieces of a reference. */
#include "cases.h"

#include <math.h>
#include <string.h>

uint64_t case_next(struct case_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u; /* splitmix64: Steele, Lea and Flood 2014 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double case_uniform(struct case_random *random, double low, double high)
{
    return low + (double)(case_next(random) >> 11) * 0x1p-53 * (high - low);
}

int64_t case_integer(struct case_random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(case_next(random) % (uint64_t)(high - low + 1));
}

static void store(struct osp_tensor *out, int64_t i, double value)
{
    switch (out->dtype) {
    case OSP_F32:
        ((float *)out->data)[i] = (float)value;
        break;
    case OSP_U8:
        ((uint8_t *)out->data)[i] = (uint8_t)value;
        break;
    case OSP_I32:
        ((int32_t *)out->data)[i] = (int32_t)value;
        break;
    case OSP_I64:
        ((int64_t *)out->data)[i] = (int64_t)value;
        break;
    default:
        break;
    }
}

double case_element(const struct osp_tensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case OSP_F32:
        return ((const float *)tensor->data)[i];
    case OSP_U8:
        return ((const uint8_t *)tensor->data)[i];
    case OSP_I32:
        return ((const int32_t *)tensor->data)[i];
    case OSP_I64:
        return (double)((const int64_t *)tensor->data)[i];
    default:
        return NAN;
    }
}

/* FNV-1a: a case's numbers depend on its name and slot, not on its place in the table. */
static uint64_t seed_of(const char *name, int slot)
{
    uint64_t hash = 0xcbf29ce484222325u + (uint64_t)slot;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

void case_fill(const struct test_case *test, const struct case_tensor *spec, int slot, struct osp_tensor *out)
{
    struct case_random random = {seed_of(test->name, slot)};
    int64_t count = osp_shape_count(&out->shape);
    switch (spec->fill) {
    case FILL_INTEGERS:
        for (int64_t i = 0; i < count; i++)
            store(out, i, (double)case_integer(&random, (int64_t)spec->low, (int64_t)spec->high));
        break;
    case FILL_UNIFORM:
        for (int64_t i = 0; i < count; i++)
            store(out, i, case_uniform(&random, spec->low, spec->high));
        break;
    case FILL_GIVEN:
        memcpy(out->data, spec->data, (size_t)count * osp_dtype_size(out->dtype));
        break;
    case FILL_MADE:
        spec->make(test, slot, out);
        break;
    }
}

int64_t case_rows(const struct case_view *view, int slot, int64_t n, int64_t t)
{
    const int32_t *counts = view->call->in[slot].data;
    return counts ? counts[n] : t;
}

double case_slack(double terms, double magnitude) { return (terms + 1) * 0x1p-24 * magnitude + 0x1p-149; }

double case_activation(enum osp_activation activation, double x)
{
    double gate;
    switch (activation) {
    case OSP_RELU:
        return x < 0 ? 0 : x;
    case OSP_RELU6:
        return x < 0 ? 0 : x > 6 ? 6 : x;
    case OSP_HARDSWISH:
    case OSP_HARDSIGMOID:
        gate = x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3;
        return (activation == OSP_HARDSWISH ? x * gate : gate) / 6;
    default:
        return x;
    }
}
