/* The program starts on any x86-64 processor: what runs before main has no instructions of AVX, though kernels do (kernels.mk).
 * And with no library that comes with a GPU: those are opened when they are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What objdump says of the program. */
static FILE *dump(const char *option)
{
    char command[1024];
    const char *build = getenv("BUILD");
    snprintf(command, sizeof command, "objdump %s --no-show-raw-insn '%s/osprey' 2>/dev/null", option, build ? build : "build");
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    return stream;
}

static void dump_end(FILE *stream)
{
    if (pclose(stream)) {
        print_message("NOT RUN: there is no objdump\n");
        skip();
    }
}

/* "0000000000401000 <_GLOBAL__sub_I_lines.cpp>:" opens a function, "  401004:\tmov    %rsp,%rbp" is an instruction of it. */
static int is_initialiser(const char *line) { return strstr(line, "<_GLOBAL__sub_I") || strstr(line, "<frame_dummy>"); }

static void initialisers_are_for_any_processor(void **state)
{
    char line[1024], function[256] = "";
    int initialisers = 0, vectors = 0, inside = 0;
    FILE *stream = dump("-d");
    while (fgets(line, sizeof line, stream)) {
        const char *instruction = strrchr(line, '\t');
        if (!instruction) {
            inside = strchr(line, '<') && is_initialiser(line);
            initialisers += inside;
            if (inside)
                snprintf(function, sizeof function, "%.*s", (int)strcspn(line, "\n"), line);
        } else if (inside && instruction[1] == 'v') {
            print_error("%s%s", function, instruction);
            vectors++;
        }
    }
    dump_end(stream);
    assert_true(initialisers > 0);
    assert_int_equal(vectors, 0);
}

static void no_library_of_cuda_is_needed(void **state)
{
    static const char *const theirs[] = {"libcu", "libnv", "libdnnl", NULL};
    char line[1024];
    int needed = 0, wrong = 0;
    FILE *stream = dump("-p");
    while (fgets(line, sizeof line, stream)) {
        if (!strstr(line, "  NEEDED "))
            continue;
        needed++;
        for (int i = 0; theirs[i]; i++)
            if (strstr(line, theirs[i])) {
                print_error("%s", line);
                wrong++;
            }
    }
    dump_end(stream);
    assert_true(needed > 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(initialisers_are_for_any_processor),
                                       cmocka_unit_test(no_library_of_cuda_is_needed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
