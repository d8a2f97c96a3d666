/* The program that opens runtime/osprey.h: the Makefile takes it out of the comment and builds it as a user would; here it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *build(void) { return getenv("BUILD") ? getenv("BUILD") : "build"; }

static void it_has_at_most_15_lines(void **state)
{
    char path[512], line[512];
    int lines = 0;
    snprintf(path, sizeof path, "%s/tests/example.c", build());
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    while (fgets(line, sizeof line, stream))
        lines++;
    fclose(stream);
    assert_in_range(lines, 8, 15);
}

static void it_finds_the_face(void **state)
{
    char command[1024], line[512] = "", more[512];
    snprintf(command, sizeof command, "ASAN_OPTIONS=detect_leaks=0 %s/tests/example models/demo/astronaut.png", build());
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    char *first = fgets(line, sizeof line, stream);
    assert_non_null(first);
    assert_string_equal(line, "face 0.998\n");
    assert_null(fgets(more, sizeof more, stream));
    assert_int_equal(pclose(stream), 0);
}

static void it_says_what_is_wrong(void **state)
{
    char command[1024], line[512] = "";
    snprintf(command, sizeof command, "ASAN_OPTIONS=detect_leaks=0 %s/tests/example nowhere.png 2>&1", build());
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    char *first = fgets(line, sizeof line, stream);
    assert_non_null(first);
    assert_non_null(strstr(line, "nowhere.png"));
    assert_int_not_equal(pclose(stream), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_at_most_15_lines), cmocka_unit_test(it_finds_the_face), cmocka_unit_test(it_says_what_is_wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
