/* Device memory: one reserved range of host addresses, handed out in ascending order and not handed out again while there is
 * fresh space, so that an address that was freed stays recognisable. The device address is the host address plus a constant. */
#include "internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 256, GAP = 256, FREED_REMEMBERED = 65536 };
static const uint64_t DEFAULT_CAPACITY = 16ull << 30;
static const uint64_t LARGEST_RANGE = 1ull << 40, SMALLEST_RANGE = 1ull << 26;

struct allocation {
    uint64_t start, bytes; /* start: offset in the range */
    bool freed;
};

struct ptx_memory {
    pthread_mutex_t lock;
    uint8_t *host;
    uint64_t range, capacity, fresh; /* below fresh all has been handed out once */
    uint64_t used, alive;
    struct allocation *list; /* by start */
    size_t count, room, freed;
};

int ptx_memory_new(uint64_t capacity, struct ptx_memory **out)
{
    struct ptx_memory *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return PTX_NO_MEMORY;
    m->capacity = capacity ? capacity : DEFAULT_CAPACITY;
    m->host = MAP_FAILED;
    for (m->range = LARGEST_RANGE; m->range >= SMALLEST_RANGE; m->range /= 2) {
        m->host = mmap(NULL, m->range, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (m->host != MAP_FAILED)
            break;
    }
    if (m->host == MAP_FAILED || pthread_mutex_init(&m->lock, NULL) != 0) {
        if (m->host != MAP_FAILED)
            munmap(m->host, m->range);
        free(m);
        return PTX_NO_MEMORY;
    }
    madvise(m->host, m->range, MADV_DONTDUMP);
    m->fresh = GAP;
    *out = m;
    return 0;
}

void ptx_memory_free(struct ptx_memory *m)
{
    if (!m)
        return;
    munmap(m->host, m->range);
    pthread_mutex_destroy(&m->lock);
    free(m->list);
    free(m);
}

static int refuse(struct ptx_fault *fault, enum ptx_fault_kind kind, uint64_t address, uint64_t bytes, const char *message)
{
    if (fault) {
        memset(fault, 0, sizeof *fault);
        fault->kind = kind;
        fault->address = address;
        fault->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
        snprintf(fault->message, sizeof fault->message, "%s", message);
    }
    return kind;
}

static uint64_t round_up(uint64_t value) { return (value + ALIGN - 1) / ALIGN * ALIGN; }

/* The last allocation that starts at or before an offset; count if there is none. */
static size_t before(const struct ptx_memory *m, uint64_t offset)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->list[middle].start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? m->count : low - 1;
}

static void forget_freed(struct ptx_memory *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++)
        if (!m->list[i].freed)
            m->list[kept++] = m->list[i];
    m->count = kept;
    m->freed = 0;
}

static bool insert(struct ptx_memory *m, size_t at, uint64_t start, uint64_t bytes)
{
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 64;
        struct allocation *list = realloc(m->list, room * sizeof *list);
        if (!list)
            return false;
        m->list = list;
        m->room = room;
    }
    memmove(m->list + at + 1, m->list + at, (m->count - at) * sizeof *m->list);
    m->list[at] = (struct allocation){.start = start, .bytes = bytes};
    m->count++;
    return true;
}

/* Fresh space if there is any; else the first hole among the living that is large enough. */
static bool place(struct ptx_memory *m, uint64_t bytes, uint64_t *start)
{
    uint64_t need = round_up(bytes) + GAP;
    if (need <= m->range - m->fresh) {
        if (!insert(m, m->count, m->fresh, bytes))
            return false;
        *start = m->fresh;
        m->fresh += need;
        return true;
    }
    forget_freed(m);
    uint64_t hole = GAP;
    for (size_t i = 0; i <= m->count; i++) {
        uint64_t end = i < m->count ? m->list[i].start : m->range;
        if (end >= hole && end - hole >= need) {
            *start = hole;
            return insert(m, i, hole, bytes);
        }
        if (i < m->count)
            hole = m->list[i].start + round_up(m->list[i].bytes) + GAP;
    }
    return false;
}

uint64_t ptx_alloc(struct ptx_memory *m, uint64_t bytes, struct ptx_fault *fault)
{
    char text[200];
    uint64_t start = 0;
    if (bytes == 0) {
        refuse(fault, PTX_BAD_LAUNCH, 0, 0, "an allocation of 0 bytes");
        return 0;
    }
    pthread_mutex_lock(&m->lock);
    bool fits = m->used <= m->capacity && bytes <= m->capacity - m->used;
    if (!fits || !place(m, bytes, &start)) {
        snprintf(text, sizeof text, "out of device memory: %llu bytes asked for, %llu of %llu in use", (unsigned long long)bytes,
                 (unsigned long long)m->used, (unsigned long long)m->capacity);
        pthread_mutex_unlock(&m->lock);
        refuse(fault, PTX_NO_MEMORY, 0, bytes, text);
        return 0;
    }
    m->used += bytes;
    m->alive++;
    pthread_mutex_unlock(&m->lock);
    memset(m->host + start, 0xff, bytes);
    return PTX_GLOBAL_BASE + start;
}

