#include "published.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kernels that others wrote, by what a turn of their main loop asks for --------------------------------------- */

/* A block computes m x n sums, k steps of them a turn. Counts are of one warp and turn, from the kernels' published tiles. */
struct tile {
    const char *name;
    int threads, m, n, k, registers, shared_bytes;
    double ffma, issued, passes, lines;
    bool barriers, copies;
    int tensor; /* 0: FFMA; 1: tf32; 2: 16 bits */
};

/* clang-format off */
static const struct tile
    /* siboehm/SGEMM_CUDA src/kernels; 9 to 11 with the tiles for the A6000. Passes: 128-bit loads go by quarter warps; the B tile
     * of 5, 6 and 9 is read with every other float4 left out, so twice. */
    s1  = {"1 naive",             1024,  32,  32,  4,  32,     0,    4,   18,    0, 132, false, false, 0},
    s2  = {"2 coalesced",         1024,  32,  32,  4,  32,     0,    4,   18,    0,   8, false, false, 0},
    s3  = {"3 shared tile",       1024,  32,  32, 32,  32,  8192,   32,   80,   66,   2, true, false, 0},
    s4  = {"4 1D block tile",      512,  64,  64,  8,  40,  4096,   64,  148,   74,   3, true, false, 0},
    s5  = {"5 2D block tile",      256, 128, 128,  8, 120,  8192,  512,  622,  268,  20, true, false, 0},
    s6  = {"6 wide loads",         256, 128, 128,  8, 120,  8192,  512,  564,  204,  20, true, false, 0},
    s7  = {"7 B laid in banks",    256, 128, 128,  8, 120,  8192,  512,  612,  168,  20, true, false, 0},
    s8  = {"8 B padded",           256, 128, 128,  8, 120,  8700,  512,  612,  152,  20, true, false, 0},
    s9  = {"9 tuned",              256, 128, 128, 16, 120, 16384, 1024, 1118,  408,  40, true, false, 0},
    s10 = {"10 warp tile",         128, 128, 128, 16, 200, 16384, 2048, 2194,  432,  80, true, false, 0},
    s11 = {"11 two buffers",       256, 128, 256, 16, 200, 49152, 2048, 2204,  542,  52, true, true, 0},
    /* waynehacking8/blackwell-tensorcore-kernels src: gemm_naive.cu, gemm_tiled.cu, gemm_mma.cu; the tile of its cuBLAS kernel in
     * 16 bits is in that kernel's name, the others' are taken to be the usual ones. */
    naive    = {"naive, 16x16",    256,  16,  16,  4,  32,     0,    4,   18,    0,  12, false, false, 0},
    tiled    = {"tiled, 32x32",   1024,  32,  32, 32,  32,  8192,   32,   80,   66,   2, true, false, 0},
    mma_vec  = {"mma, one buffer", 512, 128, 128, 32,  64, 16384,    0,   60,   48,   8, true, false, 2},
    mma_pipe = {"mma, two buffers", 512, 128, 128, 32, 64, 32768,    0,   60,   48, 0, true, true, 2},
    mma_warp = {"mma, warps 64x64", 128, 128, 128, 32, 196, 32768,   0,  120,   96, 0, true, true, 2},
    cublas16 = {"cuBLAS f16",      128, 128,  64, 64, 128, 73728,    0,  130,  144, 0, true, true, 2},
    cublastf = {"cuBLAS tf32",     128, 128, 128, 16, 196, 32768,    0,  120,   96, 0, true, true, 1},
    cublas32 = {"cuBLAS f32",      256, 128, 128,  8, 120, 16384,  512,  560,  136, 0, true, true, 0},
    /* wgmma reads shared memory by itself, and TMA fills it */
    wgmma16  = {"cuBLAS f16",      384, 128, 256, 64, 168, 196608,   0,   16,    0,   0, true, true, 2},
    wgmmatf  = {"cuBLAS tf32",     384, 128, 256, 32, 168, 196608,   0,   16,    0,   0, true, true, 1};

