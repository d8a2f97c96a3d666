/* What is read out of machine code (its loops: test_sass_loops.c): against nvdisasm where there is one, of bytes that are no fat
 * binary; and how many blocks fit, against NVIDIA's own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/backend.h"
#include "scratch.h"
#include "tools/ladder/occupancy.h"
#include "tools/ladder/sass.h"

#if defined __has_include
#if __has_include(<cuda_occupancy.h>)
#define HAVE_OCCUPANCY 1
#endif
#endif

/* ---- The program's own kernels -------------------------------------------------------------------- */

static const struct osp_backend *emu(void)
{
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, "emu"))
            return osp_backends[i];
    fail_msg("there is no backend emu");
    return NULL;
}

static int has_code(const struct osp_code *code)
{
    if (!code->size)
        print_message("NOT RUN: machine code: built without nvcc\n");
    return code->size > 0;
}

/* Every file of kernels is there, and each kernel in it is a kernel. */
static void embedded(void **state)
{
    struct osp_code code;
    int files = 0, large = 0;
    for (; emu()->code(files, &code); files++) {
        struct sass_kernel *kernels;
        int count;
        assert_true(access(code.file, R_OK) == 0);
        if (!has_code(&code))
            return;
        if (sass_read(code.file, code.data, code.size, &kernels, &count))
            fail_msg("%s", osp_message());
        assert_true(count > 0);
        for (int i = 0; i < count; i++) {
            const struct sass_kernel *k = &kernels[i];
            assert_non_null(occupancy_limits_of(k->arch));
            assert_in_range(k->registers, 8, 255);
            assert_true(k->shared_bytes <= 48 << 10);
            assert_true(k->all.count > 10 && k->all.of[SASS_STG] > 0 && k->loop.count <= k->all.count);
            if (!strcmp(k->name, "conv2d_wide_large")) {
                assert_int_equal(k->shared_bytes, 18688); /* 16 x (33 + 32) float4 and 128 int4 */
                assert_int_equal(k->loop.of[SASS_FFMA] % 64, 0);
                large++;
            }
        }
        free(kernels);
    }
    assert_false(emu()->code(files, &code));
    assert_true(files > 20 && large >= 2);
}

/* ---- NVIDIA's programs ----------------------------------------------------------------------------- */

/* A program that `variable` names, or that is in CUDA's folder or in the PATH. False, and a word: it does not start. */
static bool find_program(const char *variable, const char *name, char out[512])
{
    char probe[600];
    const char *asked = getenv(variable);
    snprintf(out, 512, "/usr/local/cuda/bin/%s", name);
    if (asked || access(out, X_OK))
        snprintf(out, 512, "%s", asked ? asked : name);
    snprintf(probe, sizeof probe, "%s --version >/dev/null 2>&1", out);
    if (!system(probe))
        return true;
    print_message("NOT RUN: by %s: there is none in the PATH, nor in $%s\n", name, variable);
    return false;
}

/* ---- nvdisasm, of CUDA or of PyPI's nvidia-cuda-nvdisasm ------------------------------------------- */

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | p[bytes];
    return value;
}

/* What nvdisasm lists of one kernel: instructions by name, and whether the line before the one at `loop_at` is a label. */
struct listing {
    int of[SASS_CLASSES], count, label_at_loop;
};

static void list_line(struct listing *l, const char *line, size_t loop_at, int after_label)
{
    unsigned place;
    char text[160] = "", *word = text;
    if (sscanf(line, " /*%x*/ %159[^;]", &place, text) != 2)
        return;
    if (*word == '@')
        word += strcspn(word, " ") + strspn(word + strcspn(word, " "), " ");
    word[strcspn(word, " .;")] = 0;
    if (!strcmp(word, "NOP"))
        return;
    int class = 0;
    while (class < SASS_OTHER && strcmp(word, sass_class_name((enum sass_class) class)))
        class ++;
    if (!strcmp(word, "LD"))
        class = SASS_LDG;
    if (!strcmp(word, "HMMA") || !strcmp(word, "IMMA"))
        class = SASS_MMA;
    l->of[class]++;
    l->count++;
    l->label_at_loop |= place == loop_at && after_label;
}

