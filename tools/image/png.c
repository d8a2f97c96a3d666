/* PNG by libpng, to 8-bit RGB: palettes and grey are spread, of 16 bits the high byte is kept, alpha and transparency are
 * dropped, all as Pillow's convert("RGB") does. (One difference is meant: of 16-bit grey Pillow keeps min(value, 255), which
 * turns pictures white.)
 *
 * Chunks that do not change pixels are skipped, not unpacked, so that a compressed profile or comment cannot grow in memory.
 */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

enum { SIGNATURE = 8, IHDR_END = SIGNATURE + 8 + 13 };

struct decoder {
    png_structp png;
    png_infop info;
    const struct picture *from;
    size_t at; /* bytes that libpng has taken */
    struct osp_image *image;
    osp_status status;
};

static uint32_t big_endian(const uint8_t *b) { return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]; }

_Noreturn static void give_up(struct decoder *decoder, const char *found)
{
    decoder->status = osp_fail(OSP_BAD_IMAGE, "%s: PNG: offset %zu: %s", decoder->from->name, decoder->at, found);
    png_longjmp(decoder->png, 1);
}

_Noreturn static void on_error(png_structp png, png_const_charp message) { give_up(png_get_error_ptr(png), message); }
static void on_warning(png_structp png, png_const_charp message) {}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    struct decoder *decoder = png_get_io_ptr(png);
    if (count > decoder->from->size - decoder->at) {
        decoder->at = decoder->from->size;
        give_up(decoder, "truncated: the file ends before its IEND chunk");
    }
    memcpy(out, decoder->from->data + decoder->at, count);
    decoder->at += count;
}

/* The header by hand, before libpng: sizes are checked before anything is allocated. */
static osp_status read_header(const struct picture *from, struct osp_image **out)
{
    static const int channels[7] = {1, 0, 3, 1, 2, 0, 4};
    const uint8_t *chunk = from->data + SIGNATURE;
    if (from->size < IHDR_END)
        return osp_fail(OSP_BAD_IMAGE, "%s: PNG: offset %zu: truncated: the file ends inside its header", from->name, from->size);
    if (big_endian(chunk) != 13 || memcmp(chunk + 4, "IHDR", 4) != 0)
        return osp_fail(OSP_BAD_IMAGE, "%s: PNG: offset 8: the first chunk is not an IHDR of 13 bytes", from->name);
    uint32_t width = big_endian(chunk + 8), height = big_endian(chunk + 12);
    int depth = chunk[16], type = chunk[17];
    if (type > 6 || channels[type] == 0 || depth == 0 || depth > 16)
        return osp_fail(OSP_BAD_IMAGE, "%s: PNG: offset 24: %d bits of colour type %d, which PNG does not have", from->name,
                        depth, type);
    /* deflate packs at most 1032 bytes into one */
    uint64_t bits = (uint64_t)channels[type] * (uint64_t)depth, area = (uint64_t)width * height;
    uint64_t bytes = area > UINT64_MAX / bits ? UINT64_MAX : area * bits / 8;
    return image_new(from, "PNG", width, height, bytes, 1032, out);
}

static void set_rules(png_structp png)
{
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* image_new has the limit */
    png_set_chunk_cache_max(png, 128);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* all that do not change pixels... */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, (png_const_bytep) "eXIf", 1); /* ...but for this one */
}

static void to_rgb(png_structp png)
{
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_palette_to_rgb(png);
    png_set_gray_to_rgb(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
}

/* Everything that may jump back to png_decode. */
static void decode(struct decoder *decoder, int *orientation)
{
    png_structp png = decoder->png;
    struct osp_image *image = decoder->image;
    png_set_read_fn(png, decoder, on_read);
    set_rules(png);
    png_read_info(png, decoder->info);
    to_rgb(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, decoder->info);
    size_t stride = (size_t)image->width * 3;
    if (png_get_rowbytes(png, decoder->info) != stride)
        give_up(decoder, "rows do not come out as RGB");
    memset(image->rgb, 0, stride * (size_t)image->height); /* Adam7 passes add to what is there */
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < image->height; y++)
            png_read_row(png, image->rgb + (size_t)y * stride, NULL);
    png_read_end(png, decoder->info);
    png_bytep exif;
    png_uint_32 exif_size;
    if (png_get_eXIf_1(png, decoder->info, &exif_size, &exif))
        *orientation = exif_orientation(exif, exif_size);
}

osp_status png_decode(const struct picture *from, struct osp_image **out, int *orientation)
{
    struct decoder decoder = {.from = from};
    osp_status status = read_header(from, &decoder.image);
    if (status != OSP_OK)
        return status;
    decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
    decoder.info = decoder.png ? png_create_info_struct(decoder.png) : NULL;
    if (!decoder.info)
        decoder.status = osp_fail(OSP_MEMORY, "%s: out of memory for a PNG decoder", from->name);
    else if (setjmp(png_jmpbuf(decoder.png)) == 0)
        decode(&decoder, orientation);
    status = decoder.status;
    png_destroy_read_struct(&decoder.png, &decoder.info, NULL);
    if (status == OSP_OK)
        *out = decoder.image;
    else
        osp_image_free(decoder.image);
    return status;
}