/* What a library's convolutions of a network are made of: a few sizes of the same, and 32 KiB or less. */
static const struct tile library[2][4] = {
    {{"f32 128x128",               256, 128, 128,  8, 120, 16384,  512,  560,  136, 0, true, true, 0},
     {"f32 128x64",                128, 128,  64,  8, 120, 12288,  512,  564,  140, 0, true, true, 0},
     {"f32 64x64",                  64,  64,  64,  8, 120,  8192,  512,  568,  144, 0, true, true, 0},
     {"f32 32x32",                  64,  32,  32,  8,  64,  4096,  128,  160,   68, 0, true, true, 0}},
    {{"f16 128x128",               128, 128, 128, 32, 196, 32768,    0,  120,   96, 0, true, true, 2},
     {"f16 128x64",                128, 128,  64, 32, 128, 24576,    0,   70,   72, 0, true, true, 2},
     {"f16 64x64",                 128,  64,  64, 32,  96, 16384,    0,   40,   48, 0, true, true, 2},
     {"f16 32x32",                 128,  32,  32, 32,  64,  8192,    0,   24,   24, 0, true, true, 2}}};

/* ---- GPUs by other clocks and units than gpu.c has --------------------------------------------------------------- */

static const struct gpu h100_wgmma = {"H100", 90, 132, 1980, 3350, 50, 1024, 2048};

/* ---- Matrix products --------------------------------------------------------------------------------------------- */

#define A6000 "SGEMM_CUDA"
#define BLACK "blackwell-tc"
static const struct product_point {
    const char *gpu; /* NULL: h100_wgmma */
    const struct tile *tile;
    int size; /* of square matrices */
    double gflops;
    const char *source;
    enum published_part part;
} products[] = {
    {"A6000", &s1, 4096, 309.0, A6000, PUBLISHED_FITTED},     {"A6000", &s2, 4096, 1986.5, A6000, PUBLISHED_FITTED},
    {"A6000", &s3, 4096, 2980.3, A6000, PUBLISHED_FITTED},    {"A6000", &s4, 4096, 8474.7, A6000, PUBLISHED_FITTED},
    {"A6000", &s5, 4096, 15971.7, A6000, PUBLISHED_FITTED},   {"A6000", &s7, 4096, 16213, A6000, PUBLISHED_FITTED},
    {"A6000", &s8, 4096, 16459, A6000, PUBLISHED_FITTED},     {"A6000", &s11, 4096, 17278.3, A6000, PUBLISHED_FITTED},
    {"A6000", &s6, 4096, 18237.3, A6000, PUBLISHED_FITTED},   {"A6000", &s9, 4096, 19721.0, A6000, PUBLISHED_FITTED},
    {"A6000", &s10, 4096, 21779.3, A6000, PUBLISHED_FITTED},
    {"PRO 6000 Max-Q", &mma_vec, 8192, 165260, BLACK, PUBLISHED_FORMED},
    {"PRO 6000 Max-Q", &mma_pipe, 8192, 178030, BLACK, PUBLISHED_FORMED},
    {"PRO 6000 Max-Q", &mma_warp, 8192, 243180, BLACK, PUBLISHED_FORMED},
    {"A6000", &cublas32, 4096, 23249.6, A6000, PUBLISHED_UNSEEN},
    {"H100", &naive, 2048, 5480, BLACK, PUBLISHED_UNSEEN},    {"H100", &naive, 4096, 5370, BLACK, PUBLISHED_UNSEEN},
    {"H100", &naive, 8192, 5170, BLACK, PUBLISHED_UNSEEN},    {"H100", &tiled, 2048, 9220, BLACK, PUBLISHED_UNSEEN},
    {"H100", &tiled, 4096, 9040, BLACK, PUBLISHED_UNSEEN},    {"H100", &tiled, 8192, 9170, BLACK, PUBLISHED_UNSEEN},
    {"H100", &cublas32, 4096, 45680, BLACK, PUBLISHED_UNSEEN}, {"H100", &cublas32, 8192, 50490, BLACK, PUBLISHED_UNSEEN},
    {NULL, &wgmmatf, 4096, 399350, BLACK, PUBLISHED_UNSEEN},  {NULL, &wgmmatf, 8192, 412040, BLACK, PUBLISHED_UNSEEN},
    {NULL, &wgmma16, 4096, 726400, BLACK, PUBLISHED_UNSEEN},  {NULL, &wgmma16, 8192, 749890, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &naive, 2048, 6310, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &naive, 4096, 5940, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &naive, 8192, 4760, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &tiled, 2048, 8530, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &tiled, 4096, 8280, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &tiled, 8192, 7280, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublas32, 4096, 52890, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublas32, 8192, 54420, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublastf, 4096, 146670, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublastf, 8192, 152260, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublas16, 2048, 214930, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublas16, 4096, 237930, BLACK, PUBLISHED_UNSEEN},
    {"PRO 6000 Max-Q", &cublas16, 8192, 229010, BLACK, PUBLISHED_UNSEEN},
};
/* clang-format on */

