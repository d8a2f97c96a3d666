/* JPEG by libjpeg-turbo: slow-but-exact integer IDCT and fancy upsampling, the choice of Pillow, so that pixels agree with it.
 *
 * libjpeg reports errors by a call that must not return; ours jumps back to jpeg_decode. Its warnings go on with invented
 * pixels; ours are errors, except for a few that lose nothing.
 */
#include "decode.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* A progressive picture may ask for any number of passes over all its pixels. Encoders make about ten. */
static const uint64_t max_scans = 1000, max_scanned_pixels = 20 * (uint64_t)178956970;

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    const struct picture *from;
    struct osp_image *image;
    uint8_t *line; /* one row of CMYK */
    bool ended;    /* the bytes ran out before the end marker */
    jmp_buf escape;
    osp_status status;
};

static struct decoder *decoder_of(j_common_ptr jpeg) { return jpeg->client_data; }

static unsigned long long position(const struct decoder *decoder)
{
    return (unsigned long long)(decoder->from->size - (decoder->ended ? 0 : decoder->source.bytes_in_buffer));
}

_Noreturn static void give_up(struct decoder *decoder, const char *found)
{
    osp_status code = decoder->errors.msg_code == JERR_OUT_OF_MEMORY ? OSP_MEMORY : OSP_BAD_IMAGE;
    decoder->status = osp_fail(code, "%s: JPEG: offset %llu: %s", decoder->from->name, position(decoder), found);
    longjmp(decoder->escape, 1);
}

_Noreturn static void truncated(struct decoder *decoder)
{
    give_up(decoder, "truncated: the file ends before the end marker FF D9");
}

_Noreturn static void on_error(j_common_ptr jpeg)
{
    struct decoder *decoder = decoder_of(jpeg);
    char text[JMSG_LENGTH_MAX + 64];
    if (decoder->ended)
        truncated(decoder);
    switch (jpeg->err->msg_code) {
    case JERR_BAD_PRECISION:
        snprintf(text, sizeof text, "%d bits a sample, allowed are 8", jpeg->err->msg_parm.i[0]);
        break;
    case JERR_SOF_UNSUPPORTED:
        snprintf(text, sizeof text,
                 "coding process FF %02X (lossless or hierarchical), allowed are baseline, extended and progressive Huffman",
                 (unsigned)jpeg->err->msg_parm.i[0]);
        break;
    case JERR_EMPTY_IMAGE:
        snprintf(text, sizeof text, "the frame header gives 0 rows, columns or components, allowed is 1 or more");
        break;
    default:
        jpeg->err->format_message(jpeg, text);
    }
    give_up(decoder, text);
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0)
        return; /* a trace */
    switch (jpeg->err->msg_code) {
    case JWRN_ADOBE_XFORM:     /* an unknown colour transform is read as YCbCr */
    case JWRN_JFIF_MAJOR:      /* a newer JFIF version number */
    case JWRN_EXTRANEOUS_DATA: /* padding between segments, as some cameras write */
        return;
    default:
        on_error(jpeg);
    }
}

static void no_output(j_common_ptr jpeg) {}
static void no_source_work(j_decompress_ptr jpeg) {}

/* All bytes are in the buffer from the start: to be asked for more means that the file ended early. libjpeg may ask ahead of
 * need, so it gets an end marker, and jpeg_decode looks at `ended` when all is done. */
