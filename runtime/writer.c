/* Files written whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* Length of the folder part of a path, its last slash included; 0: the path is a bare name. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Creates an empty file beside writer->path that nobody else has, with the mode that a new file gets. */
static osp_status open_temporary(struct osp_writer *writer, int *fd)
{
    static atomic_uint number;
    size_t folder = folder_length(writer->path), size = folder + 64;
    writer->temporary = malloc(size);
    if (!writer->temporary)
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes for a name", writer->path, size);
    do {
        snprintf(writer->temporary, size, "%.*s.osprey-%ld-%u.tmp", (int)folder, writer->path, (long)getpid(),
                 atomic_fetch_add(&number, 1));
        *fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (*fd < 0 && (errno == EEXIST || errno == EINTR));
    if (*fd >= 0)
        return OSP_OK;
    osp_status status = osp_fail(OSP_UNWRITTEN, "%s: no file can be created beside it: %s", writer->path, strerror(errno));
    free(writer->temporary);
    writer->temporary = NULL;
    return status;
}

/* writer->path is set, links resolved. */
static osp_status open_stream(struct osp_writer *writer)
{
    struct stat st;
    bool exists = stat(writer->path, &st) == 0;
    if (!exists && errno != ENOENT)
        return osp_fail(OSP_UNWRITTEN, "%s: %s", writer->path, strerror(errno));
    if (exists && (S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISBLK(st.st_mode)))
        return osp_fail(OSP_UNWRITTEN, "%s: found %s, allowed: a regular file or a new name", writer->path,
                        osp_file_type(st.st_mode));

    int fd = -1;
    if (exists && !S_ISREG(st.st_mode)) {
        fd = open(writer->path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return osp_fail(OSP_UNWRITTEN, "%s: %s", writer->path, strerror(errno));
    } else {
        osp_status status = open_temporary(writer, &fd);
        if (status != OSP_OK)
            return status;
        if (exists)
            (void)fchmod(fd, st.st_mode & 07777); /* a folder without modes (vfat) is no reason to fail */
    }
    writer->stream = fdopen(fd, "wb");
    if (writer->stream)
        return OSP_OK;
    close(fd);
    return osp_fail(OSP_MEMORY, "%s: out of memory for a stream's buffer", writer->path);
}

osp_status osp_writer_open(const char *path, struct osp_writer *out)
{
    struct osp_writer writer = {0};
    struct stat st;
    bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    writer.path = link ? realpath(path, NULL) : strdup(path);
    if (!writer.path)
        return osp_fail(errno == ENOMEM ? OSP_MEMORY : OSP_UNWRITTEN, "%s: %s%s", path,
                        link ? "the link cannot be followed: " : "", strerror(errno));
    osp_status status = open_stream(&writer);
    if (status != OSP_OK)
        osp_writer_abandon(&writer);
    else
        *out = writer;
    return status;
}

/* The reason of a failed write, or NULL. Closes the stream in any case. */
static const char *finish_stream(struct osp_writer *writer)
{
    FILE *stream = writer->stream;
    writer->stream = NULL;
    bool failed = ferror(stream) != 0; /* an earlier write's; errno is long gone, but writing the rest mostly meets it again */
    errno = 0;
    if (fflush(stream) != 0)
        failed = true;
    if (!failed && writer->temporary && fsync(fileno(stream)) != 0)
        failed = true;
    int reason = failed ? errno : 0;
    if (fclose(stream) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    return !failed ? NULL : reason ? strerror(reason) : "a write failed";
}

/* Makes a rename in the folder of `path` last. Not every filesystem can sync a folder; those that cannot say EINVAL. */
static osp_status sync_folder(const char *path)
{
    size_t length = folder_length(path);
    char *folder = length ? strndup(path, length) : strdup(".");
    if (!folder)
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes for a name", path, length + 1);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) /* a folder may be writable and searchable without being readable */
        return errno == EACCES
                   ? OSP_OK
                   : osp_fail(OSP_UNWRITTEN, "%s: is written, but its folder cannot be synced: %s", path, strerror(errno));
    osp_status status = OSP_OK;
    if (fsync(fd) != 0 && errno != EINVAL)
        status = osp_fail(OSP_UNWRITTEN, "%s: is written, but its folder cannot be synced: %s", path, strerror(errno));
    close(fd);
    return status;
}

osp_status osp_writer_commit(struct osp_writer *writer)
{
    osp_status status = OSP_OK;
    const char *reason = finish_stream(writer);
    if (!reason && writer->temporary && rename(writer->temporary, writer->path) != 0)
        reason = strerror(errno);
    if (reason) {
        status = osp_fail(OSP_UNWRITTEN, "%s: %s", writer->path, reason);
    } else if (writer->temporary) {
        free(writer->temporary); /* renamed: nothing for abandon to remove */
        writer->temporary = NULL;
        status = sync_folder(writer->path);
    }
    osp_writer_abandon(writer);
    return status;
}

void osp_writer_abandon(struct osp_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    if (writer->temporary)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    *writer = (struct osp_writer){0};
}
