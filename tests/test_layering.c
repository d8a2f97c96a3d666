/* The layering rule of the tree: who may include whom, who may print or exit, how long a file may be. The checker runs over the
 * real tree, which must be clean, and over small trees with one planted violation each, which it must report. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONGEST_FILE = 500, LONGEST_RUNG = 150, MAX_REPORTS = 64 };

struct report {
    int count;
    char line[MAX_REPORTS][512];
};

static void complain(struct report *report, const char *file, int line, const char *what, const char *detail)
{
    if (report->count < MAX_REPORTS)
        snprintf(report->line[report->count], sizeof report->line[0], "%s:%d: %s%s", file, line, what, detail);
    report->count++;
}

/* Who may include what: `may` lists folders (ending in '/') and single headers. The first rule whose prefix fits a file counts.
 */
static const struct {
    const char *from;
    const char *may[8];
} arrows[] = {
    {"runtime/", {"runtime/"}},
    {"models/", {"models/", "runtime/osprey.h", "runtime/build.h", "runtime/safetensors.h", "runtime/ops.h"}},
    {"cpu/", {"cpu/", "runtime/backend.h", "runtime/ops.h", "runtime/ops.def"}},
    {"kernels/emu/", {"kernels/emu/"}},
    {"kernels/", {"kernels/", "runtime/backend.h", "runtime/ops.h", "runtime/ops.def"}},
    {"tools/image/", {"tools/image/", "runtime/osprey.h", "runtime/file.h"}},
    {"tools/ptx/", {"tools/ptx/"}},
    {"tools/ladder/", /* runs rungs by themselves, as a plan does */
     {"tools/", "runtime/osprey.h", "runtime/file.h", "runtime/backend.h", "runtime/ops.h", "runtime/constant.h",
      "runtime/shape.h", "runtime/plan.h"}},
    {"tools/measure/tune", {"tools/", "runtime/osprey.h", "runtime/file.h", "runtime/tune.h"}},
    {"tools/", {"tools/", "models/zoo.h", "runtime/osprey.h", "runtime/file.h", "runtime/safetensors.h"}},
    {"tests/", {""}},
};

static int starts(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

static int allowed(const char *from, const char *target)
{
    for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++) {
        if (!starts(from, arrows[i].from))
            continue;
        for (int k = 0; k < 8 && arrows[i].may[k]; k++) {
            const char *may = arrows[i].may[k];
            size_t length = strlen(may);
            if (!length || (may[length - 1] == '/' ? starts(target, may) : !strcmp(target, may)))
                return 1;
        }
        return 0;
    }
    return 1;
}

/* The path, from the root, of what #include "name" in `file` means: beside the file, else from the root. */
static void resolve(const char *root, const char *file, const char *name, char out[1024])
{
    char beside[1024], path[2048];
    struct stat info;
    const char *slash = strrchr(file, '/');
    snprintf(beside, sizeof beside, "%.*s%s", slash ? (int)(slash - file + 1) : 0, file, name);
    for (char *up; (up = strstr(beside, "/../")) != NULL;) { /* a/b/../c is a/c */
        char *before = up;
        while (before > beside && before[-1] != '/')
            before--;
        memmove(before, up + 4, strlen(up + 4) + 1);
    }
    snprintf(path, sizeof path, "%s/%s", root, beside);
    snprintf(out, 1024, "%s", name[0] == '.' || stat(path, &info) == 0 ? beside : name);
}

/* Is `word` in the line as a whole word that is called: exit(...)? */
static int calls(const char *line, const char *word)
{
    for (const char *at = line; (at = strstr(at, word)) != NULL; at += strlen(word)) {
        char before = at == line ? ' ' : at[-1], after = at[strlen(word)];
        if (after == '(' && !(before == '_' || (before >= 'a' && before <= 'z') || (before >= '0' && before <= '9')))
            return 1;
    }
    return 0;
}

static int names_a_backend(const char *line)
{
    return strstr(line, "\"cpu") || strstr(line, "\"cuda") || strstr(line, "\"emu") || strstr(line, "cpu_") ||
           strstr(line, "cuda_");
}

static void check_line(const char *root, const char *file, int number, const char *line, struct report *report)
{
    char name[512], target[1024];
    int program = (starts(file, "tools/") && !starts(file, "tools/image/")) || starts(file, "tests/");
    if (sscanf(line, " # include \"%511[^\"]\"", name) == 1) {
        resolve(root, file, name, target);
        if (!allowed(file, target))
            complain(report, file, number, "may not include ", target);
    }
    int comment = starts(line + strspn(line, " "), "*");
    if (!program && !comment &&
        (calls(line, "printf") || calls(line, "exit") || calls(line, "abort") || calls(line, "puts") || calls(line, "assert")))
        complain(report, file, number, "library code prints or ends the program: ", line);
    if (strstr(line, "#ifdef WITH_") && strcmp(file, "runtime/backends.c") && !starts(file, "tests/"))
        complain(report, file, number, "WITH_* belongs in runtime/backends.c", "");
    if (starts(file, "models/") && names_a_backend(line))
        complain(report, file, number, "a network names a backend: ", line);
}

/* A rung of a ladder: OP/NN_NAME.c or .cu; what belongs to one but is another file (.simd.c) is not. */
static int is_rung(const char *file)
{
    const char *name = strrchr(file, '/') + 1, *dot = strchr(name, '.');
    return (starts(file, "cpu/") || starts(file, "kernels/")) && strspn(name, "0123456789") == 2 && name[2] == '_' &&
           (!strcmp(dot, ".c") || !strcmp(dot, ".cu"));
}

