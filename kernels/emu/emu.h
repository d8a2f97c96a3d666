/* CUDA device code as ordinary C++: what a kernel includes when the compiler is not nvcc. Threads are fibers, a block runs on one
 * OS thread; the qualifiers vanish, the built-in variables read the running fiber, everything that threads do together is a call
 * into the emulator. README.md says how a kernel is written for it, emu_ctl.h how a program launches and questions it. */
#ifndef EMU_H
#define EMU_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <new>
#include <tuple>
#include <type_traits>
#include <utility>
#ifdef __F16C__
#include <immintrin.h>
#endif

/* The architecture whose instructions are emulated, as __CUDA_ARCH__ counts. */
#ifndef EMU_ARCH
#define EMU_ARCH 900
#endif

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

/* ---- Vector types: a copy is one load and one store, through a vector register, as on a GPU -- */

#define EMU_VECTOR2(name, type)                                                                                                  \
    typedef type emu_##name __attribute__((vector_size(8), may_alias));                                                          \
    struct alignas(8) name {                                                                                                     \
        union {                                                                                                                  \
            struct {                                                                                                             \
                type x, y;                                                                                                       \
            };                                                                                                                   \
            emu_##name all;                                                                                                      \
        };                                                                                                                       \
        name() = default;                                                                                                        \
        __forceinline__ name(type a, type b) : all{a, b} {}                                                                      \
        __forceinline__ name(const name &other) : all(other.all) {}                                                              \
        __forceinline__ name &operator=(const name &other)                                                                       \
        {                                                                                                                        \
            all = other.all;                                                                                                     \
            return *this;                                                                                                        \
        }                                                                                                                        \
    };                                                                                                                           \
    static __forceinline__ name make_##name(type x, type y) { return name(x, y); }

#define EMU_VECTOR4(name, type)                                                                                                  \
    typedef type emu_##name __attribute__((vector_size(16), may_alias));                                                         \
    struct alignas(16) name {                                                                                                    \
        union {                                                                                                                  \
            struct {                                                                                                             \
                type x, y, z, w;                                                                                                 \
            };                                                                                                                   \
            emu_##name all;                                                                                                      \
        };                                                                                                                       \
        name() = default;                                                                                                        \
        __forceinline__ name(type a, type b, type c, type d) : all{a, b, c, d} {}                                                \
        __forceinline__ name(const name &other) : all(other.all) {}                                                              \
        __forceinline__ name &operator=(const name &other)                                                                       \
        {                                                                                                                        \
            all = other.all;                                                                                                     \
            return *this;                                                                                                        \
        }                                                                                                                        \
    };                                                                                                                           \
    static __forceinline__ name make_##name(type x, type y, type z, type w) { return name(x, y, z, w); }

EMU_VECTOR2(float2, float)
EMU_VECTOR2(int2, int)
EMU_VECTOR2(uint2, unsigned)
EMU_VECTOR4(float4, float)
EMU_VECTOR4(int4, int)
EMU_VECTOR4(uint4, unsigned)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

/* ---- What threads do together: sched.cpp, warp.cpp, mma.cpp, async.cpp, atomic.cpp ----------- */