int ptx_free(struct ptx_memory *m, uint64_t address, struct ptx_fault *fault)
{
    if (address == 0)
        return 0;
    pthread_mutex_lock(&m->lock);
    size_t i = address < PTX_GLOBAL_BASE ? m->count : before(m, address - PTX_GLOBAL_BASE);
    if (i == m->count || m->list[i].start != address - PTX_GLOBAL_BASE || m->list[i].freed) {
        bool twice = i < m->count && m->list[i].start == address - PTX_GLOBAL_BASE;
        pthread_mutex_unlock(&m->lock);
        return refuse(fault, PTX_BAD_POINTER, address, 0,
                      twice ? "freed twice" : "what is freed is not the start of an allocation");
    }
    struct allocation *a = &m->list[i];
    uint64_t whole = a->bytes / 4096 * 4096;
    uint8_t *page = m->host + (a->start + 4095) / 4096 * 4096;
    a->freed = true;
    m->used -= a->bytes;
    m->alive--;
    m->freed++;
    if (whole > 4096)
        madvise(page, whole - 4096, MADV_DONTNEED);
    if (m->freed > FREED_REMEMBERED)
        forget_freed(m);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* What lies at an address: PTX_OK and the allocation, or why there is none, with a sentence in `text`. */
static int look_up(struct ptx_memory *m, uint64_t address, uint64_t bytes, struct allocation *out, char *text, size_t room)
{
    const unsigned long long at = address;
    if (address < PTX_GLOBAL_BASE || address - PTX_GLOBAL_BASE >= m->range) {
        bool host = address >= 65536 && address < PTX_GLOBAL_BASE;
        snprintf(text, room, host ? "0x%llx is an address of the host" : "no allocation at 0x%llx", at);
        return host ? PTX_HOST_ADDRESS : PTX_OUT_OF_RANGE;
    }
    uint64_t offset = address - PTX_GLOBAL_BASE;
    pthread_mutex_lock(&m->lock);
    size_t i = before(m, offset);
    struct allocation a = i < m->count ? m->list[i] : (struct allocation){0};
    pthread_mutex_unlock(&m->lock);
    if (a.bytes == 0) {
        snprintf(text, room, "no allocation at 0x%llx", at);
        return PTX_OUT_OF_RANGE;
    }
    const unsigned long long start = PTX_GLOBAL_BASE + a.start, size = a.bytes, past = offset - a.start;
    if (past >= a.bytes) {
        snprintf(text, room, "0x%llx is %llu bytes past the end of the allocation of %llu bytes at 0x%llx", at, past - size, size,
                 start);
        return PTX_OUT_OF_RANGE;
    }
    if (a.freed) {
        snprintf(text, room, "0x%llx lies in the allocation of %llu bytes at 0x%llx that was freed", at, size, start);
        return PTX_USE_AFTER_FREE;
    }
    if (bytes > a.bytes - past) {
        snprintf(text, room, "%llu bytes at 0x%llx run %llu bytes over the end of the allocation of %llu bytes at 0x%llx",
                 (unsigned long long)bytes, at, (unsigned long long)(bytes - (size - past)), size, start);
        return PTX_OUT_OF_RANGE;
    }
    *out = a;
    return PTX_OK;
}

int ptx_memory_span(struct ptx_memory *m, uint64_t address, uint64_t bytes, struct ptx_span *span, char *text, size_t room)
{
    struct allocation a;
    int kind = look_up(m, address, bytes, &a, text, room);
    if (kind == PTX_OK)
        *span = (struct ptx_span){.low = PTX_GLOBAL_BASE + a.start, .high = PTX_GLOBAL_BASE + a.start + a.bytes};
    return kind;
}

uint8_t *ptx_memory_base(struct ptx_memory *m) { return m->host; }

void *ptx_host(struct ptx_memory *m, uint64_t address, uint64_t bytes, struct ptx_fault *fault)
{
    char text[256];
    struct allocation a;
    int kind = look_up(m, address, bytes, &a, text, sizeof text);
    if (kind != PTX_OK) {
        refuse(fault, kind, address, bytes, text);
        return NULL;
    }
    return m->host + (address - PTX_GLOBAL_BASE);
}

bool ptx_find(struct ptx_memory *m, uint64_t address, uint64_t *start, uint64_t *bytes)
{
    char text[256];
    struct allocation a;
    if (look_up(m, address, 0, &a, text, sizeof text) != PTX_OK)
        return false;
    *start = PTX_GLOBAL_BASE + a.start;
    *bytes = a.bytes;
    return true;
}

uint64_t ptx_bytes_used(struct ptx_memory *m)
{
    pthread_mutex_lock(&m->lock);
    uint64_t used = m->used;
    pthread_mutex_unlock(&m->lock);
    return used;
}

uint64_t ptx_allocations(struct ptx_memory *m)
{
    pthread_mutex_lock(&m->lock);
    uint64_t alive = m->alive;
    pthread_mutex_unlock(&m->lock);
    return alive;
}

uint64_t ptx_bytes_capacity(struct ptx_memory *m) { return m->capacity; }
