/* The builds of the test kernels (emu.mk), and the lines of their source that a comment marks. */
#ifndef OSPREY_TESTS_EMU_BUILDS_H
#define OSPREY_TESTS_EMU_BUILDS_H

#include <stdbool.h>

#include "kernels/emu/emu_ctl.h"

/* "" or, "build", "/tests/emu/", name: where a file that emu.mk makes lies. */
const char *build_path(const char *name);

/* A symbol of the shared object of that name ("fast"). Fails the test when it is not there. */
void *build_symbol(const char *name, const char *symbol);
const struct emu_table *build_open(const char *name);

/* The checked builds of this machine, NULL-terminated: one for each compiler. Says on stdout which are missing. */
const char *const *builds_checked(void);

/* Whether a line of a file has a comment that begins with a word and has this number, or none, after it. */
bool line_marked(const char *file, int line, const char *word, int number);

#endif
