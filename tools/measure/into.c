#include "into.h"

#include <string.h>

#include "runtime/file.h"

static const char end_marker[] = "<!-- /results -->";

/* Where the old table stands. */
static osp_status find_place(const struct osp_file *file, const char *name, size_t *from, size_t *to)
{
    char begin[256];
    const char *text = (const char *)file->data;
    int length = snprintf(begin, sizeof begin, "<!-- results: %.200s -->\n", name);
    const char *at = file->size ? memmem(text, file->size, begin, (size_t)length) : NULL;
    at = at ? at + length : NULL;
    const char *end = at ? memmem(at, file->size - (size_t)(at - text), end_marker, sizeof end_marker - 1) : NULL;
    if (!end)
        return osp_fail(OSP_USAGE, "%s has no place for the results: a line \"<!-- results: %s -->\" and after it \"%s\"",
                        file->path, name, end_marker);
    *from = (size_t)(at - text);
    *to = (size_t)(end - text);
    return OSP_OK;
}

osp_status into_check(const char *name, const char *path)
{
    struct osp_file file;
    size_t from = 0, to = 0;
    osp_status status = osp_file_map(path, &file);
    if (status)
        return status;
    status = find_place(&file, name, &from, &to);
    osp_file_unmap(&file);
    return status;
}

osp_status into_write(const char *name, const char *path, into_function *print, const void *user)
{
    struct osp_file file;
    struct osp_writer writer;
    size_t from = 0, to = 0;
    osp_status status = osp_file_map(path, &file);
    if (status)
        return status;
    status = find_place(&file, name, &from, &to);
    if (!status)
        status = osp_writer_open(path, &writer);
    if (status) {
        osp_file_unmap(&file);
        return status;
    }
    fwrite(file.data, 1, from, writer.stream);
    status = print(user, writer.stream);
    fwrite(file.data + to, 1, file.size - to, writer.stream);
    osp_file_unmap(&file);
    if (status)
        osp_writer_abandon(&writer);
    return status ? status : osp_writer_commit(&writer);
}
