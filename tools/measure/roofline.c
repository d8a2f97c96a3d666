#include "roofline.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 16, RUNS = 6, FMA_DATA = 64 };
static const double fma_seconds = 0.01;                                             /* of a run */
static const size_t least_bytes = (size_t)64 << 20, most_bytes = (size_t)512 << 20; /* of both arrays */

static struct {
    int threads;
    const struct roofline_code *code;
    double flops, bytes;
} kept[KEPT];
static int kept_count;

static const struct roofline_code *find_code(const char *isa)
{
    static const struct roofline_code *const all[] = {&roofline_portable, &roofline_avx2, &roofline_avx512};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) { /* a library's own name may follow: "avx512, oneDNN 2.6.3" */
        size_t length = strlen(all[i]->isa);
        if (!strncmp(all[i]->isa, isa, length) && (!isa[length] || isa[length] == ','))
            return all[i];
    }
    return NULL;
}

/* All threads do so many rounds; FLOP/s. */
static double run_fma(const struct roofline_code *code, int threads, long rounds)
{
    double flop = 0, start = 0, end = 0;
#pragma omp parallel num_threads(threads) reduction(+ : flop)
    {
        float data[FMA_DATA];
        for (int i = 0; i < FMA_DATA; i++)
            data[i] = 0.5f;
#pragma omp barrier
#pragma omp master
        start = omp_get_wtime();
        flop = code->fma(rounds, data);
#pragma omp barrier
#pragma omp master
        end = omp_get_wtime();
    }
    return flop / (end - start);
}

static double measure_fma(const struct roofline_code *code, int threads)
{
    long rounds = 1000;
    double best = 0;
    while (rounds < 1L << 30 && (double)rounds * 192 / run_fma(code, 1, rounds) < fma_seconds)
        rounds *= 2;
    for (int i = 0; i < RUNS; i++)
        best = fmax(best, run_fma(code, threads, rounds));
    return best;
}

/* Each thread reads, or copies, its part of the arrays; bytes/s. */
static double run_memory(const struct roofline_code *code, int threads, float *a, float *b, size_t count, bool copy)
{
    double bytes = 0, start = 0, end = 0;
#pragma omp parallel num_threads(threads) reduction(+ : bytes)
    {
        size_t parts = (size_t)omp_get_num_threads(), part = (size_t)omp_get_thread_num();
        size_t first = count * part / parts, length = count * (part + 1) / parts - first;
        float sum = 0;
#pragma omp barrier
#pragma omp master
        start = omp_get_wtime();
        bytes = copy ? code->copy(b + first, a + first, length) : code->read(a + first, length, &sum);
#pragma omp barrier
#pragma omp master
        end = omp_get_wtime();
        if (sum != 0)
            a[first] = 0; /* never: it holds zeros, which the compiler does not know */
    }
    return bytes / (end - start);
}

/* Both arrays are touched first by those who will use them: that decides whose memory they lie in. */
static double measure_memory(const struct roofline_code *code, int threads)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t bytes = cache > 0 ? 4 * (size_t)cache : 0;
    bytes = bytes < least_bytes ? least_bytes : bytes > most_bytes ? most_bytes : bytes;
    size_t count = bytes / 2 / sizeof(float);
    float *a = malloc(bytes / 2), *b = malloc(bytes / 2);
    double best = NAN;
    if (a && b) {
#pragma omp parallel num_threads(threads)
        {
            size_t parts = (size_t)omp_get_num_threads(), part = (size_t)omp_get_thread_num();
            size_t first = count * part / parts, length = count * (part + 1) / parts - first;
            memset(a + first, 0, length * sizeof *a);
            memset(b + first, 0, length * sizeof *b);
        }
        best = 0;
        for (int i = 0; i < 2 * RUNS; i++)
            best = fmax(best, run_memory(code, threads, a, b, count, i % 2));
    }
    free(a);
    free(b);
    return best;
}

void roofline_measure(int threads, const char *isa, double *flops, double *bytes)
{
    const struct roofline_code *code = find_code(isa);
    *flops = *bytes = NAN;
    if (!code)
        return;
    for (int i = 0; i < kept_count; i++) {
        if (kept[i].code == code && kept[i].threads == threads) {
            *flops = kept[i].flops;
            *bytes = kept[i].bytes;
            return;
        }
    }
    *flops = measure_fma(code, threads);
    *bytes = measure_memory(code, threads);
    if (kept_count < KEPT) {
        kept[kept_count].threads = threads;
        kept[kept_count].code = code;
        kept[kept_count].flops = *flops;
        kept[kept_count++].bytes = *bytes;
    }
}

double roofline_share(const struct column *column, const struct layer *layer, double seconds)
{
    double least = fmax(2 * layer->macs_done / column->peak_flops, layer->bytes / column->peak_bytes);
    return isnan(column->peak_flops) || isnan(column->peak_bytes) || !(seconds > 0) ? NAN : least / seconds;
}