static struct demand demand_of(const struct tile *tile, double m, double n, double k)
{
    double warps = tile->threads / 32.0, turns = ceil(k / tile->k), element = tile->tensor == 2 ? 2 : 4;
    struct demand d = {.blocks = ceil(m / tile->m) * ceil(n / tile->n),
                       .threads = tile->threads,
                       .registers = tile->registers,
                       .shared_bytes = tile->shared_bytes,
                       .ffma = turns * warps * tile->ffma,
                       .issued = turns * warps * tile->issued,
                       .passes = turns * warps * tile->passes,
                       .lines = turns * warps * tile->lines,
                       .bytes = turns * tile->k * (tile->m + tile->n) * element,
                       .rounds = turns,
                       .barriers = tile->barriers,
                       .copies = tile->copies,
                       .memory_bytes = (m * k + n * k + m * n) * element};
    if (tile->tensor)
        d.products[tile->tensor - 1] = turns * tile->m * tile->n * tile->k;
    return d;
}

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

/* The convolutions of a Faster R-CNN R50-FPN, spec/performance.md 3: how many, the side of the picture over the output's,
 * channels in, the kernel's side, channels out. */
static const struct layer {
    int count, stride, c, r, k;
} layers[] = {
    {1, 2, 3, 7, 64},       {1, 4, 64, 1, 64},     {3, 4, 64, 3, 64},     {4, 4, 64, 1, 256},    {2, 4, 256, 1, 64},
    {1, 4, 256, 1, 128},    {1, 8, 128, 3, 128},   {4, 8, 128, 1, 512},   {1, 8, 256, 1, 512},   {3, 8, 512, 1, 128},
    {3, 8, 128, 3, 128},    {1, 8, 512, 1, 256},   {1, 16, 256, 3, 256},  {6, 16, 256, 1, 1024}, {1, 16, 512, 1, 1024},
    {5, 16, 1024, 1, 256},  {5, 16, 256, 3, 256},  {1, 16, 1024, 1, 512}, {1, 32, 512, 3, 512},  {3, 32, 512, 1, 2048},
    {1, 32, 1024, 1, 2048}, {2, 32, 2048, 1, 512}, {2, 32, 512, 3, 512},  {1, 32, 2048, 1, 256}, {1, 16, 1024, 1, 256},
    {1, 8, 512, 1, 256},    {1, 4, 256, 1, 256},   {2, 32, 256, 3, 256},  {2, 16, 256, 3, 256},  {2, 8, 256, 3, 256},
    {2, 4, 256, 3, 256},    {1, 64, 256, 3, 256},  {1, 4, 256, 1, 15},    {1, 8, 256, 1, 15},    {1, 16, 256, 1, 15},
    {1, 32, 256, 1, 15},    {1, 64, 256, 1, 15},
};
static const int fc[][2] = {{12544, 1024}, {1024, 1024}, {1024, 455}};
enum { PROPOSALS = 1000 };

static const struct network_point {
    const char *what;
    const char *gpu; /* NULL: `old` */
    const struct gpu *old;
    int h, w, f16;
    double seconds;
    const char *source;
} networks[] = {
    {"TensorRT 7.2, f32", "T4", NULL, 800, 1344, 0, 88.08e-3, "mmdeploy"},
    {"TensorRT 7.2, f16", "T4", NULL, 800, 1344, 1, 26.52e-3, "mmdeploy"},
    {"detectron2, f32", NULL, &gpu_v100, 800, 1088, 0, 38e-3, "detectron2"},
    {"TensorRT, f32", NULL, &gpu_v100, 640, 640, 0, 24.76e-3, "PaddleDetection"},
    {"TensorRT, f16", NULL, &gpu_v100, 640, 640, 1, 20.74e-3, "PaddleDetection"},
    {"TensorRT, f32", NULL, &gpu_p4, 640, 640, 0, 57.6e-3, "PaddleDetection"},
};

/* One layer, by the tile that takes least. */
static double layer_seconds(const struct gpu *gpu, int f16, double m, double n, double k)
{
    double best = INFINITY;
    for (int i = 0; i < 4; i++) {
        struct demand d = demand_of(&library[f16][i], m, n, k);
        best = fmin(best, estimate_of(gpu, &d).seconds);
    }
    return best;
}

