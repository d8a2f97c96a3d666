#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"

static const char prefix[] = "module.";

/* DataParallel puts "module." before every name. */
static void strip_prefix(struct checkpoint *c)
{
    size_t size = sizeof prefix - 1;
    for (int i = 0; i < c->count; i++)
        if (strncmp(c->tensors[i].name, prefix, size) != 0 || c->tensors[i].name[size] == '\0')
            return;
    for (int i = 0; i < c->count; i++)
        c->tensors[i].name += size;
    c->module_prefix = c->count > 0;
}

osp_status checkpoint_parse(const char *path, const uint8_t *data, size_t size, struct checkpoint *out)
{
    struct checkpoint c = {.key = ""};
    struct source source;
    osp_status status;
    if (size == 0)
        return osp_fail(OSP_REFUSED, "%s: allowed is a checkpoint of torch.save or a safetensors file, found an empty file",
                        path);
    if (legacy_begins(data, size)) {
        c.format = "PyTorch legacy stream";
        status = legacy_open(path, data, size, &source);
    } else if (size >= 4 && (memcmp(data, "PK\3\4", 4) == 0 || memcmp(data, "PK\5\6", 4) == 0)) {
        c.format = "PyTorch zip";
        status = archive_open(path, data, size, &source);
    } else {
        const char *what = osp_file_looks_like(data, size);
        return osp_fail(OSP_REFUSED, "%s: allowed is a checkpoint of torch.save or a safetensors file, found %s", path,
                        what ? what : "a file of no kind that is known here");
    }
    if (status != OSP_OK)
        return status;
    status = state_read(&source, &c);
    source_close(&source);
    if (status != OSP_OK) {
        checkpoint_close(&c);
        return status;
    }
    strip_prefix(&c);
    *out = c;
    return OSP_OK;
}

/* A header length below the file's size, then a JSON object. */
static bool is_safetensors(const uint8_t *data, size_t size)
{
    uint64_t length = 0;
    if (size < 9 || data[8] != '{')
        return false;
    for (int i = 8; i-- > 0;)
        length = length << 8 | data[i];
    return length <= size - 8;
}

static osp_status open_safetensors(const char *path, struct checkpoint *out)
{
    struct checkpoint c = {.format = "safetensors", .key = ""};
    osp_status status = osp_safetensors_open(path, &c.safetensors);
    if (status != OSP_OK)
        return status;
    c.count = osp_safetensors_count(c.safetensors);
    c.tensors = calloc((size_t)c.count + 1, sizeof *c.tensors);
    if (!c.tensors) {
        checkpoint_close(&c);
        return osp_fail(OSP_MEMORY, "%s: out of memory: %d tensors need %zu bytes", path, c.count,
                        (size_t)c.count * sizeof *c.tensors);
    }
    for (int i = 0; i < c.count; i++)
        c.tensors[i] = *osp_safetensors_tensor(c.safetensors, i);
    strip_prefix(&c);
    *out = c;
    return OSP_OK;
}

osp_status checkpoint_open(const char *path, struct checkpoint *out)
{
    struct osp_file file;
    osp_status status = osp_file_map(path, &file);
    if (status != OSP_OK)
        return status;
    if (is_safetensors(file.data, file.size)) {
        osp_file_unmap(&file);
        return open_safetensors(path, out);
    }
    status = checkpoint_parse(file.path, file.data, file.size, out);
    if (status == OSP_OK)
        out->file = file;
    else
        osp_file_unmap(&file);
    return status;
}

void checkpoint_close(struct checkpoint *c)
{
    for (int i = 0; c->copies && i < c->count; i++)
        free(c->copies[i]);
    free(c->copies);
    free(c->tensors);
    free(c->names);
    osp_safetensors_close(c->safetensors);
    if (c->file.path)
        osp_file_unmap(&c->file);
    *c = (struct checkpoint){0};
}

osp_status checkpoint_unchanged(const struct checkpoint *c) { return c->file.path ? osp_file_unchanged(&c->file) : OSP_OK; }
