/* What the two programs that test the emulator itself share: an emulator opened, arrays on its device, launches in one line. */
#ifndef OSPREY_TESTS_EMU_RIG_H
#define OSPREY_TESTS_EMU_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builds.h"

/* The build that the running test uses: a group runs once for each. */
extern const struct emu_table *emu;

#define MUST(call) assert_int_equal((call), EMU_OK)

static inline void *device_new(size_t bytes)
{
    void *pointer;
    MUST(emu->alloc(&pointer, bytes));
    return pointer;
}

static inline void *device_copy(const void *from, size_t bytes)
{
    void *pointer = device_new(bytes);
    MUST(emu->copy_to_device(pointer, from, bytes, NULL));
    return pointer;
}

/* Launches in the default stream: LAUNCH("name", blocks, threads, &x, &y) */
#define LAUNCH(name, blocks, threads, ...) launch_in(NULL, name, blocks, threads, (void *[]){__VA_ARGS__})
static inline emu_status launch_in(struct emu_stream *stream, const char *name, unsigned blocks, unsigned threads,
                                   void **arguments)
{
    return emu->launch(name, (unsigned[]){blocks, 1, 1}, (unsigned[]){threads, 1, 1}, 0, stream, arguments);
}

/* The first error of a kind. */
static inline struct emu_error error_of(const char *kind)
{
    struct emu_error error;
    for (int i = 0; emu->error(i, &error); i++)
        if (!strcmp(error.kind, kind))
            return error;
    for (int i = 0; emu->error(i, &error); i++)
        print_error("%s\n", error.text);
    fail_msg("no error of the kind %s", kind);
    return error;
}

/* Around each test: settings as at the start, one worker; nothing is left, and no error that it did not clear. */
int machine_begin(void **state);
int machine_begin_cores(void **state); /* with all workers */
int machine_end(void **state);

/* The tests on every build; how many failed. */
int machine_run(const char *name, const struct CMUnitTest *tests, size_t count);

#endif
