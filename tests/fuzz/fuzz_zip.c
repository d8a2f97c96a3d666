/* Any bytes as a .pth; then once more with every checksum made right, so that changes in the data get past them. */
#include <stdlib.h>
#include <string.h>

#include "tools/checkpoint/checkpoint.h"
#include "tools/checkpoint/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort(); /* a finding, as for the sanitizers */
}

/* Reads every byte of what was accepted. */
static void parse(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    unsigned sum = 0;
    if (checkpoint_parse("input", data, size, &c) != OSP_OK) {
        require(osp_message()[0] != 0);
        return;
    }
    for (int i = 0; i < c.count; i++) {
        const struct osp_stored_tensor *t = &c.tensors[i];
        uint64_t elements = 1;
        for (int d = 0; d < t->rank; d++)
            elements *= (uint64_t)t->dim[d];
        require(t->bytes == elements * osp_stored_size(t->type) && t->bytes <= size);
        for (uint64_t k = 0; k < t->bytes; k++)
            sum += t->data[k];
        require(strlen(t->name) > 0);
    }
    require(sum != 1u << 31);
    checkpoint_close(&c);
}

static uint32_t crc32(const uint8_t *p, uint64_t size)
{
    uint32_t crc = 0xffffffff;
    for (; size > 0; p++, size--) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

/* Writes the true checksums where archive and local headers hold others. True if the archive could be read. */
static int repair(uint8_t *data, size_t size)
{
    struct zip zip;
    if (zip_open("input", data, size, &zip) != OSP_OK)
        return 0;
    for (size_t i = 0; i < zip.count; i++) {
        const struct zip_entry *e = &zip.entries[i];
        uint32_t crc = e->packed == e->size ? crc32(data + e->data, e->size) : e->crc;
        uint8_t *places[] = {data + (e->name - (const char *)data) - 46 + 16, data + e->header + 14,
                             data + e->data + e->packed + 4};
        for (int k = 0; k < 3; k++)
            if ((k < 2 || e->flags & 8) && memcmp(places[k], &e->crc, 4) == 0)
                memcpy(places[k], &crc, 4);
    }
    zip_close(&zip);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    uint8_t *copy = malloc(size + !size);
    require(copy != NULL);
    memcpy(copy, data, size);
    if (repair(copy, size))
        parse(copy, size);
    free(copy);
    return 0;
}
