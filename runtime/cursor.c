/* The checked reader of bytes from outside, and the words of a refusal. */
#include <stdarg.h>
#include <string.h>

#include "file.h"

osp_status osp_refuse(const struct osp_cursor *c, size_t at, const char *field, const char *format, ...)
{
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return osp_fail(OSP_REFUSED, "%s: offset %zu: %s: %s", c->path, c->base + at, field, words);
}

osp_status osp_read_bytes(struct osp_cursor *c, const char *field, uint64_t count, const uint8_t **out)
{
    if (count > osp_read_left(c))
        return osp_refuse(c, c->at, field, "needs %llu bytes, found %zu to the end", (unsigned long long)count, osp_read_left(c));
    *out = c->data + c->at;
    c->at += (size_t)count;
    return OSP_OK;
}

static osp_status read_little_endian(struct osp_cursor *c, const char *field, int bytes, uint64_t *out)
{
    const uint8_t *p;
    osp_status status = osp_read_bytes(c, field, (uint64_t)bytes, &p);
    if (status != OSP_OK)
        return status;
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    *out = value;
    return OSP_OK;
}

osp_status osp_read_u8(struct osp_cursor *c, const char *field, uint8_t *out)
{
    uint64_t value;
    osp_status status = read_little_endian(c, field, 1, &value);
    if (status == OSP_OK)
        *out = (uint8_t)value;
    return status;
}

osp_status osp_read_u16(struct osp_cursor *c, const char *field, uint16_t *out)
{
    uint64_t value;
    osp_status status = read_little_endian(c, field, 2, &value);
    if (status == OSP_OK)
        *out = (uint16_t)value;
    return status;
}

osp_status osp_read_u32(struct osp_cursor *c, const char *field, uint32_t *out)
{
    uint64_t value;
    osp_status status = read_little_endian(c, field, 4, &value);
    if (status == OSP_OK)
        *out = (uint32_t)value;
    return status;
}

osp_status osp_read_u64(struct osp_cursor *c, const char *field, uint64_t *out) { return read_little_endian(c, field, 8, out); }

osp_status osp_read_seek(struct osp_cursor *c, const char *field, uint64_t at)
{
    if (at > c->size)
        return osp_refuse(c, c->at, field, "found offset %llu, allowed at most %zu", (unsigned long long)at + c->base,
                          c->base + c->size);
    c->at = (size_t)at;
    return OSP_OK;
}

const char *osp_quote(char *buffer, size_t buffer_size, const void *bytes, size_t size)
{
    enum { SHOWN = 60 };
    const uint8_t *p = bytes;
    size_t at = 0, i = 0, room = buffer_size > 4 ? buffer_size - 4 : 0; /* "..." and the end */
    for (; i < size && i < SHOWN; i++) {
        bool plain = p[i] >= 0x20 && p[i] < 0x7f;
        size_t needed = plain ? 1 : 4;
        if (at + needed > room)
            break;
        if (plain)
            buffer[at] = (char)p[i];
        else
            snprintf(buffer + at, 5, "\\x%02x", p[i]);
        at += needed;
    }
    if (buffer_size > 0)
        snprintf(buffer + at, buffer_size - at, "%s", i < size ? "..." : "");
    return buffer;
}
