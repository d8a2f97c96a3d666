/* Any bytes as a pickle, and as what follows the first three pickles of a legacy stream: the object, the keys and the storages,
 * which no checksum guards. */
#include <stdlib.h>
#include <string.h>

#include "tools/checkpoint/checkpoint.h"
#include "tools/checkpoint/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort(); /* a finding, as for the sanitizers */
}

static void as_pickle(const uint8_t *data, size_t size)
{
    struct pickle p;
    size_t used;
    if (pickle_read("input", data, size, 0, &p, &used) != OSP_OK) {
        require(osp_message()[0] != 0);
        return;
    }
    require(used <= size && p.root < p.value_count && p.value_count <= size && p.cell_count <= size + 1);
    pickle_close(&p);
}

static void as_stream(const uint8_t *data, size_t size)
{
    struct checkpoint c;
    unsigned sum = 0;
    if (checkpoint_parse("input", data, size, &c) != OSP_OK) {
        require(osp_message()[0] != 0);
        return;
    }
    for (int i = 0; i < c.count; i++) {
        require(c.tensors[i].bytes <= size);
        for (uint64_t k = 0; k < c.tensors[i].bytes; k++)
            sum += c.tensors[i].data[k];
    }
    require(sum != 1u << 31);
    checkpoint_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    as_pickle(data, size);
    as_stream(data, size);
    uint8_t *stream = malloc(sizeof head - 1 + size);
    require(stream != NULL);
    memcpy(stream, head, sizeof head - 1);
    if (size > 0)
        memcpy(stream + sizeof head - 1, data, size);
    as_stream(stream, sizeof head - 1 + size);
    free(stream);
    return 0;
}
