#include "builds.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const char *build_path(const char *name)
{
    static char path[1024];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/tests/emu/%s", build ? build : "build", name);
    return path;
}

void *build_symbol(const char *name, const char *symbol)
{
    char file[64];
    snprintf(file, sizeof file, "%s.so", name);
    const char *path = build_path(file);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    void *found = dlsym(library, symbol);
    if (!found)
        fail_msg("%s", dlerror());
    return found;
}

const struct emu_table *build_open(const char *name)
{
    const struct emu_table *(*get)(void);
    *(void **)&get = build_symbol(name, "emu_interface");
    const struct emu_table *emu = get();
    emu->see_through("kernels/device.h");
    emu->set_workers(1); /* one seed, one order */
    return emu;
}

const char *const *builds_checked(void)
{
    static const char *const all[] = {"check-g++", "check-clang++"};
    static const char *found[3];
    int count = 0;
    for (int i = 0; i < 2; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.so", all[i]);
        if (access(build_path(file), R_OK) == 0)
            found[count++] = all[i];
        else
            print_message("NOT RUN: %s: this compiler was not there when the tests were built\n", all[i]);
    }
    if (!count)
        fail_msg("no checked build of the test kernels in %s", build_path(""));
    found[count] = NULL;
    return found;
}

bool line_marked(const char *file, int line, const char *word, int number)
{
    char text[1024] = "", begin[64];
    FILE *stream = fopen(file, "r");
    if (!stream)
        return false;
    for (int i = 0; i < line; i++)
        if (!fgets(text, sizeof text, stream))
            text[0] = 0;
    fclose(stream);
    snprintf(begin, sizeof begin, "/* %s", word);
    char *at = strstr(text, begin);
    if (!at)
        return false;
    at += strlen(begin);
    if (number < 0)
        return at[0] == ' ';
    for (;;) {
        char *end;
        long marked = strtol(at, &end, 10);
        if (end == at)
            return false;
        if (marked == number)
            return true;
        at = end;
    }
}