/* The story that a rung begins with: these words, each at the beginning of a line, in this order. */
static const char *const story[] = {" * CHANGE  ", " * FASTER  ", " * LIMIT   ", " * NEEDS   "};
enum { STORY = sizeof story / sizeof *story };

static void check_file(const char *root, const char *file, struct report *report)
{
    char path[2048], *line = NULL;
    size_t room = 0;
    int number = 0, told = 0;
    snprintf(path, sizeof path, "%s/%s", root, file);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    while (getline(&line, &room, stream) > 0) {
        line[strcspn(line, "\n")] = 0;
        check_line(root, file, ++number, line, report);
        told += told < STORY && starts(line, story[told]);
    }
    if (is_rung(file) && told < STORY)
        complain(report, file, 1, "its story lacks, or has not in its place, the line that begins with", story[told]);
    if (is_rung(file) && number > LONGEST_RUNG)
        complain(report, file, number, "a rung has at most 150 lines", "");
    if (number > LONGEST_FILE)
        complain(report, file, number, "a file has at most 500 lines", "");
    free(line);
    fclose(stream);
}

static int is_source(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcmp(dot, ".c") || !strcmp(dot, ".h") || !strcmp(dot, ".cu") || !strcmp(dot, ".cpp"));
}

static int check_folder(const char *root, const char *folder, struct report *report)
{
    char path[2048];
    int files = 0;
    snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char name[1024];
        struct stat info;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        snprintf(path, sizeof path, "%s/%s", root, name);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            files += check_folder(root, name, report);
        else if (is_source(name)) {
            check_file(root, name, report);
            files++;
        }
    }
    if (dir)
        closedir(dir);
    return files;
}

static int check_tree(const char *root, struct report *report)
{
    static const char *const folders[] = {"runtime", "models", "cpu", "kernels", "tools", "tests"};
    int files = 0;
    report->count = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        files += check_folder(root, folders[i], report);
    return files;
}

static void the_tree_is_layered(void **state)
{
    struct report report;
    int files = check_tree(".", &report);
    for (int i = 0; i < report.count && i < MAX_REPORTS; i++)
        print_error("%s\n", report.line[i]);
    assert_int_equal(report.count, 0);
    assert_true(files > 60); /* it looked at the tree, not at nothing */
}

static void a_planted_violation_is_found(void **state)
{
    static const struct {
        const char *file, *text, *report;
    } planted[] = {
        {"runtime/x.c", "#include \"cpu/cpu.h\"\n", "may not include cpu/cpu.h"},
        {"runtime/x.c", "#include \"../models/zoo.h\"\n", "may not include models/zoo.h"},
        {"models/x.c", "#include \"runtime/backend.h\"\n", "may not include runtime/backend.h"},
        {"models/x.c", "#include \"tools/tools.h\"\n", "may not include tools/tools.h"},
        {"models/x.c", "return find(\"cpu\");\n", "a network names a backend"},
        {"cpu/conv2d/x.c", "#include \"runtime/graph.h\"\n", "may not include runtime/graph.h"},
        {"cpu/conv2d/x.c", "#include \"kernels/device.h\"\n", "may not include kernels/device.h"},
        {"kernels/conv2d/x.cu", "#include \"cpu/cpu.h\"\n", "may not include cpu/cpu.h"},
        {"kernels/emu/x.cpp", "#include \"runtime/ops.h\"\n", "may not include runtime/ops.h"},
        {"tools/x.c", "#include \"runtime/backend.h\"\n", "may not include runtime/backend.h"},
        {"tools/x.c", "#include \"cpu/cpu.h\"\n", "may not include cpu/cpu.h"},
        {"runtime/x.c", "    printf(\"hello\");\n", "prints or ends the program"},
        {"models/x.c", "    exit(1);\n", "prints or ends the program"},
        {"cpu/x.c", "#ifdef WITH_ONEDNN\n", "WITH_* belongs in runtime/backends.c"},
        {"kernels/nms/01_x.cu", "/* nms / x\n *\n * CHANGE  a FASTER  b\n * LIMIT   c\n * NEEDS   d\n */\n",
         "begins with * FASTER"},
        {"cpu/nms/01_x.c", "/* nms / x\n *\n * CHANGE  a\n * FASTER  b\n * LIMIT   c\n */\n", "begins with * NEEDS"},
    };
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        char root[] = "/tmp/osprey-layering-XXXXXX", path[256], command[1024];
        assert_non_null(mkdtemp(root));
        snprintf(path, sizeof path, "%s/%s", root, planted[i].file);
        snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\" %s/models %s/cpu", path, root, root);
        assert_int_equal(system(command), 0);
        FILE *stream = fopen(path, "w");
        assert_non_null(stream);
        fputs(planted[i].text, stream);
        fclose(stream);
        struct report report;
        check_tree(root, &report);
        if (report.count != 1 || !strstr(report.line[0], planted[i].report))
            print_error("%s with %s: %d reports, the first: %s\n", planted[i].file, planted[i].text, report.count,
                        report.count ? report.line[0] : "");
        snprintf(command, sizeof command, "rm -r '%s'", root);
        assert_int_equal(system(command), 0);
        assert_int_equal(report.count, 1);
        assert_non_null(strstr(report.line[0], planted[i].report));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_tree_is_layered), cmocka_unit_test(a_planted_violation_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
