/* Loads and stores of a warp; included by lanes.simd.c. First all lanes' addresses are checked at once: range, alignment, and
 * whether they lie in a row or are all the same; then the values move. Lanes that do not take part get the address of one that
 * does. */

enum { WIDE_ADDRESS = 1, NEXT_TO_EACH_OTHER = 1, ALL_THE_SAME = 2, ANYWHERE = 3 };

struct reach {
    uint64_t address[LANES]; /* relative to base */
    uint64_t base;           /* a number: for global memory it lies far outside of any object until the address is added */
    uint64_t low, high;
    int kind;
};

static void addresses(const struct warp *w, const struct insn *i, uint32_t lanes, struct reach *r, uint32_t bytes)
{
    const int first = first_lane(lanes);
    uint64_t low = UINT64_MAX, high = 0, row = 0;
    if (i->flags & WIDE_ADDRESS) {
        const u64 *p = AT(u64, i->a);
        const uint64_t lead = p[first] + (uint64_t)i->imm;
        EACH_LANE r->address[l] = lanes >> l & 1 ? p[l] + (uint64_t)i->imm : lead;
    } else {
        const u32 *p = AT(u32, i->a);
        const uint32_t lead = p[first] + (uint32_t)i->imm;
        EACH_LANE r->address[l] = lanes >> l & 1 ? p[l] + (uint32_t)i->imm : lead;
    }
    const uint64_t start = r->address[0];
    _Pragma("omp simd reduction(min:low) reduction(max:high) reduction(|:row)") for (int l = 0; l < LANES; l++)
    {
        const uint64_t a = r->address[l];
        low = a < low ? a : low;
        high = a > high ? a : high;
        row |= a ^ (start + (uint64_t)l * bytes);
    }
    r->low = low;
    r->high = high;
    r->kind = low == high ? ALL_THE_SAME : row == 0 && lanes == (uint32_t)ALL ? NEXT_TO_EACH_OTHER : ANYWHERE;
}

/* False: a fault has been recorded. */
static bool reach(struct warp *w, const struct insn *i, uint32_t lanes, struct reach *r, uint32_t bytes, enum ptx_space space)
{
    const struct block *b = w->block;
    const struct ptx_span *span = &b->spans[i->slot];
    uint64_t odd = 0;
    EACH_LANE odd |= r->address[l];
    if (odd & (bytes - 1))
        return ptx_reach_misaligned(w, i, lanes, r->address, bytes);
    switch (space) {
    case SPACE_SHARED:
        r->base = (uintptr_t)b->shared;
        return (r->high < b->shared_bytes && b->shared_bytes - r->high >= bytes) ||
               ptx_reach_shared(w, i, lanes, r->address, bytes);
    case SPACE_GLOBAL:
    case SPACE_CONST:
        r->base = (uintptr_t)b->global - PTX_GLOBAL_BASE;
        return (r->low >= span->low && r->high < span->high && span->high - r->high >= bytes) ||
               ptx_reach_global(w, i, lanes, r->address, bytes);
    case SPACE_LOCAL:
        r->base = (uintptr_t)w->local;
        if (r->high > b->local_bytes || b->local_bytes - r->high < bytes)
            return ptx_reach_local(w, i, lanes, r->address, bytes);
        EACH_LANE r->address[l] += (uint64_t)l * b->local_bytes;
        r->kind = ANYWHERE;
        return true;
    default:
        r->base = (uintptr_t)b->params;
        return (r->high < b->param_bytes && b->param_bytes - r->high >= bytes) || ptx_reach_param(w, i, lanes, r->address, bytes);
    }
}