namespace emu
{

/* Where in the source a call stands. Threads that meet must come from the same one: `id` tells two calls in one line apart. */
struct Site {
    const char *file;
    int line, id;
};
/* As the default value of a wrapper's last parameter it names the line that calls the wrapper. */
static __forceinline__ Site here(const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return Site{file, line, -line};
}

struct Block {
    uint3 index;
    dim3 threads, blocks;
};
/* What device code sees of its own thread. */
struct Self {
    uint3 index;
    unsigned linear; /* in its block, x fastest */
    const Block *block;
};
extern __thread Self *self __attribute__((tls_model("initial-exec"), visibility("hidden")));

void syncthreads(Site site);
struct Votes {
    int yes, all; /* threads whose predicate was not 0; threads that met */
};
Votes syncthreads_votes(Site site, int predicate);
void syncwarp(Site site, uint32_t mask = 0xffffffffu);
uint32_t ballot(Site site, uint32_t mask, int predicate);
uint64_t shuffle(Site site, uint32_t mask, uint64_t value, int from_lane);
void threadfence();

void *shared_static(const void *key, size_t bytes, const char *name);
void *shared_dynamic();

/* Starts copying `bytes` (4, 8, 16), the first `valid` of them from global memory, zeros after. Nothing moves before the wait.
 * `site`: one instruction of the warp, however many calls the host's compiler makes of it. */
void copy_async(void *shared, const void *global, int bytes, int valid, Site site = here());
void copy_commit();
void copy_wait(int pending, Site site = here());

/* d = a b + c over a warp; fragments as in PTX mma.sync, row.col, sums in f32. d may be c. */
void mma_tf32_16x8x8(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site = here());
void mma_f16_16x8x8(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site = here());
void mma_f16_16x8x16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site = here());
void mma_bf16_16x8x16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site = here());
/* PTX ldmatrix.m8n8.x1, x2 or x4, .trans or not: `count` registers from the rows whose addresses the lanes hold. */
void ldmatrix(uint32_t *registers, const void *row, int count, bool transposed, Site site = here());

enum AtomicOp { ATOMIC_ADD, ATOMIC_MIN, ATOMIC_MAX, ATOMIC_AND, ATOMIC_OR, ATOMIC_XOR, ATOMIC_EXCHANGE, ATOMIC_COMPARE };
template <class T> T atomic(AtomicOp op, T *address, T value, T compare);
extern template int atomic(AtomicOp, int *, int, int);
extern template unsigned atomic(AtomicOp, unsigned *, unsigned, unsigned);
extern template unsigned long long atomic(AtomicOp, unsigned long long *, unsigned long long, unsigned long long);
extern template float atomic(AtomicOp, float *, float, float);

template <class T> __forceinline__ T shuffle_of(Site site, uint32_t mask, T value, int from)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = shuffle(site, mask, bits, from);
    memcpy(&value, &bits, sizeof value);
    return value;
}
static __forceinline__ int lane() { return (int)(self->linear & 31); }
template <class T> __forceinline__ T shuffle_index(Site site, uint32_t mask, T value, int from, int width = 32)
{
    return shuffle_of(site, mask, value, (lane() & ~(width - 1)) | (from & (width - 1)));
}
template <class T> __forceinline__ T shuffle_up(Site site, uint32_t mask, T value, unsigned by, int width = 32)
{
    int from = lane() - (int)by;
    return shuffle_of(site, mask, value, from >= (lane() & ~(width - 1)) ? from : lane());
}
template <class T> __forceinline__ T shuffle_down(Site site, uint32_t mask, T value, unsigned by, int width = 32)
{
    int from = lane() + (int)by;
    return shuffle_of(site, mask, value, from <= (lane() | (width - 1)) ? from : lane());
}
template <class T> __forceinline__ T shuffle_xor(Site site, uint32_t mask, T value, int with, int width = 32)
{
    int from = lane() ^ with;
    return shuffle_of(site, mask, value, from <= (lane() | (width - 1)) ? from : lane());
}

/* A kernel that can be launched by name. The arguments travel packed: they are copied when the launch is asked for. */
struct Kernel {
    const char *name;
    size_t bytes;
    void (*pack)(void *to, void **from);
    void (*run)(void *packed);
};
template <auto function> struct Thunk;
template <class... P, void (*function)(P...)> struct Thunk<function> {
    typedef std::tuple<P...> Arguments;
    static_assert((std::is_trivially_copyable_v<P> && ...), "kernel arguments are copied byte by byte");
    static void pack(void *to, void **from)
    {
        [&]<size_t... I>(std::index_sequence<I...>) { new (to) Arguments(*static_cast<P *>(from[I])...); }
        (std::index_sequence_for<P...>());
    }
    static void run(void *packed) { std::apply(function, *static_cast<Arguments *>(packed)); }
};

} // namespace emu

