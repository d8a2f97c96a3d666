/* A picture from a file: which format it is, its limits, its orientation. hostile-input.md 3.4. */
#include <stdlib.h>
#include <string.h>

#include "decode.h"

/* Where Pillow, too, refuses by default. */
static const int64_t default_max_pixels = 178956970;

static bool starts(const uint8_t *data, size_t size, size_t at, const char *magic, size_t length)
{
    return size >= at + length && memcmp(data + at, magic, length) == 0;
}
#define STARTS(at, magic) starts(data, size, at, magic, sizeof(magic) - 1)

enum osp_format osp_image_format(const uint8_t *data, size_t size)
{
    if (STARTS(0, "\xff\xd8"))
        return OSP_FORMAT_JPEG;
    if (STARTS(0, "\x89PNG\r\n\x1a\n"))
        return OSP_FORMAT_PNG;
    return OSP_FORMAT_OTHER;
}

/* ISO base media: a box size, "ftyp", and a brand. */
static const char *media_brand(const uint8_t *data, size_t size)
{
    static const char *const heic[] = {"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"};
    if (STARTS(8, "avif") || STARTS(8, "avis"))
        return "an AVIF picture";
    for (size_t i = 0; i < sizeof heic / sizeof *heic; i++)
        if (starts(data, size, 8, heic[i], 4))
            return "a HEIC picture";
    return "a video (MP4 family)";
}

static bool is_text(const uint8_t *data, size_t size)
{
    size_t n = size < OSP_FORMAT_BYTES ? size : OSP_FORMAT_BYTES;
    for (size_t i = 0; i < n; i++)
        if ((data[i] < 0x20 && !strchr("\t\n\r\f", data[i])) || data[i] == 0x7f || data[i] == 0 ||
            data[i] > 0xf4) /* never in UTF-8 */
            return false;
    return true;
}

const char *osp_image_looks_like(const uint8_t *data, size_t size)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *what;
    } known[] = {
        {"GIF8", 4, "a GIF picture"},
        {"BM", 2, "a BMP picture"},
        {"II*\0", 4, "a TIFF picture"},
        {"MM\0*", 4, "a TIFF picture"},
        {"\0\0\0\x0cjP  ", 8, "a JPEG 2000 picture"},
        {"\xff\x0a", 2, "a JPEG XL picture"},
        {"\0\0\0\x0cJXL ", 8, "a JPEG XL picture"},
        {"%PDF", 4, "a PDF document"},
        {"\x1a\x45\xdf\xa3", 4, "a video (Matroska family)"},
        {"\0\5\x16\7", 4, "a macOS AppleDouble side file"},
    };
    if (size == 0)
        return "an empty file";
    if (STARTS(0, "RIFF") && STARTS(8, "WEBP"))
        return "a WebP picture";
    if (STARTS(4, "ftyp"))
        return media_brand(data, size);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (starts(data, size, 0, known[i].magic, known[i].length))
            return known[i].what;
    const char *other = osp_file_looks_like(data, size);
    return other ? other : is_text(data, size) ? "text" : "data of an unknown kind";
}

osp_status image_new(const struct picture *from, const char *format, uint32_t width, uint32_t height, uint64_t units,
                     uint64_t most_per_byte, struct osp_image **out)
{
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return osp_fail(OSP_BAD_IMAGE, "%s: %s header: size is %u x %u pixels, allowed is 1 or more each way", from->name, format,
                        width, height);
    if ((uint64_t)width * height > (uint64_t)from->max_pixels)
        return osp_fail(OSP_BAD_IMAGE, "%s: %s header: size is %u x %u = %llu pixels, allowed are at most %lld", from->name,
                        format, width, height, (unsigned long long)width * height, (long long)from->max_pixels);
    if (units / most_per_byte > from->size)
        return osp_fail(OSP_BAD_IMAGE, "%s: %s header: size is %u x %u pixels, which the file's %zu bytes cannot hold",
                        from->name, format, width, height, from->size);
    size_t bytes = (size_t)width * height * 3;
    struct osp_image *image = malloc(sizeof *image);
    uint8_t *rgb = malloc(bytes);
    if (!image || !rgb) {
        free(image);
        free(rgb);
        return osp_fail(OSP_MEMORY, "%s: out of memory: the picture needs %zu bytes", from->name, bytes);
    }
    *image = (struct osp_image){(int)width, (int)height, rgb};
    *out = image;
    return OSP_OK;
}

