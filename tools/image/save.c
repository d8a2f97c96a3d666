/* Encoding pictures. Errors of the stream itself (a full disk) show when the caller flushes and commits it. */
#include "decode.h"

#include <setjmp.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

enum { JPEG_QUALITY = 92 };

struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    const char *name;
    jmp_buf escape;
};

_Noreturn static void on_jpeg_error(j_common_ptr jpeg)
{
    struct encoder *encoder = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    osp_fail(OSP_UNWRITTEN, "%s: %s", encoder->name, text);
    longjmp(encoder->escape, 1);
}

static void encode_jpeg(struct encoder *encoder, FILE *stream, const struct osp_image *image)
{
    struct jpeg_compress_struct *jpeg = &encoder->jpeg;
    jpeg_create_compress(jpeg);
    jpeg->client_data = encoder;
    jpeg_stdio_dest(jpeg, stream);
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, JPEG_QUALITY, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1; /* thin coloured lines stay sharp */
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->rgb + (size_t)jpeg->next_scanline * image->width * 3;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

static osp_status save_jpeg(FILE *stream, const char *name, const struct osp_image *image)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return osp_fail(OSP_MEMORY, "%s: out of memory for a JPEG encoder", name);
    encoder->name = name;
    encoder->jpeg.client_data = encoder;
    encoder->jpeg.err = jpeg_std_error(&encoder->errors);
    encoder->errors.error_exit = on_jpeg_error;
    volatile osp_status status = OSP_UNWRITTEN;
    if (setjmp(encoder->escape) == 0) {
        encode_jpeg(encoder, stream, image);
        status = OSP_OK;
    }
    jpeg_destroy_compress(&encoder->jpeg);
    free(encoder);
    return status;
}

_Noreturn static void on_png_error(png_structp png, png_const_charp message)
{
    osp_fail(OSP_UNWRITTEN, "%s: %s", (const char *)png_get_error_ptr(png), message);
    png_longjmp(png, 1);
}
static void on_png_warning(png_structp png, png_const_charp message) {}

static void encode_png(png_structp png, png_infop info, FILE *stream, const struct osp_image *image)
{
    png_init_io(png, stream);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(png, 6);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->rgb + (size_t)y * image->width * 3);
    png_write_end(png, info);
}

static osp_status save_png(FILE *stream, const char *name, const struct osp_image *image)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, (png_voidp)name, on_png_error, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    volatile osp_status status = OSP_UNWRITTEN;
    if (!info)
        status = osp_fail(OSP_MEMORY, "%s: out of memory for a PNG encoder", name);
    else if (setjmp(png_jmpbuf(png)) == 0) {
        encode_png(png, info, stream, image);
        status = OSP_OK;
    }
    png_structp created = png;
    png_destroy_write_struct(&created, &info);
    return status;
}

osp_status osp_image_save(FILE *stream, const char *name, enum osp_format format, const struct osp_image *image)
{
    return format == OSP_FORMAT_JPEG ? save_jpeg(stream, name, image) : save_png(stream, name, image);
}

const char *osp_image_decoder(void)
{
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
    return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION) ", libpng " PNG_LIBPNG_VER_STRING;
#undef TEXT
#undef TEXT_
}
