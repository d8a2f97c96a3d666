/* mma.sync.m16n8k4, k8, k16: D (16x8) = A (16xK) * B (Kx8) + C, spread over the lanes of a warp.
 *
 * With g = lane / 4 and t = lane % 4, a lane holds of C and D: rows g and g + 8, columns 2t and 2t + 1. Of A and B it holds
 * groups of as many neighbouring k as fit 32 bits (1 for tf32, 2 for f16 and bf16): A at rows g, g + 8 and k from t * fit, then
 * again 4 * fit further; B likewise, column g.
 *
 * Products are exact. Sums: the accumulator and the products of one instruction are added in double precision in ascending k and
 * rounded once. A tensor core's own order and rounding are not documented, so results there may differ in the last bits. */
#include "exec.h"
#include "lanes.h"

enum { ROWS = 16, COLUMNS = 8, MOST_K = 16 };

static float element(uint32_t word, int part, enum mma_kind kind)
{
    if (kind == MMA_TF32)
        return float_of(word & 0xffffe000u); /* the low 13 bits are ignored */
    const uint16_t half = part ? HIGH(word) : LOW(word);
    return kind == MMA_BF16 ? brain_to(half) : half_to(half);
}

/* more: d (4 or 2), a (k / fit / 2 ... ), b, c. count: k; kind. */
const struct insn *exec_mma(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const enum mma_kind kind = (enum mma_kind)i->kind;
    const int k = i->count, fit = kind == MMA_TF32 ? 1 : 2, steps = k / (4 * fit), accumulators = kind == MMA_F16_F16 ? 2 : 4;
    const uint32_t *d = i->more, *a = d + accumulators, *b = a + 2 * steps, *c = b + steps;
    double x[ROWS][MOST_K], y[MOST_K][COLUMNS];
    if (lanes == 0)
        return i + 1;
    if (lanes != (uint32_t)ALL)
        return ptx_fault_lane(w, i, PTX_BAD_MASK, first_lane(lanes), 0, 0, "mma by lanes 0x%08x instead of the whole warp",
                              lanes);
    for (int l = 0; l < LANES; l++) {
        const int g = l / 4, t = l % 4;
        for (int s = 0; s < steps; s++) {
            const uint32_t low = ((const u32 *)(void *)(w->file + a[2 * s]))[l],
                           high = ((const u32 *)(void *)(w->file + a[2 * s + 1]))[l];
            const uint32_t column = ((const u32 *)(void *)(w->file + b[s]))[l];
            for (int p = 0; p < fit; p++) {
                const int at = (s * 4 + t) * fit + p;
                x[g][at] = (double)element(low, p, kind);
                x[g + 8][at] = (double)element(high, p, kind);
                y[at][g] = (double)element(column, p, kind);
            }
        }
    }
    double sum[ROWS][COLUMNS];
    for (int row = 0; row < ROWS; row++) {
        for (int n = 0; n < COLUMNS; n++) {
            const int l = row % 8 * 4 + n / 2, r = row / 8;
            const uint32_t word = ((const u32 *)(void *)(w->file + c[kind == MMA_F16_F16 ? r : 2 * r + n % 2]))[l];
            sum[row][n] = kind == MMA_F16_F16 ? (double)half_to(n % 2 ? HIGH(word) : LOW(word)) : (double)float_of(word);
        }
        for (int e = 0; e < k; e++)
            for (int n = 0; n < COLUMNS; n++)
                sum[row][n] += x[row][e] * y[e][n];
    }
    /* Written only now: d may lie where c was. */
    for (int row = 0; row < ROWS; row++) {
        for (int n = 0; n < COLUMNS; n++) {
            const int l = row % 8 * 4 + n / 2, r = row / 8;
            if (kind == MMA_F16_F16)
                ((u16 *)(void *)(w->file + d[r]))[2 * l + n % 2] = half_from_f64(sum[row][n]);
            else
                ((f32 *)(void *)(w->file + d[2 * r + n % 2]))[l] = (float)sum[row][n];
        }
    }
    return i + 1;
}
