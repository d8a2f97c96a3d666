/* The EXIF orientation. A broken block means "as stored", never an error. */
#include <libexif/exif-data.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

int exif_orientation(const uint8_t *tiff, size_t size)
{
    static const char header[6] = "Exif\0"; /* libexif wants it, PNG leaves it out */
    if (size == 0 || size > UINT_MAX - sizeof header)
        return 1;
    uint8_t *block = malloc(sizeof header + size);
    if (!block)
        return 1;
    memcpy(block, header, sizeof header);
    memcpy(block + sizeof header, tiff, size);
    int orientation = 1;
    ExifData *exif = exif_data_new_from_data(block, (unsigned)(sizeof header + size));
    if (exif) {
        ExifEntry *entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
        if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components >= 1 && entry->size >= 2)
            orientation = exif_get_short(entry->data, exif_data_get_byte_order(exif));
        exif_data_unref(exif);
    }
    free(block);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}
