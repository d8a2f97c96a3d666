#include "scratch.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/file.h"

static char folder[] = "/tmp/osprey-test-XXXXXX";

char *at(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void put_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

char *get_file(const char *path, size_t *size)
{
    struct osp_file file;
    if (osp_file_map(path, &file) != OSP_OK)
        fail_msg("%s", osp_message());
    char *text = malloc(file.size + 1);
    assert_non_null(text);
    if (file.size)
        memcpy(text, file.data, file.size);
    text[file.size] = 0;
    if (size)
        *size = file.size;
    osp_file_unmap(&file);
    return text;
}

void copy_file(const char *from, const char *to)
{
    size_t size;
    char *data = get_file(from, &size);
    put_file(to, data, size);
    free(data);
}

static int is_entry(const struct dirent *entry) { return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0; }

int entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += is_entry(entry);
    closedir(dir);
    return count;
}

static void empty(const char *path)
{
    char name[1024];
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!is_entry(entry))
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0) { /* a folder */
            empty(name);
            rmdir(name);
        }
    }
    if (dir)
        closedir(dir);
}

int scratch_begin(void **state) { return mkdtemp(folder) ? 0 : -1; }

int scratch_empty(void **state)
{
    empty(folder);
    return 0;
}

int scratch_end(void **state)
{
    empty(folder);
    return rmdir(folder);
}