/* A generic address lies in the window of one space. Lanes of several windows take turns: *rest are those that must wait. */
static enum ptx_space generic_space(struct reach *r, uint32_t *lanes, uint32_t *rest)
{
    const int first = first_lane(*lanes);
    const uint64_t window = r->address[first] >> 48;
    uint32_t here = 0;
    *rest = 0;
    if (r->low >> 48 != r->high >> 48) {
        uint64_t low = UINT64_MAX, high = 0;
        for (int l = 0; l < LANES; l++) {
            here |= r->address[l] >> 48 == window ? *lanes & 1u << l : 0;
            r->address[l] = r->address[l] >> 48 == window ? r->address[l] : r->address[first];
            low = r->address[l] < low ? r->address[l] : low;
            high = r->address[l] > high ? r->address[l] : high;
        }
        *rest = *lanes & ~here;
        *lanes = here;
        r->low = low;
        r->high = high;
        r->kind = low == high ? ALL_THE_SAME : ANYWHERE;
    }
    if (window < PTX_SHARED_BASE >> 48 || window > PTX_PARAM_BASE >> 48)
        return SPACE_GLOBAL;
    r->low -= window << 48;
    r->high -= window << 48;
    EACH_LANE r->address[l] -= window << 48;
    return window == PTX_SHARED_BASE >> 48 ? SPACE_SHARED : window == PTX_LOCAL_BASE >> 48 ? SPACE_LOCAL : SPACE_PARAM;
}

/* True: every byte that would be read has been written. */
static bool shadow_set(const struct warp *w, const struct reach *r, uint32_t bytes)
{
    const uint8_t *shadow = w->block->shadow;
    uint64_t wrong = 0;
    if (r->kind == NEXT_TO_EACH_OTHER) {
        const u64 *s = (const u64 *)(const void *)(shadow + r->low);
        uint32_t n = LANES * bytes / 8;
        if (r->low % 8 == 0) {
            for (uint32_t k = 0; k < n; k++)
                wrong |= s[k] ^ 0x0101010101010101ull * SHADOW_SET;
            return wrong == 0;
        }
    }
    const int last = r->kind == ALL_THE_SAME ? 1 : LANES;
    for (int l = 0; l < last; l++) {
        const uint8_t *s = shadow + r->address[l];
        if (bytes == 16)
            wrong |= (((const u64 *)(const void *)s)[0] ^ 0x0101010101010101ull) |
                     (((const u64 *)(const void *)s)[1] ^ 0x0101010101010101ull);
        else if (bytes == 8)
            wrong |= *(const u64 *)(const void *)s ^ 0x0101010101010101ull;
        else if (bytes == 4)
            wrong |= *(const u32 *)(const void *)s ^ 0x01010101u;
        else
            for (uint32_t k = 0; k < bytes; k++)
                wrong |= s[k] ^ (uint64_t)SHADOW_SET;
    }
    return wrong == 0;
}

#define FOR_LANES(lanes) for (uint32_t left_ = (lanes), l = 0; left_ && (l = (uint32_t)first_lane(left_), 1); left_ &= left_ - 1)

