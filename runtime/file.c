/* Files mapped for reading, and what happens when somebody cuts one off meanwhile.
 *
 * A read past the new end of a mapped file raises SIGBUS. No check beforehand can exclude that, so a handler puts zeros where the
 * bytes were and notes it; osp_file_unchanged tells. It touches only faults inside files mapped here and hands every other one to
 * the handler that was there before. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The guard ---------------------------------------------------------------------------------- */

enum { MAPS = 1024 };

static struct {
    atomic_uintptr_t from, to; /* from 0: a free slot */
    atomic_bool torn;
} maps[MAPS];

static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER; /* held to claim a slot; the handler only reads */
static struct sigaction before_us;
static uintptr_t page_size;

/* Puts zeros from the faulting page to the end of the map it belongs to; false: not a file of ours. */
static bool mend(uintptr_t address)
{
    for (int i = 0; i < MAPS; i++) {
        uintptr_t from = atomic_load(&maps[i].from), to = atomic_load(&maps[i].to);
        if (from == 0 || address < from || address >= to)
            continue;
        uintptr_t page = address & ~(page_size - 1);
        void *zeros = mmap((void *)page, to - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        atomic_store(&maps[i].torn, true);
        return zeros != MAP_FAILED;
    }
    return false;
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
    static _Thread_local volatile sig_atomic_t inside; /* a handler set after ours may call ours, and ours calls it */
    int kept = errno;
    bool fault = info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR; /* not one that a process sent */
    bool mended = fault && mend((uintptr_t)info->si_addr);
    errno = kept;
    if (mended)
        return;
    bool again = inside;
    inside = 1;
    if (!again && before_us.sa_flags & SA_SIGINFO) {
        before_us.sa_sigaction(signal_number, info, context);
    } else if (!again && before_us.sa_handler != SIG_DFL && before_us.sa_handler != SIG_IGN) {
        before_us.sa_handler(signal_number);
    } else if (again || fault || before_us.sa_handler == SIG_DFL) {
        signal(signal_number, SIG_DFL);
        raise(signal_number); /* blocked until this handler returns */
    }
    inside = again;
}

/* Looked at with every map, since a program may set a handler of its own at any time. Called with maps_lock held. */
static void install_guard(void)
{
    struct sigaction ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK}, found;
    sigemptyset(&ours.sa_mask);
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigaction(SIGBUS, NULL, &found);
    if ((found.sa_flags & SA_SIGINFO) && found.sa_sigaction == on_sigbus)
        return;
    before_us = found;
    sigaction(SIGBUS, &ours, NULL);
}

static int guard(const void *data, size_t size)
{
    int slot = 0;
    pthread_mutex_lock(&maps_lock);
    install_guard();
    while (slot < MAPS && atomic_load(&maps[slot].from) != 0)
        slot++;
    if (slot < MAPS) {
        atomic_store(&maps[slot].torn, false);
        atomic_store(&maps[slot].to, (uintptr_t)data + size);
        atomic_store(&maps[slot].from, (uintptr_t)data);
    }
    pthread_mutex_unlock(&maps_lock);
    return slot < MAPS ? slot : -1;
}

/* ---- Mapping ------------------------------------------------------------------------------------ */

static int64_t modified(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec; }

const char *osp_file_type(unsigned mode)
{
    return S_ISREG(mode)    ? "a regular file"
           : S_ISDIR(mode)  ? "a folder"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static osp_status open_for_reading(const char *path, int *out)
{
    int fd; /* O_NONBLOCK: opening a FIFO must not wait for a writer */
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    int reason = errno;
    struct stat st;
    if (fd < 0 && reason == ENXIO && stat(path, &st) == 0) /* a socket cannot even be opened */
        return osp_fail(OSP_UNREADABLE, "%s: found %s, allowed: a regular file", path, osp_file_type(st.st_mode));
    if (fd < 0)
        return osp_fail(OSP_UNREADABLE, "%s: %s", path, strerror(reason));
    *out = fd;
    return OSP_OK;
}

/* path and fd are set. */
static osp_status map_open_file(struct osp_file *file)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0)
        return osp_fail(OSP_UNREADABLE, "%s: %s", file->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return osp_fail(OSP_UNREADABLE, "%s: found %s, allowed: a regular file", file->path, osp_file_type(st.st_mode));
    size_t size = (size_t)st.st_size;
    file->modified = modified(&st);
    if (size == 0)
        return OSP_OK;

    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (data == MAP_FAILED)
        return osp_fail(errno == ENOMEM || errno == EOVERFLOW ? OSP_MEMORY : OSP_UNREADABLE,
                        "%s: its %zu bytes cannot be mapped: %s", file->path, size, strerror(errno));
    file->data = data;
    file->size = size;
    file->slot = guard(data, size);
    if (file->slot < 0)
        return osp_fail(OSP_MEMORY, "%s: %d files are mapped already, allowed at most %d", file->path, MAPS, MAPS);
    return OSP_OK;
}

osp_status osp_file_map(const char *path, struct osp_file *out)
{
    struct osp_file file = {.path = strdup(path), .slot = -1};
    if (!file.path)
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes for its name", path, strlen(path) + 1);
    osp_status status = open_for_reading(path, &file.fd);
    if (status != OSP_OK) {
        free(file.path);
        return status;
    }
    status = map_open_file(&file);
    if (status != OSP_OK)
        osp_file_unmap(&file);
    else
        *out = file;
    return status;
}

void osp_file_unmap(struct osp_file *file)
{
    if (!file->path)
        return;
    if (file->slot >= 0)
        atomic_store(&maps[file->slot].from, 0);
    if (file->data)
        munmap((void *)file->data, file->size);
    close(file->fd);
    free(file->path);
    *file = (struct osp_file){.slot = -1};
}

/* Where the system declines, the memory stays in use, which harms nobody. */
void osp_file_give_back(const struct osp_file *file)
{
    if (file->data)
        madvise((void *)file->data, file->size, MADV_DONTNEED);
}

osp_status osp_file_unchanged(const struct osp_file *file)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0)
        return osp_fail(OSP_UNREADABLE, "%s: %s", file->path, strerror(errno));
    bool torn = file->slot >= 0 && atomic_load(&maps[file->slot].torn);
    if ((uint64_t)st.st_size != file->size)
        return osp_fail(OSP_REFUSED,
                        "%s: the file changed while it was in use: found %lld bytes, allowed the %zu that it had when opened",
                        file->path, (long long)st.st_size, file->size);
    if (torn)
        return osp_fail(OSP_REFUSED,
                        "%s: a part of the file could not be read while it was in use: it was cut off, or its disk failed",
                        file->path);
    if (modified(&st) != file->modified)
        return osp_fail(OSP_REFUSED,
                        "%s: the file was written to while it was in use; allowed is only a file that stays as it is",
                        file->path);
    return OSP_OK;
}
