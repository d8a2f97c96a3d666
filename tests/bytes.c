#include "tests/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *bytes_copy(const void *data, size_t size)
{
    uint8_t *copy = malloc(size + !size);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

uint8_t *bytes_of_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + !*size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static const char *status_name(osp_status status)
{
    return status == OSP_OK ? "ok" : status == OSP_REFUSED ? "refused" : status == OSP_UNREADABLE ? "unreadable" : "another";
}

static bool row_holds(const char *folder, const char *name, const char *status, const char *words,
                      osp_status (*open)(const char *path))
{
    char path[512];
    snprintf(path, sizeof path, OSP_SOURCE "/tests/hostile/%s/%s", folder, name);
    osp_status got = open(path);
    const char *said = got == OSP_OK ? "" : osp_message();
    bool right = strcmp(status_name(got), status) == 0 && (got == OSP_OK || (strstr(said, words) && strstr(said, name)));
    if (!right)
        print_error("%s: %s \"%s\", expected %s \"%s\"\n", name, status_name(got), said, status, words);
    return right;
}

int bytes_table(const char *table, const char *folder, osp_status (*open)(const char *path))
{
    char path[512], line[1024];
    int rows = 0, wrong = 0;
    snprintf(path, sizeof path, OSP_SOURCE "/tests/hostile/%s", table);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be opened", path);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        char *rest = line, *name = strsep(&rest, "\t"), *status = strsep(&rest, "\t"), *words = strsep(&rest, "\n");
        assert_non_null(words);
        wrong += !row_holds(folder, name, status, words, open);
        rows++;
    }
    fclose(file);
    assert_int_equal(wrong, 0);
    return rows;
}