#define MOVERS(T, N)                                                                                                             \
    static inline __attribute__((always_inline)) bool load_##T##_##N##_lanes(                                                    \
        struct warp *w, const struct insn *i, uint32_t lanes, struct reach *r, enum ptx_space space)                             \
    {                                                                                                                            \
        T *d[N];                                                                                                                 \
        if (!reach(w, i, lanes, r, sizeof(T) * N, space))                                                                        \
            return false;                                                                                                        \
        if (space == SPACE_SHARED && !shadow_set(w, r, sizeof(T) * N))                                                           \
            return ptx_reach_unset(w, i, lanes, r->address, sizeof(T) * N);                                                      \
        for (int k = 0; k < N; k++)                                                                                              \
            d[k] = AT(T, N == 1 ? i->d : i->more[k]);                                                                            \
        if (r->kind == ALL_THE_SAME) {                                                                                           \
            const T *from = (const T *)(uintptr_t)(r->base + r->low);                                                            \
            for (int k = 0; k < N; k++) {                                                                                        \
                const T value = from[k];                                                                                         \
                T *to = d[k];                                                                                                    \
                EACH_LANE to[l] = lanes >> l & 1 ? value : to[l];                                                                \
            }                                                                                                                    \
        } else if (r->kind == NEXT_TO_EACH_OTHER && N == 1) {                                                                    \
            memcpy(d[0], (const void *)(uintptr_t)(r->base + r->low), LANES * sizeof(T));                                        \
        } else if (lanes == (uint32_t)ALL) {                                                                                     \
            for (int l = 0; l < LANES; l++) {                                                                                    \
                const T *from = (const T *)(uintptr_t)(r->base + r->address[l]);                                                 \
                for (int k = 0; k < N; k++)                                                                                      \
                    d[k][l] = from[k];                                                                                           \
            }                                                                                                                    \
        } else {                                                                                                                 \
            FOR_LANES(lanes)                                                                                                     \
            {                                                                                                                    \
                const T *from = (const T *)(uintptr_t)(r->base + r->address[l]);                                                 \
                for (int k = 0; k < N; k++)                                                                                      \
                    d[k][l] = from[k];                                                                                           \
            }                                                                                                                    \
        }                                                                                                                        \
        return true;                                                                                                             \
    }                                                                                                                            \
    static inline __attribute__((always_inline)) bool store_##T##_##N##_lanes(                                                   \
        struct warp *w, const struct insn *i, uint32_t lanes, struct reach *r, enum ptx_space space)                             \
    {                                                                                                                            \
        const T *s[N];                                                                                                           \
        if (space == SPACE_PARAM)                                                                                                \
            return ptx_reach_read_only(w, i, lanes, r->address, sizeof(T) * N);                                                  \
        if (!reach(w, i, lanes, r, sizeof(T) * N, space))                                                                        \
            return false;                                                                                                        \
        for (int k = 0; k < N; k++)                                                                                              \
            s[k] = AT(T, N == 1 ? i->d : i->more[k]);                                                                            \
        if (r->kind == NEXT_TO_EACH_OTHER && N == 1) {                                                                           \
            memcpy((void *)(uintptr_t)(r->base + r->low), s[0], LANES * sizeof(T));                                              \
        } else {                                                                                                                 \
            FOR_LANES(lanes)                                                                                                     \
            {                                                                                                                    \
                T *to = (T *)(uintptr_t)(r->base + r->address[l]);                                                               \
                for (int k = 0; k < N; k++)                                                                                      \
                    to[k] = s[k][l];                                                                                             \
            }                                                                                                                    \
        }                                                                                                                        \
        if (space == SPACE_SHARED) {                                                                                             \
            if (r->kind == NEXT_TO_EACH_OTHER)                                                                                   \
                memset(w->block->shadow + r->low, SHADOW_SET, LANES * sizeof(T) * N);                                            \
            else                                                                                                                 \
                FOR_LANES(lanes) memset(w->block->shadow + r->address[l], SHADOW_SET, sizeof(T) * N);                            \
        }                                                                                                                        \
        return true;                                                                                                             \
    }

#define MOVE(HOW, T, N)                                                                                                          \
    static const struct insn *HOW##_##T##_##N(struct warp *w, const struct insn *i)                                              \
    {                                                                                                                            \
        uint32_t lanes = insn_lanes(w, i), rest = 0;                                                                             \
        struct reach r;                                                                                                          \
        while (lanes) {                                                                                                          \
            enum ptx_space space = (enum ptx_space)i->space;                                                                     \
            addresses(w, i, lanes, &r, sizeof(T) * N);                                                                           \
            if (space == SPACE_GENERIC)                                                                                          \
                space = generic_space(&r, &lanes, &rest);                                                                        \
            if (!HOW##_##T##_##N##_lanes(w, i, lanes, &r, space))                                                                \
                return NULL;                                                                                                     \
            lanes = rest;                                                                                                        \
        }                                                                                                                        \
        return i + 1;                                                                                                            \
    }

#define MOVES(T, N) MOVERS(T, N) MOVE(load, T, N) MOVE(store, T, N)
MOVES(u8, 1)
MOVES(u8, 2)
MOVES(u8, 4)
MOVES(u16, 1)
MOVES(u16, 2)
MOVES(u16, 4)
MOVES(u32, 1)
MOVES(u32, 2)
MOVES(u32, 4)
MOVES(u64, 1)
MOVES(u64, 2)
#undef MOVES
#undef MOVE
#undef MOVERS

#define ALL_WIDTHS(M)                                                                                                            \
    {                                                                                                                            \
        M##_u8_1, M##_u8_2, M##_u8_4, M##_u16_1, M##_u16_2, M##_u16_4, M##_u32_1, M##_u32_2, M##_u32_4, M##_u64_1, M##_u64_2,    \
            NULL                                                                                                                 \
    }
static handler *const LOADS[12] = ALL_WIDTHS(load);
static handler *const STORES[12] = ALL_WIDTHS(store);