/* After the declaration of a kernel: makes it known by its name. Two of one name do not link. A pointer goes into a section that
 * kernel_of looks through: nothing of a kernel's file runs before it is launched. */
#define EMU_KERNEL(name)                                                                                                         \
    extern constexpr emu::Kernel emu_kernel_##name __attribute__((visibility("hidden"))) = {                                     \
        #name, sizeof(emu::Thunk<name>::Arguments), emu::Thunk<name>::pack, emu::Thunk<name>::run};                              \
    __attribute__((section("emu_kernels"), used)) static const emu::Kernel *const emu_entry_##name = &emu_kernel_##name

#define EMU_KEY                                                                                                                  \
    ([]() -> const void * {                                                                                                      \
        static const char key = 0;                                                                                               \
        return &key;                                                                                                             \
    }())
/* EMU_SHARED(float, tile, [16][17]); is __shared__ float tile[16][17]; a real array, so that UBSan knows its bounds. */
#define EMU_SHARED(type, name, dims)                                                                                             \
    type(&name) dims = *static_cast<type(*) dims>(emu::shared_static(EMU_KEY, sizeof(type dims), #name))
#define EMU_DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(emu::shared_dynamic())

/* ---- Built-in variables and functions -------------------------------------------------------- */

#define threadIdx (emu::self->index)
#define blockIdx  (emu::self->block->index)
#define blockDim  (emu::self->block->threads)
#define gridDim   (emu::self->block->blocks)
static constexpr int warpSize = 32;

#define EMU_SITE                 (emu::Site{__FILE__, __LINE__, __COUNTER__})
#define __syncthreads()          emu::syncthreads(EMU_SITE)
#define __syncthreads_count(p)   (emu::syncthreads_votes(EMU_SITE, (p)).yes)
#define __syncthreads_or(p)      (emu::syncthreads_votes(EMU_SITE, (p)).yes != 0)
#define __syncthreads_and(p)     (emu::unanimous(emu::syncthreads_votes(EMU_SITE, (p))))
#define __syncwarp(...)          emu::syncwarp(EMU_SITE __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(m, ...)      emu::shuffle_index(EMU_SITE, m, __VA_ARGS__)
#define __shfl_up_sync(m, ...)   emu::shuffle_up(EMU_SITE, m, __VA_ARGS__)
#define __shfl_down_sync(m, ...) emu::shuffle_down(EMU_SITE, m, __VA_ARGS__)
#define __shfl_xor_sync(m, ...)  emu::shuffle_xor(EMU_SITE, m, __VA_ARGS__)
#define __ballot_sync(m, p)      emu::ballot(EMU_SITE, m, (p) ? 1 : 0)
#define __any_sync(m, p)         (emu::ballot(EMU_SITE, m, (p) ? 1 : 0) != 0)
#define __all_sync(m, p)         (emu::ballot(EMU_SITE, m, (p) ? 0 : 1) == 0)
#define __threadfence()          emu::threadfence()
#define __threadfence_block()    ((void)0)

namespace emu
{
static __forceinline__ bool unanimous(Votes votes) { return votes.yes == votes.all; }
} // namespace emu

#define EMU_ATOMIC(name, op, type)                                                                                               \
    static __forceinline__ type name(type *address, type value) { return emu::atomic<type>(emu::op, address, value, 0); }
#define EMU_ATOMIC_INTEGERS(name, op)                                                                                            \
    EMU_ATOMIC(name, op, int) EMU_ATOMIC(name, op, unsigned) EMU_ATOMIC(name, op, unsigned long long)
EMU_ATOMIC_INTEGERS(atomicAdd, ATOMIC_ADD)
EMU_ATOMIC_INTEGERS(atomicMin, ATOMIC_MIN)
EMU_ATOMIC_INTEGERS(atomicMax, ATOMIC_MAX)
EMU_ATOMIC_INTEGERS(atomicAnd, ATOMIC_AND)
EMU_ATOMIC_INTEGERS(atomicOr, ATOMIC_OR)
EMU_ATOMIC_INTEGERS(atomicXor, ATOMIC_XOR)
EMU_ATOMIC_INTEGERS(atomicExch, ATOMIC_EXCHANGE)
EMU_ATOMIC(atomicAdd, ATOMIC_ADD, float)
EMU_ATOMIC(atomicExch, ATOMIC_EXCHANGE, float)
#define EMU_CAS(type)                                                                                                            \
    static __forceinline__ type atomicCAS(type *address, type compare, type value)                                               \
    {                                                                                                                            \
        return emu::atomic<type>(emu::ATOMIC_COMPARE, address, value, compare);                                                  \
    }
EMU_CAS(int)
EMU_CAS(unsigned)
EMU_CAS(unsigned long long)

static __forceinline__ int __popc(unsigned x) { return __builtin_popcount(x); }
static __forceinline__ int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static __forceinline__ int __ffs(int x) { return __builtin_ffs(x); }
static __forceinline__ int __ffsll(long long x) { return __builtin_ffsll(x); }
static __forceinline__ int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static __forceinline__ int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static __forceinline__ unsigned __brev(unsigned x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    return __builtin_bswap32(x);
}
template <class T> static __forceinline__ T __ldg(const T *address) { return *address; }

template <class To, class From> static __forceinline__ To emu_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static __forceinline__ unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
static __forceinline__ int __float_as_int(float x) { return emu_bits<int>(x); }
static __forceinline__ float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
static __forceinline__ float __int_as_float(int x) { return emu_bits<float>(x); }

#define EMU_MIN_MAX(type)                                                                                                        \
    static __forceinline__ type min(type a, type b) { return a < b ? a : b; }                                                    \
    static __forceinline__ type max(type a, type b) { return a > b ? a : b; }
EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long)
EMU_MIN_MAX(unsigned long)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
static __forceinline__ float min(float a, float b) { return fminf(a, b); }
static __forceinline__ float max(float a, float b) { return fmaxf(a, b); }

/* ---- half and bf16: storage, and conversions that round to nearest even ---------------------- */

struct __half {
    unsigned short bits;
};
struct __nv_bfloat16 {
    unsigned short bits;
};
typedef __half half;
typedef __nv_bfloat16 nv_bfloat16;

namespace emu
{
float half_to_float(unsigned short bits);
unsigned short float_to_half(float x);
/* Round to nearest, ties away from zero, to 10 bits of mantissa: cvt.rna.tf32.f32. */
static __forceinline__ uint32_t to_tf32(float x)
{
    uint32_t bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return bits & 0x007fffffu ? 0x7fffffffu : bits;
    return (bits + 0x1000u) & ~0x1fffu;
}
} // namespace emu

static __forceinline__ float __half2float(__half x)
{
#ifdef __F16C__
    return _cvtsh_ss(x.bits);
#else
    return emu::half_to_float(x.bits);
#endif
}
static __forceinline__ __half __float2half(float x)
{
#ifdef __F16C__
    return __half{(unsigned short)_cvtss_sh(x, 0)};
#else
    return __half{emu::float_to_half(x)};
#endif
}
static __forceinline__ __half __float2half_rn(float x) { return __float2half(x); }
static __forceinline__ unsigned short __half_as_ushort(__half x) { return x.bits; }
static __forceinline__ __half __ushort_as_half(unsigned short x) { return __half{x}; }
static __forceinline__ float __bfloat162float(__nv_bfloat16 x) { return __uint_as_float((unsigned)x.bits << 16); }
static __forceinline__ __nv_bfloat16 __float2bfloat16(float x)
{
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return __nv_bfloat16{0x7fff};
    return __nv_bfloat16{(unsigned short)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}
static __forceinline__ __nv_bfloat16 __float2bfloat16_rn(float x) { return __float2bfloat16(x); }

#endif
