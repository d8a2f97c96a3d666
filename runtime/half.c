/* 16-bit floats, by integer code: the same on every machine and in every rounding or flush-to-zero mode. */
#include <string.h>

#include "safetensors.h"
#include "scalar.h"

/* IEEE binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. One subtraction for every kind of value, and no branch, so that
 * a loop of it vectorises. A signalling NaN becomes quiet, as in hardware. */
static inline float widen_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t rest = (uint32_t)(half & 0x7fff) << 13; /* exponent and fraction at f32's places */
    uint32_t exponent = rest & 0x0f800000;

    /* A subnormal f * 2^-24 is (1 + f/1024) * 2^-14 less 2^-14: exact, and no operand is subnormal in f32. */
    uint32_t rebase = exponent == 0 ? 127 - 14 : exponent == 0x0f800000 ? 255 - 31 : 127 - 15;
    uint32_t excess = exponent == 0 ? 127 - 14 : 0;
    return osp_from_bits(sign | osp_bits(osp_from_bits(rest + (rebase << 23)) - osp_from_bits(excess << 23)));
}

float osp_f16_to_f32(uint16_t half) { return widen_half(half); }

uint16_t osp_f32_to_f16(float value)
{
    uint32_t bits = osp_bits(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);

    if (magnitude > 0x7f800000) { /* NaN: the payload's upper bits, and never an infinity by losing them */
        uint16_t payload = magnitude >> 13 & 0x3ff;
        return sign | 0x7c00 | (payload ? payload : 0x200);
    }
    if (magnitude >= 0x477ff000) /* 65520, half way between the largest f16 and 2^16 */
        return sign | 0x7c00;
    if (magnitude >= 0x38800000) { /* 2^-14 and more: normal */
        uint32_t rebased = magnitude - ((127 - 15) << 23);
        return (uint16_t)(sign | (rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
    }
    if (magnitude <= 0x33000000) /* 2^-25, half the smallest f16, and less */
        return sign;
    /* Subnormal, in units of 2^-24: the fraction with its hidden one is in units of 2^(exponent-150). */
    uint32_t fraction = (magnitude & 0x7fffff) | 0x800000, shift = 126 - (magnitude >> 23);
    uint32_t whole = fraction >> shift, lost = fraction & ((1u << shift) - 1), tie = 1u << (shift - 1);
    return (uint16_t)(sign | (whole + (lost > tie || (lost == tie && (whole & 1)))));
}

/* ---- Widening a stored tensor ------------------------------------------------------------------ */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored tensors are little-endian and read as they are");

/* One loop for each type: an unaligned load, a conversion. */
#define WIDEN(NAME, TYPE, VALUE)                                                                                                 \
    static void NAME(const uint8_t *from, uint64_t count, float *out)                                                            \
    {                                                                                                                            \
        for (uint64_t i = 0; i < count; i++) {                                                                                   \
            TYPE x;                                                                                                              \
            memcpy(&x, from + i * sizeof x, sizeof x);                                                                           \
            out[i] = VALUE;                                                                                                      \
        }                                                                                                                        \
    }
WIDEN(widen_f64, double, (float)x)
WIDEN(widen_f32, float, x)
WIDEN(widen_f16, uint16_t, widen_half(x))
WIDEN(widen_bf16, uint16_t, osp_from_bits((uint32_t)x << 16))
WIDEN(widen_i64, int64_t, (float)x)
WIDEN(widen_i32, int32_t, (float)x)
WIDEN(widen_i16, int16_t, (float)x)
WIDEN(widen_i8, int8_t, (float)x)
WIDEN(widen_u8, uint8_t, (float)x)
WIDEN(widen_bool, uint8_t, x ? 1.0f : 0.0f)

static const struct {
    const char *name;
    size_t size;
    void (*widen)(const uint8_t *from, uint64_t count, float *out);
} types[OSP_STORED_COUNT] = {
    [OSP_STORED_F64] = {"F64", 8, widen_f64}, [OSP_STORED_F32] = {"F32", 4, widen_f32},
    [OSP_STORED_F16] = {"F16", 2, widen_f16}, [OSP_STORED_BF16] = {"BF16", 2, widen_bf16},
    [OSP_STORED_I64] = {"I64", 8, widen_i64}, [OSP_STORED_I32] = {"I32", 4, widen_i32},
    [OSP_STORED_I16] = {"I16", 2, widen_i16}, [OSP_STORED_I8] = {"I8", 1, widen_i8},
    [OSP_STORED_U8] = {"U8", 1, widen_u8},    [OSP_STORED_BOOL] = {"BOOL", 1, widen_bool},
};

size_t osp_stored_size(enum osp_stored type) { return types[type].size; }
const char *osp_stored_name(enum osp_stored type) { return types[type].name; }

void osp_stored_read(const struct osp_stored_tensor *tensor, uint64_t first, uint64_t count, float *out)
{
    types[tensor->type].widen(tensor->data + first * types[tensor->type].size, count, out);
}