static void compare(const char *program, const char *cubin, const struct sass_kernel *kernel)
{
    char command[1024], section[200], *line = NULL;
    size_t room = 0;
    int inside = 0, after_label = 0;
    struct listing l = {.count = 0};
    snprintf(command, sizeof command, "%s -c %s", program, cubin);
    snprintf(section, sizeof section, "\t.section\t.text.%s,", kernel->name);
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    while (getline(&line, &room, stream) > 0) {
        if (!strncmp(line, "\t.section\t", 10))
            inside = !strncmp(line, section, strlen(section));
        if (!inside)
            continue;
        list_line(&l, line, kernel->loop_at, after_label);
        after_label = line[0] == '.' && strstr(line, ":\n");
    }
    free(line);
    assert_int_equal(pclose(stream), 0);
    assert_int_equal(l.count, kernel->all.count);
    for (int i = 0; i < SASS_CLASSES; i++)
        if (l.of[i] != kernel->all.of[i])
            fail_msg("%s, sm_%d: %d %s, nvdisasm has %d", kernel->name, kernel->arch, kernel->all.of[i],
                     sass_class_name((enum sass_class)i), l.of[i]);
    if (kernel->loop.count && !l.label_at_loop)
        fail_msg("%s, sm_%d: nvdisasm has no label at the loop's start, 0x%zx", kernel->name, kernel->arch, kernel->loop_at);
}

static void disassembled(void **state)
{
    struct osp_code code;
    char program[512];
    if (!find_program("OSPREY_NVDISASM", "nvdisasm", program))
        return;
    for (int f = 0; emu()->code(f, &code); f++) {
        struct sass_kernel *kernels;
        int count, next = 0;
        if (!strstr(code.file, "conv2d/06") && !strstr(code.file, "conv2d/09") && !strstr(code.file, "conv2d/1") &&
            !strstr(code.file, "/nms/"))
            continue;
        if (!has_code(&code))
            return;
        assert_int_equal(sass_read(code.file, code.data, code.size, &kernels, &count), OSP_OK);
        for (size_t place = 16; place < code.size && next < count;) {
            const unsigned char *entry = code.data + place;
            size_t header = little(entry + 4, 4), bytes = little(entry + 8, 8);
            if (little(entry, 2) == 2) {
                put_file(at("k.cubin"), entry + header, bytes);
                for (int arch = kernels[next].arch; next < count && kernels[next].arch == arch; next++)
                    compare(program, at("k.cubin"), &kernels[next]);
            }
            place += header + bytes;
        }
        assert_int_equal(next, count);
        free(kernels);
    }
}

/* ---- The top direct convolution of f32 -------------------------------------------------------------- */

/* The one kernel conv2d_warp_large in a fat binary for `arch`: nine of ten instructions of its loop multiply and add, and nothing
 * is spilled. Returns whether it has that architecture. */
static bool is_dense(const char *file, const unsigned char *data, size_t size, int arch)
{
    struct sass_kernel *kernels;
    int count, seen = 0;
    if (sass_read(file, data, size, &kernels, &count))
        fail_msg("%s", osp_message());
    for (int i = 0; i < count; i++) {
        const struct sass_kernel *k = &kernels[i];
        if (k->arch != arch || strcmp(k->name, "conv2d_warp_large") != 0)
            continue;
        if (sass_share(&k->loop) < 0.9 || k->all.of[SASS_LDL] || k->all.of[SASS_STL])
            fail_msg("%s, sm_%d: %d FFMA of %d instructions in the loop; %d and %d of local memory", k->name, arch,
                     k->loop.of[SASS_FFMA], k->loop.count, k->all.of[SASS_LDL], k->all.of[SASS_STL]);
        seen++;
    }
    free(kernels);
    assert_true(seen <= 1);
    return seen;
}

