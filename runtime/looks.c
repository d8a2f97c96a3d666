/* What a file seems to be, for the sentence that refuses it. Never decides how a file is read. */
#include <string.h>

#include "file.h"

#define CONVERT "; convert it first: osprey convert"

struct look {
    size_t at, size;
    const char *bytes, *words;
};

/* The first that fits is named. */
static const struct look looks[] = {
    {0, 4, "PK\x03\x04", "a zip archive, as PyTorch writes its checkpoints" CONVERT},
    {0, 14, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", "a PyTorch checkpoint of the legacy kind" CONVERT},
    {0, 2, "\x80\x02", "a Python pickle"},
    {0, 2, "\x80\x03", "a Python pickle"},
    {0, 2, "\x80\x04", "a Python pickle"},
    {0, 2, "\x80\x05", "a Python pickle"},
    {0, 4, "GGUF", "a GGUF file, which osprey does not read"},
    {4, 4, "TFL3", "a TensorFlow Lite file, which osprey does not read"},
    {0, 8, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras writes such), which osprey does not read"},
    {0, 6, "\x93NUMPY", "a NumPy array, which osprey does not read"},
    {257, 5, "ustar", "a tar archive; unpack it first, or if PyTorch wrote it before 2017, load it there and torch.save it again"},
    {0, 2, "\x1f\x8b", "a gzip file; unpack it first"},
    {0, 3, "BZh", "a bzip2 file; unpack it first"},
    {0, 6, "\xfd\x37zXZ\0", "an xz file; unpack it first"},
    {0, 4, "\x28\xb5\x2f\xfd", "a zstd file; unpack it first"},
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG picture"},
    {0, 3, "\xff\xd8\xff", "a JPEG picture"},
    {0, 4, "\x7f\x45LF", "a program"},
    {0, 24, "version https://git-lfs.", "a Git LFS pointer, not the file itself; fetch that first: git lfs pull"},
    {0, 9, "<!DOCTYPE", "a web page; was the download refused?"},
    {0, 9, "<!doctype", "a web page; was the download refused?"},
    {0, 5, "<html", "a web page; was the download refused?"},
    {0, 5, "<?xml", "an XML text"},
};

const char *osp_file_looks_like(const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const struct look *look = &looks[i];
        if (size >= look->at + look->size && memcmp(p + look->at, look->bytes, look->size) == 0)
            return look->words;
    }
    /* ONNX is protobuf without a magic: field 1, the format's version as one small byte, then field 2, the producer's name. */
    if (size >= 3 && p[0] == 0x08 && p[1] < 0x40 && p[2] == 0x12)
        return "an ONNX file, which osprey does not read";
    if (size >= 1 && p[0] == '{' && memmem(p, size < 65536 ? size : 65536, "\"weight_map\"", 12))
        return "the index of a model in several files, which osprey does not read; pass the one file that holds all weights";
    if (size >= 1 && (p[0] == '{' || p[0] == '['))
        return "a JSON text";
    return NULL;
}
