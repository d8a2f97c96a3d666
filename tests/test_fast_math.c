/* No approximate arithmetic in any kernel that the program holds (DESIGN 3): the PTX of every fat binary in build/osprey is
 * looked through for .approx, .ftz and .full, which nvcc writes for __expf, -use_fast_math and the like. Their bits differ from
 * GPU to GPU and from the cpu's. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const fast[] = {".approx", ".ftz", ".full"};

struct findings {
    int images, texts, kernels, count;
    char first[512];
};

static void find(struct findings *findings, const char *kernel, const char *line)
{
    if (findings->count++ == 0)
        snprintf(findings->first, sizeof findings->first, "%s: %s", kernel, line + strspn(line, " \t"));
}

/* One module. Comments do not count. */
static void search_text(struct findings *findings, const char *text, size_t size)
{
    char kernel[128] = "outside of any kernel", line[1024];
    findings->texts++;
    for (const char *end = text + size; text < end && *text;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + 1;
        line[strcspn(line, "\r")] = 0;
        char *comment = strstr(line, "//"), *entry = strstr(line, ".entry ");
        if (comment)
            *comment = 0;
        if (entry && sscanf(entry, ".entry %127[A-Za-z0-9_$]", kernel) == 1)
            findings->kernels++;
        bool guilty = false;
        for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
            guilty = guilty || strstr(line, fast[i]);
        if (guilty)
            find(findings, kernel, line);
    }
}

/* Fat binaries lie at multiples of 16 (kernels/image.c). Their fields: tools/ptx/fatbin.c. Those that are not whole, or whose PTX
 * is compressed and so cannot be looked at, are findings too. */
static void search_program(struct findings *findings, const unsigned char *data, size_t size)
{
    static const unsigned char head[8] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0};
    enum { FILE_HEADER = 16, ENTRY_HEADER = 48, PTX = 1 };
    for (size_t at = 0; at + FILE_HEADER <= size; at += 16) {
        uint64_t left;
        if (memcmp(data + at, head, sizeof head) != 0)
            continue;
        findings->images++;
        memcpy(&left, data + at + 8, 8);
        const unsigned char *p = data + at + FILE_HEADER;
        if (left > size - at - FILE_HEADER)
            find(findings, "a fat binary", "it ends after the program");
        while (left >= ENTRY_HEADER && left <= size - (size_t)(p - data)) {
            uint16_t kind;
            uint32_t header, compressed;
            uint64_t bytes;
            memcpy(&kind, p, 2);
            memcpy(&header, p + 4, 4);
            memcpy(&bytes, p + 8, 8);
            memcpy(&compressed, p + 16, 4);
            if (header < ENTRY_HEADER || header > left || bytes > left - header) {
                find(findings, "a fat binary", "an entry that is not whole");
                break;
            }
            if (kind == PTX && compressed)
                find(findings, "a fat binary", "its PTX is compressed");
            else if (kind == PTX)
                search_text(findings, (const char *)p + header, bytes);
            p += header + bytes;
            left -= header + bytes;
        }
    }
}

static unsigned char *read_program(size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/osprey", getenv("BUILD") ? getenv("BUILD") : "build");
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

/* Kernel files, kernels/OP/NN_idea.cu. */
static int kernel_files(void)
{
    int count = 0;
    DIR *ops = opendir(OSP_SOURCE "/kernels");
    assert_non_null(ops);
    for (struct dirent *op; (op = readdir(ops));) {
        char path[1024];
        snprintf(path, sizeof path, OSP_SOURCE "/kernels/%s", op->d_name);
        DIR *folder = op->d_name[0] == '.' ? NULL : opendir(path);
        for (struct dirent *file; folder && (file = readdir(folder));)
            count += strlen(file->d_name) > 3 && !strcmp(file->d_name + strlen(file->d_name) - 3, ".cu");
        if (folder)
            closedir(folder);
    }
    closedir(ops);
    return count;
}

static void test_program(void **state)
{
    struct findings findings = {0};
    size_t size;
    unsigned char *data = read_program(&size);
    search_program(&findings, data, size);
    free(data);
    if (!findings.images) {
        print_message("NOT RUN: the program holds no kernels, for want of nvcc\n");
        skip();
    }
    if (findings.count)
        fail_msg("%d places, the first in %s", findings.count, findings.first);
    assert_int_equal(findings.images, kernel_files());
    assert_int_equal(findings.texts, 3 * findings.images); /* compute_75, 80 and 90 */
    print_message("%d modules of %d files, %d kernels\n", findings.texts, findings.images, findings.kernels);
}

/* ---- What must be found ---------------------------------------------------------------------------------------- */

static struct findings search_made(const char *text, uint32_t compressed, uint64_t missing)
{
    unsigned char made[1024] = {0}, *file = made + 32; /* at a place of its own in the program */
    static const unsigned char head[8] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0};
    struct findings findings = {0};
    const uint64_t bytes = strlen(text) + 1, entries = 48 + bytes + missing;
    const uint32_t header = 48;
    assert_true(bytes < 800);
    memcpy(file, head, sizeof head);
    memcpy(file + 8, &entries, 8);
    file[16] = 1;
    memcpy(file + 16 + 4, &header, 4);
    memcpy(file + 16 + 8, &bytes, 8);
    memcpy(file + 16 + 16, &compressed, 4);
    memcpy(file + 16 + 48, text, bytes);
    search_program(&findings, made, sizeof made);
    assert_int_equal(findings.images, 1);
    return findings;
}

static void test_planted(void **state)
{
    static const char *const lines[] = {"ex2.approx.f32 %f1, %f2;",    "ex2.approx.ftz.f32 %f1, %f2;",
                                        "div.full.f32 %f1, %f2, %f3;", "mul.ftz.f32 %f1, %f2, %f3;",
                                        "rsqrt.approx.f32 %f1, %f2;",  "sqrt.approx.ftz.f32 %f1, %f2;"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 ".version 9.0\n.target sm_80\n.visible .entry guilty(\n)\n{\n\tmov.f32 %%f2, 0f40000000;\n\t%s\n\tret;\n}\n",
                 lines[i]);
        struct findings findings = search_made(text, 0, 0);
        assert_int_equal(findings.count, 1);
        if (!strstr(findings.first, lines[i]) || !strstr(findings.first, "guilty"))
            fail_msg("said %s", findings.first);
    }
    struct findings right = search_made(
        ".entry fine()\n{\n// no ex2.approx.f32 here\n\tdiv.rn.f32 %f1, %f2, %f3; fma.rn.f32 %f1, %f1, %f2, %f3;\n}\n", 0, 0);
    assert_int_equal(right.count, 0);
    assert_int_equal(right.kernels, 1);
    assert_int_equal(search_made("whatever", 99, 0).count, 1);
    assert_int_equal(search_made("whatever", 0, 4096).count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_program), cmocka_unit_test(test_planted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