static double network_seconds(const struct gpu *gpu, const struct network_point *point, double *flop)
{
    double all = 0;
    *flop = 0;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const struct layer *l = &layers[i];
        double m = ceil((double)point->h / l->stride) * ceil((double)point->w / l->stride), k = (double)l->c * l->r * l->r;
        all += l->count * layer_seconds(gpu, point->f16, m, l->k, k);
        *flop += 2.0 * l->count * m * l->k * k;
    }
    for (size_t i = 0; i < sizeof fc / sizeof *fc; i++) {
        all += layer_seconds(gpu, point->f16, PROPOSALS, fc[i][1], fc[i][0]);
        *flop += 2.0 * PROPOSALS * fc[i][0] * fc[i][1];
    }
    return all;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

enum { PRODUCTS = sizeof products / sizeof *products, NETWORKS = sizeof networks / sizeof *networks };

static const struct gpu *gpu_of(const char *name, const struct gpu *other) { return name ? gpu_find(name) : other; }

int published_get(int i, struct published *out)
{
    static _Thread_local char what[64];
    if (i < 0 || i >= PRODUCTS + NETWORKS)
        return 0;
    if (i < PRODUCTS) {
        const struct product_point *p = &products[i];
        struct demand d = demand_of(p->tile, p->size, p->size, p->size);
        *out = (struct published){.source = p->source, .gpu = gpu_of(p->gpu, &h100_wgmma), .part = p->part};
        out->flop = 2 * pow(p->size, 3);
        out->measured = out->flop / (p->gflops * 1e9);
        out->estimated = estimate_of(out->gpu, &d).seconds;
        snprintf(what, sizeof what, "%s, %d", p->tile->name, p->size);
    } else {
        const struct network_point *p = &networks[i - PRODUCTS];
        *out = (struct published){.source = p->source, .gpu = gpu_of(p->gpu, p->old), .part = PUBLISHED_UNSEEN};
        out->measured = p->seconds;
        out->estimated = network_seconds(out->gpu, p, &out->flop);
        snprintf(what, sizeof what, "R50-FPN %dx%d, %s", p->h, p->w, p->what);
    }
    out->what = what;
    return 1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double published_error(enum published_part part)
{
    double errors[PRODUCTS + NETWORKS];
    struct published point;
    int count = 0;
    for (int i = 0; published_get(i, &point); i++)
        if (point.part == part)
            errors[count++] = fabs(point.estimated / point.measured - 1);
    qsort(errors, (size_t)count, sizeof *errors, by_value);
    return (errors[(count - 1) / 2] + errors[count / 2]) / 2;
}

double published_fit(void)
{
    double best = 0, least = INFINITY;
    for (int latency = 0; latency <= 2000; latency += 25) {
        double sum = 0;
        for (int i = 0; i < PRODUCTS; i++) {
            const struct product_point *p = &products[i];
            struct demand d = demand_of(p->tile, p->size, p->size, p->size);
            double error = log(estimate_seconds(gpu_find("A6000"), &d, latency) * p->gflops * 1e9 / (2 * pow(p->size, 3)));
            sum += p->part == PUBLISHED_FITTED ? error * error : 0;
        }
        if (sum < least) {
            least = sum;
            best = latency;
        }
    }
    return best;
}

static const char *part_name(enum published_part part)
{
    return part == PUBLISHED_FITTED ? "fitted" : part == PUBLISHED_FORMED ? "form" : "";
}

void published_print(const struct gpu *gpu, FILE *stream)
{
    struct published point;
    fprintf(stream,
            "What others measured, and the estimate of it. fitted: the latency of %.0f cycles was found on these; form: that "
            "tensor cores\n"
            "wait for what they are fed was taken from these. The others had no part in it. Networks: their convolutions and "
            "products,\n"
            "each by the best of four tiles; what a library ran is not known.\n\n"
            "%-16s %-38s %-16s %11s %11s %7s\n",
            estimate_latency, "GPU", "what", "published by", "measured ms", "estimate ms", "error");
    for (int i = 0; published_get(i, &point); i++)
        if (!gpu || !strcmp(gpu->name, point.gpu->name))
            fprintf(stream, "%-16s %-38s %-16s %11.3f %11.3f %+6.1f %% %s\n", point.gpu->name, point.what, point.source,
                    point.measured * 1e3, point.estimated * 1e3, (point.estimated / point.measured - 1) * 100,
                    part_name(point.part));
    fprintf(stream, "\nMedian error of the points that it was not fitted on: %.1f %%; of those that it was fitted on: %.1f %%.\n",
            published_error(PUBLISHED_UNSEEN) * 100, published_error(PUBLISHED_FITTED) * 100);
}
