/* For tests of the PTX interpreter: a module from text, buffers, a launch. */
#ifndef TESTS_PTX_RUN_H
#define TESTS_PTX_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ptx/ptx.h"

#define PTX_HEADER ".version 9.0\n.target sm_90\n.address_size 64\n"

struct machine {
    struct ptx_memory *memory;
    struct ptx_module *module;
    struct ptx_error error;
    struct ptx_fault fault;
    struct ptx_counters counters;
    struct ptx_launch_config config;
};

/* Failure is left to the caller: module NULL and error.message. */
static inline void machine_parse(struct machine *m, const char *text, size_t size)
{
    memset(m, 0, sizeof *m);
    assert_int_equal(ptx_memory_new(0, &m->memory), 0);
    ptx_module_parse(text, size, m->memory, &m->module, &m->error);
    m->config = (struct ptx_launch_config){.grid = {1, 1, 1}, .block = {32, 1, 1}, .workers = 2, .counters = &m->counters};
}

static inline void machine_open(struct machine *m, const char *text)
{
    machine_parse(m, text, strlen(text));
    if (!m->module)
        fail_msg("%s", m->error.message);
}

static inline char *file_text(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is missing", path);
    char *text = calloc(1, 1 << 22);
    *size = fread(text, 1, (1 << 22) - 1, f);
    fclose(f);
    return text;
}

static inline void machine_open_file(struct machine *m, const char *name)
{
    char path[512];
    size_t size;
    snprintf(path, sizeof path, "%s/tests/ptx/%s", OSP_SOURCE, name);
    char *text = file_text(path, &size);
    machine_parse(m, text, size);
    free(text);
    if (!m->module)
        fail_msg("%s: %s", name, m->error.message);
}

static inline void machine_close(struct machine *m)
{
    ptx_module_free(m->module);
    assert_int_equal(ptx_allocations(m->memory), 0);
    ptx_memory_free(m->memory);
}

/* A buffer on the device with these contents; NULL: as it was allocated. */
static inline uint64_t upload(struct machine *m, const void *data, size_t bytes)
{
    struct ptx_fault fault;
    uint64_t address = ptx_alloc(m->memory, bytes, &fault);
    assert_true(address != 0);
    if (data)
        memcpy(ptx_host(m->memory, address, bytes, &fault), data, bytes);
    return address;
}

static inline void *view(struct machine *m, uint64_t address)
{
    struct ptx_fault fault;
    void *host = ptx_host(m->memory, address, 0, &fault);
    assert_non_null(host);
    return host;
}

static inline int run_kernel(struct machine *m, const char *name, const void *params, size_t bytes)
{
    const struct ptx_kernel *kernel = ptx_module_kernel(m->module, name);
    assert_non_null(kernel);
    return ptx_launch(kernel, &m->config, params, bytes, m->memory, &m->fault);
}

static inline void run_clean(struct machine *m, const char *name, const void *params, size_t bytes)
{
    if (run_kernel(m, name, params, bytes) != PTX_OK)
        fail_msg("%s", m->fault.message);
}

static inline void run_faulty(struct machine *m, const char *name, const void *params, size_t bytes, enum ptx_fault_kind kind,
                              const char *words)
{
    const int got = run_kernel(m, name, params, bytes);
    if (got != (int)kind || !strstr(m->fault.message, words))
        fail_msg("%s: wanted '%s' with '%s', got '%s': %s", name, ptx_fault_name(kind), words,
                 ptx_fault_name((enum ptx_fault_kind)got), m->fault.message);
}

static inline uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 32 ^ *state << 13;
}

#endif