/* The PTX of compute_80 that the program holds, assembled for sm_86 and put into a fat binary. Free it. */
static unsigned char *assemble(const char *ptxas, const struct osp_code *code, size_t *size)
{
    enum { HEADER = 16, ENTRY = 48 };
    char command[1400], *cubin;
    size_t place = HEADER, bytes = 0;
    while (place < code->size && (little(code->data + place, 2) != 1 || little(code->data + place + 28, 4) != 80))
        place += little(code->data + place + 4, 4) + little(code->data + place + 8, 8);
    assert_true(place < code->size);
    const char *ptx = (const char *)code->data + place + little(code->data + place + 4, 4);
    put_file(at("k.ptx"), ptx, strnlen(ptx, little(code->data + place + 8, 8)));
    snprintf(command, sizeof command, "%s -arch=sm_86 -o %s %s", ptxas, at("k.cubin"), at("k.ptx"));
    assert_int_equal(system(command), 0);
    cubin = get_file(at("k.cubin"), &bytes);
    unsigned char *fat = calloc(1, HEADER + ENTRY + bytes);
    assert_non_null(fat);
    const uint64_t all = ENTRY + bytes, each = bytes;
    memcpy(fat, code->data, HEADER);
    memcpy(fat + 8, &all, 8);
    fat[HEADER] = 2;
    fat[HEADER + 4] = ENTRY;
    memcpy(fat + HEADER + 8, &each, 8);
    fat[HEADER + 28] = 86;
    memcpy(fat + HEADER + ENTRY, cubin, bytes);
    free(cubin);
    *size = HEADER + ENTRY + bytes;
    return fat;
}

/* On sm_80 and on sm_86, for which an everyday build has no machine code. */
static void dense(void **state)
{
    struct osp_code code;
    char ptxas[512];
    for (int i = 0; emu()->code(i, &code) && !strstr(code.file, "conv2d/07_warp"); i++)
        ;
    if (!has_code(&code))
        return;
    assert_true(is_dense(code.file, code.data, code.size, 80));
    if (is_dense(code.file, code.data, code.size, 86) || !find_program("OSPREY_PTXAS", "ptxas", ptxas))
        return;
    size_t size;
    unsigned char *fat = assemble(ptxas, &code, &size);
    assert_true(is_dense("assembled for sm_86", fat, size, 86));
    free(fat);
}

/* ---- Bytes that are no fat binary ------------------------------------------------------------------ */

static void hostile_one(unsigned char *data, size_t size)
{
    struct sass_kernel *kernels;
    int count;
    unsigned char *exact = malloc(size ? size : 1); /* so that a sanitizer sees one byte too far */
    assert_non_null(exact);
    memcpy(exact, data, size);
    osp_status status = sass_read("F", exact, size, &kernels, &count);
    if (status == OSP_OK)
        free(kernels);
    else
        assert_true(status == OSP_REFUSED && !strncmp(osp_message(), "F: offset ", 10));
    free(exact);
}

static void hostile(void **state)
{
    struct osp_code code;
    struct sass_kernel *kernels;
    int count;
    for (int i = 0; emu()->code(i, &code) && !strstr(code.file, "scale/01"); i++)
        ;
    if (!has_code(&code))
        return;
    unsigned char *copy = malloc(code.size);
    assert_non_null(copy);
    memcpy(copy, code.data, code.size);
    for (size_t size = 0; size < code.size; size += size < 4096 ? 7 : 499)
        hostile_one(copy, size);
    for (size_t i = 0; i < 20000; i++) { /* a byte changed here and there */
        size_t place = (i * 7919 + i / 3) % code.size;
        copy[place] ^= (unsigned char)(1 + i % 255);
        hostile_one(copy, code.size);
        copy[place] = code.data[place];
    }
    copy[0] ^= 1;
    assert_int_equal(sass_read("F", copy, code.size, &kernels, &count), OSP_REFUSED);
    assert_non_null(strstr(osp_message(), "F: offset 0: a fat binary: found 0xba55ed51, allowed is 0xba55ed50"));
    assert_int_equal(sass_read("F", copy, 0, &kernels, &count), OSP_REFUSED);
    free(copy);
}