static boolean fill(j_decompress_ptr jpeg)
{
    static const JOCTET end[2] = {0xff, JPEG_EOI};
    decoder_of((j_common_ptr)jpeg)->ended = true;
    jpeg->src->next_input_byte = end;
    jpeg->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void skip(j_decompress_ptr jpeg, long count)
{
    struct decoder *decoder = decoder_of((j_common_ptr)jpeg);
    if (count <= 0)
        return;
    if ((unsigned long)count > jpeg->src->bytes_in_buffer) {
        decoder->ended = true;
        truncated(decoder);
    }
    jpeg->src->next_input_byte += count;
    jpeg->src->bytes_in_buffer -= (size_t)count;
}

static void on_progress(j_common_ptr common)
{
    struct decoder *decoder = decoder_of(common);
    uint64_t scans = (uint64_t)decoder->jpeg.input_scan_number;
    uint64_t pixels = (uint64_t)decoder->jpeg.image_width * decoder->jpeg.image_height;
    if (scans > max_scans)
        give_up(decoder, "more than 1000 scans, allowed are at most 1000");
    if (scans * pixels > max_scanned_pixels)
        give_up(decoder, "too many scans for so large a picture: scans times pixels are limited to 3579139400");
}

/* Blocks of 8 x 8 samples, over all components: Huffman coding spends at least one bit on each. */
static uint64_t count_blocks(const struct jpeg_decompress_struct *jpeg)
{
    uint64_t blocks = 0;
    for (int i = 0; i < jpeg->num_components; i++)
        blocks += (uint64_t)jpeg->comp_info[i].width_in_blocks * jpeg->comp_info[i].height_in_blocks;
    return blocks;
}

/* x * y / 255, rounded, as Pillow does it. */
static unsigned scale255(unsigned x, unsigned y)
{
    unsigned t = x * y + 128;
    return ((t >> 8) + t) >> 8;
}

/* Photoshop's way of storing CMYK inverted is the only one in use; Pillow, too, takes every CMYK JPEG to be stored so. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int i = 0; i < 3; i++)
            rgb[i] = (uint8_t)(cmyk[3] - scale255(255u - cmyk[i], cmyk[3]));
}

static void read_rows(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    struct osp_image *image = decoder->image;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *row = image->rgb + (size_t)jpeg->output_scanline * image->width * 3;
        JSAMPROW into = decoder->line ? decoder->line : row;
        jpeg_read_scanlines(jpeg, &into, 1);
        if (decoder->line)
            cmyk_to_rgb(decoder->line, row, image->width);
    }
}

static void choose_colours(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (jpeg->num_components != 1 && jpeg->num_components != 3 && jpeg->num_components != 4) {
        char text[80];
        snprintf(text, sizeof text, "%d colour components, allowed are 1, 3 and 4", jpeg->num_components);
        give_up(decoder, text);
    }
    if (jpeg->arith_code)
        give_up(decoder, "arithmetic coding, allowed is Huffman coding");
    jpeg->out_color_space = jpeg->num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = TRUE;
}

static int find_orientation(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length > 6 && memcmp(marker->data, "Exif\0", 6) == 0)
            return exif_orientation(marker->data + 6, marker->data_length - 6);
    return 1;
}

/* Everything that may jump to decoder->escape. */
static void decode(struct decoder *decoder, int *orientation)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    const struct picture *from = decoder->from;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = decoder;
    jpeg->src = &decoder->source;
    jpeg->progress = &decoder->progress;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    choose_colours(decoder);
    decoder->status = image_new(from, "JPEG", jpeg->image_width, jpeg->image_height, count_blocks(jpeg), 8, &decoder->image);
    if (decoder->status != OSP_OK)
        longjmp(decoder->escape, 1);
    if (jpeg->out_color_space == JCS_CMYK) {
        decoder->line = malloc((size_t)jpeg->image_width * 4);
        if (!decoder->line) {
            decoder->status = osp_fail(OSP_MEMORY, "%s: out of memory for one row of pixels", from->name);
            longjmp(decoder->escape, 1);
        }
    }
    *orientation = find_orientation(jpeg);
    jpeg_start_decompress(jpeg);
    read_rows(decoder);
    jpeg_finish_decompress(jpeg);
    if (decoder->ended)
        truncated(decoder);
}

osp_status jpeg_decode(const struct picture *from, struct osp_image **out, int *orientation)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return osp_fail(OSP_MEMORY, "%s: out of memory for a JPEG decoder", from->name);
    decoder->from = from;
    decoder->jpeg.client_data = decoder;
    decoder->jpeg.err = jpeg_std_error(&decoder->errors);
    decoder->errors.error_exit = on_error;
    decoder->errors.emit_message = on_message;
    decoder->errors.output_message = no_output;
    decoder->source.next_input_byte = from->data;
    decoder->source.bytes_in_buffer = from->size;
    decoder->source.init_source = no_source_work;
    decoder->source.fill_input_buffer = fill;
    decoder->source.skip_input_data = skip;
    decoder->source.resync_to_restart = jpeg_resync_to_restart;
    decoder->source.term_source = no_source_work;
    decoder->progress.progress_monitor = on_progress;
    if (setjmp(decoder->escape) == 0)
        decode(decoder, orientation);
    osp_status status = decoder->status;
    jpeg_destroy_decompress(&decoder->jpeg);
    free(decoder->line);
    if (status == OSP_OK)
        *out = decoder->image;
    else
        osp_image_free(decoder->image);
    free(decoder);
    return status;
}