void osp_image_free(struct osp_image *image)
{
    if (image)
        free(image->rgb);
    free(image);
}

/* Orientation as a map from a pixel (x, y) of the upright picture to the stored one: first mirrored along x, along y, then
 * transposed (EXIF 2.3, tag 0x0112). */
osp_status image_turn(struct osp_image *image, int orientation)
{
    static const struct {
        bool mirror_x, mirror_y, transpose;
    } turns[9] = {[2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false}, [5] = {false, false, true},
                  [6] = {false, true, true},  [7] = {true, true, true},  [8] = {true, false, true}};
    if (orientation < 2 || orientation > 8)
        return OSP_OK;
    bool transpose = turns[orientation].transpose;
    int from_width = image->width, from_height = image->height;
    int width = transpose ? from_height : from_width, height = transpose ? from_width : from_height;
    size_t bytes = (size_t)width * (size_t)height * 3;
    uint8_t *rgb = malloc(bytes);
    if (!rgb)
        return osp_fail(OSP_MEMORY, "out of memory: turning the picture needs %zu bytes", bytes);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int from_x = transpose ? y : x, from_y = transpose ? x : y;
            from_x = turns[orientation].mirror_x ? from_width - 1 - from_x : from_x;
            from_y = turns[orientation].mirror_y ? from_height - 1 - from_y : from_y;
            memcpy(rgb + ((size_t)y * width + x) * 3, image->rgb + ((size_t)from_y * from_width + from_x) * 3, 3);
        }
    free(image->rgb);
    *image = (struct osp_image){width, height, rgb};
    return OSP_OK;
}

osp_status osp_image_decode(const char *name, const uint8_t *data, size_t size, const struct osp_image_options *options,
                            struct osp_image **out)
{
    int64_t max_pixels = options && options->max_pixels > 0 ? options->max_pixels : default_max_pixels;
    struct picture from = {name, data, size, max_pixels};
    struct osp_image *image = NULL;
    int orientation = 1;
    osp_status status;
    switch (osp_image_format(data, size)) {
    case OSP_FORMAT_JPEG:
        status = jpeg_decode(&from, &image, &orientation);
        break;
    case OSP_FORMAT_PNG:
        status = png_decode(&from, &image, &orientation);
        break;
    default:
        return osp_fail(OSP_BAD_IMAGE, "%s: looks like %s; allowed are JPEG and PNG pictures", name,
                        osp_image_looks_like(data, size));
    }
    if (status == OSP_OK && !(options && options->ignore_exif))
        status = image_turn(image, orientation);
    if (status != OSP_OK) {
        osp_image_free(image);
        return status;
    }
    *out = image;
    return OSP_OK;
}

osp_status osp_image_load_as(const char *path, const struct osp_image_options *options, struct osp_image **out,
                             enum osp_format *format)
{
    struct osp_file file;
    struct osp_image *image = NULL;
    osp_status status = osp_file_map(path, &file);
    if (status != OSP_OK)
        return status;
    *format = osp_image_format(file.data, file.size);
    status = osp_image_decode(path, file.data, file.size, options, &image);
    if (status == OSP_OK && osp_file_unchanged(&file) != OSP_OK)
        status = OSP_BAD_IMAGE; /* the sentence says that it was cut or rewritten meanwhile */
    osp_file_unmap(&file);
    if (status == OSP_OK)
        *out = image;
    else
        osp_image_free(image);
    return status;
}

osp_status osp_image_load(const char *path, const struct osp_image_options *options, struct osp_image **out)
{
    enum osp_format format;
    return osp_image_load_as(path, options, out, &format);
}