/* ---- Occupancy ------------------------------------------------------------------------------------- */

static void known_occupancy(void **state)
{
    struct occupancy o = occupancy_of(occupancy_limits_of(86), 256, 113, 8192);
    assert_int_equal(o.blocks, 2);
    assert_string_equal(o.limit, "registers");
    assert_true(o.warps == 16.0 / 48);
    o = occupancy_of(occupancy_limits_of(75), 32, 16, 0);
    assert_int_equal(o.blocks, 16);
    assert_string_equal(o.limit, "blocks");
    o = occupancy_of(occupancy_limits_of(80), 128, 32, 40 << 10);
    assert_int_equal(o.blocks, 4);
    assert_string_equal(o.limit, "shared");
    assert_int_equal(occupancy_of(occupancy_limits_of(86), 1024, 255, 0).blocks, 0);
    assert_null(occupancy_limits_of(42));
}

#ifdef HAVE_OCCUPANCY
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include <cuda_occupancy.h>
#pragma GCC diagnostic pop

static void against_nvidia(void **state)
{
    static const int archs[] = {75, 80, 86, 89, 90, 100, 120}, threads[] = {32, 64, 96, 128, 256, 512, 1024};
    for (size_t a = 0; a < sizeof archs / sizeof *archs; a++) {
        const struct occupancy_limits *limits = occupancy_limits_of(archs[a]);
        struct cudaOccDeviceProp device = {.computeMajor = archs[a] / 10,
                                           .computeMinor = archs[a] % 10,
                                           .maxThreadsPerBlock = 1024,
                                           .maxThreadsPerMultiprocessor = limits->warps * 32,
                                           .regsPerBlock = 65536,
                                           .regsPerMultiprocessor = 65536,
                                           .warpSize = 32,
                                           .sharedMemPerBlock = 48 << 10,
                                           .sharedMemPerMultiprocessor = (size_t)limits->shared_bytes,
                                           .numSms = 1,
                                           .sharedMemPerBlockOptin = (size_t)(limits->shared_bytes - limits->reserved_bytes),
                                           .reservedSharedMemPerBlock = (size_t)limits->reserved_bytes};
        struct cudaOccDeviceState setting = {.cacheConfig = CACHE_PREFER_SHARED, .carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED};
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
            for (int registers = 16; registers <= 255; registers += 7)
                for (int shared = 0; shared <= 48 << 10; shared += 1100) {
                    struct cudaOccFuncAttributes function = {.maxThreadsPerBlock = 1024,
                                                             .numRegs = registers,
                                                             .sharedSizeBytes = (size_t)shared,
                                                             .partitionedGCConfig = PARTITIONED_GC_OFF,
                                                             .shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN,
                                                             .maxDynamicSharedSizeBytes = 0};
                    struct cudaOccResult want;
                    assert_int_equal(cudaOccMaxActiveBlocksPerMultiprocessor(&want, &device, &function, &setting, threads[t], 0),
                                     0);
                    struct occupancy got = occupancy_of(limits, threads[t], registers, shared);
                    if (got.blocks != want.activeBlocksPerMultiprocessor)
                        fail_msg("sm_%d, %d threads, %d registers, %d bytes: %d blocks (%s), NVIDIA's header has %d", archs[a],
                                 threads[t], registers, shared, got.blocks, got.limit, want.activeBlocksPerMultiprocessor);
                }
    }
}
#else
static void against_nvidia(void **state) { print_message("NOT RUN: against cuda_occupancy.h: there is none\n"); }
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded),
        cmocka_unit_test_teardown(disassembled, scratch_empty),
        cmocka_unit_test_teardown(dense, scratch_empty),
        cmocka_unit_test(hostile),
        cmocka_unit_test(known_occupancy),
        cmocka_unit_test(against_nvidia),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
