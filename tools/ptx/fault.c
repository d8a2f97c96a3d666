/* Faults: what happened, where, to whom; and the slow look at addresses that are not plainly fine. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const NAMES[PTX_FAULT_KINDS] = {
    [PTX_OK] = "no fault",
    [PTX_OUT_OF_RANGE] = "address out of range",
    [PTX_USE_AFTER_FREE] = "use after free",
    [PTX_HOST_ADDRESS] = "host address",
    [PTX_MISALIGNED] = "misaligned address",
    [PTX_UNINITIALISED] = "uninitialised shared memory",
    [PTX_PENDING_COPY] = "unfinished cp.async",
    [PTX_READ_ONLY] = "store to read-only memory",
    [PTX_DIVERGENT_BARRIER] = "divergent barrier",
    [PTX_BAD_MASK] = "bad lane mask",
    [PTX_TRAP] = "trap",
    [PTX_BAD_OPERAND] = "bad operand",
    [PTX_BAD_LAUNCH] = "bad launch",
    [PTX_BAD_POINTER] = "bad pointer",
    [PTX_NO_MEMORY] = "out of memory",
    [PTX_STOPPED] = "stopped",
};

const char *ptx_fault_name(enum ptx_fault_kind kind) { return (unsigned)kind < PTX_FAULT_KINDS ? NAMES[kind] : "unknown fault"; }

const struct insn *ptx_fault_lane(struct warp *w, const struct insn *i, enum ptx_fault_kind kind, int lane, uint64_t address,
                                  uint32_t bytes, const char *what, ...)
{
    struct block *b = w->block;
    struct ptx_fault *f = b->fault;
    const struct where *where = &b->kernel->where[i->at < b->kernel->where_count ? i->at : b->kernel->where_count - 1];
    const uint32_t *n = b->config->block, thread = w->index * LANES + (uint32_t)lane;
    char text[256];
    va_list list;
    if (f->kind != PTX_OK)
        return NULL;
    va_start(list, what);
    vsnprintf(text, sizeof text, what, list);
    va_end(list);
    f->kind = kind;
    f->line = where->line;
    f->address = address;
    f->bytes = bytes;
    snprintf(f->kernel, sizeof f->kernel, "%s", b->kernel->info.name);
    lex_line(where->text, b->kernel->text_end, f->text, sizeof f->text);
    memcpy(f->block, b->index, sizeof f->block);
    f->thread[0] = thread % n[0];
    f->thread[1] = thread / n[0] % n[1];
    f->thread[2] = thread / n[0] / n[1];
    snprintf(f->message, sizeof f->message, "%s: %s; kernel %.80s, PTX line %d: %s block (%u,%u,%u) thread (%u,%u,%u)",
             ptx_fault_name(kind), text, f->kernel, f->line, f->text, f->block[0], f->block[1], f->block[2], f->thread[0],
             f->thread[1], f->thread[2]);
    return NULL;
}

bool ptx_reach_global(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    struct ptx_span *span = &w->block->spans[i->slot];
    char text[256];
    for (int l = 0; l < LANES; l++) {
        const uint64_t a = address[l];
        if (!(lanes >> l & 1) || (a >= span->low && a < span->high && span->high - a >= bytes))
            continue;
        int kind = ptx_memory_span(w->block->memory, a, bytes, span, text, sizeof text);
        if (kind != PTX_OK)
            return ptx_fault_lane(w, i, kind, l, a, bytes, "%s", text) != NULL;
    }
    return true;
}

/* Shared, local and parameter memory: offsets below a size. */
static bool below(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes, uint64_t size,
                  const char *of)
{
    for (int l = 0; l < LANES; l++)
        if ((lanes >> l & 1) && (address[l] > size || size - address[l] < bytes))
            return ptx_fault_lane(w, i, PTX_OUT_OF_RANGE, l, address[l], bytes, "%u bytes at 0x%llx, and the %s has %llu bytes",
                                  bytes, (unsigned long long)address[l], of, (unsigned long long)size) != NULL;
    return true;
}

bool ptx_reach_shared(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    return below(w, i, lanes, address, bytes, w->block->shared_bytes, "block's shared memory");
}

bool ptx_reach_local(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    return below(w, i, lanes, address, bytes, w->block->local_bytes, "thread's local memory");
}

bool ptx_reach_param(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    return below(w, i, lanes, address, bytes, w->block->param_bytes, "kernel's parameter block");
}

bool ptx_reach_misaligned(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    for (int l = 0; l < LANES; l++)
        if ((lanes >> l & 1) && address[l] % bytes)
            return ptx_fault_lane(w, i, PTX_MISALIGNED, l, address[l], bytes, "0x%llx is not a multiple of %u",
                                  (unsigned long long)address[l], bytes) != NULL;
    return true;
}

bool ptx_reach_unset(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    for (int l = 0; l < LANES; l++) {
        for (uint32_t k = 0; (lanes >> l & 1) && k < bytes; k++) {
            const uint8_t s = w->block->shadow[address[l] + k];
            const unsigned long long at = address[l] + k;
            if (s == SHADOW_PENDING)
                return ptx_fault_lane(w, i, PTX_PENDING_COPY, l, at, bytes,
                                      "shared byte 0x%llx is the destination of a cp.async that no wait has covered", at) != NULL;
            if (s == SHADOW_EMPTY)
                return ptx_fault_lane(w, i, PTX_UNINITIALISED, l, at, bytes,
                                      "nothing in this block has written shared byte 0x%llx", at) != NULL;
        }
    }
    return true;
}

bool ptx_reach_read_only(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes)
{
    return ptx_fault_lane(w, i, PTX_READ_ONLY, first_lane(lanes), address[first_lane(lanes)], bytes,
                          "a kernel's parameters cannot be written") != NULL;
}
