#include "tests/seeded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/build.h"

enum { NAME_ROOM = 128, TENSOR_ROOM = 512, RECTANGLES = 12 };

/* FNV-1a over the name, from a seeded start. */
static uint64_t key(const char *name, uint64_t seed)
{
    uint64_t h = 0xCBF29CE484222325u + seed * 0x9E3779B97F4A7C15u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return h;
}

/* Number i, from 0, of the SplitMix64 generator that starts at `state` (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014). */
static uint64_t splitmix(uint64_t state, uint64_t i)
{
    uint64_t z = state + 0x9E3779B97F4A7C15u * (i + 1);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void seeded_fill(const char *name, uint64_t seed, float base, float gain, int64_t count, float *out)
{
    uint64_t state = key(name, seed);
    for (int64_t i = 0; i < count; i++) {
        int32_t top = (int32_t)(splitmix(state, (uint64_t)i) >> 40);
        float unit = (float)(top - (1 << 23)) * 0x1p-23f;
        out[i] = base + gain * unit;
    }
}

/* What a line of a .tensors file says: the tensor without its data. */
struct line {
    char name[NAME_ROOM];
    float base, gain;
    struct osp_stored_tensor tensor;
};

static int64_t size_of(const char *word, int classes)
{
    if (!strcmp(word, "K"))
        return classes;
    return strcmp(word, "4K") ? strtoll(word, NULL, 10) : 4 * classes;
}

static osp_status parse(char *text, int classes, struct line *out)
{
    char *rest, *word = strtok_r(text, " \n", &rest);
    const char *base = strtok_r(NULL, " \n", &rest), *gain = strtok_r(NULL, " \n", &rest);
    if (!gain || strlen(word) >= NAME_ROOM)
        return osp_fail(OSP_USAGE, "a line that is not NAME BASE GAIN SIZE...: %s", text);
    *out = (struct line){.base = (float)strtod(base, NULL), .gain = (float)strtod(gain, NULL)};
    strcpy(out->name, word);
    out->tensor = (struct osp_stored_tensor){.type = OSP_STORED_F32, .bytes = sizeof(float)};
    while ((word = strtok_r(NULL, " \n", &rest)) && out->tensor.rank < OSP_STORED_RANK) {
        int64_t size = size_of(word, classes);
        out->tensor.dim[out->tensor.rank++] = size;
        out->tensor.bytes *= (uint64_t)size;
    }
    return OSP_OK;
}

/* Reads at most TENSOR_ROOM lines; *bytes is what their data need. */
static osp_status read_lines(const char *path, int classes, struct line *lines, int *count, uint64_t *bytes)
{
    char text[512];
    osp_status status = OSP_OK;
    FILE *file = fopen(path, "r");
    if (!file)
        return osp_fail(OSP_UNREADABLE, "%s: %s", path, strerror(errno));
    for (*count = 0, *bytes = 0; !status && *count < TENSOR_ROOM && fgets(text, sizeof text, file); ++*count) {
        status = parse(text, classes, &lines[*count]);
        *bytes += lines[*count].tensor.bytes;
    }
    fclose(file);
    return status;
}

osp_status seeded_write(const char *tensors_file, int classes, uint64_t seed, const struct osp_meta *meta, int meta_count,
                        const char *out)
{
    struct line *lines = calloc(TENSOR_ROOM, sizeof *lines);
    struct osp_stored_tensor *tensors = calloc(TENSOR_ROOM, sizeof *tensors);
    float *data = NULL;
    uint64_t bytes = 0;
    int count = 0;
    osp_status status = lines && tensors ? read_lines(tensors_file, classes, lines, &count, &bytes)
                                         : osp_fail(OSP_MEMORY, "no memory for the list of tensors");
    if (!status && !(data = malloc(bytes)))
        status = osp_fail(OSP_MEMORY, "no memory for %llu bytes of weights", (unsigned long long)bytes);
    float *at = data;
    for (int i = 0; i < count && !status; i++) {
        int64_t elements = (int64_t)(lines[i].tensor.bytes / sizeof(float));
        seeded_fill(lines[i].name, seed, lines[i].base, lines[i].gain, elements, at);
        tensors[i] = lines[i].tensor;
        tensors[i].name = lines[i].name;
        tensors[i].data = (const uint8_t *)at;
        at += elements;
    }
    if (!status)
        status = osp_safetensors_write(out, meta, meta_count, tensors, count);
    free(data);
    free(tensors);
    free(lines);
    return status;
}

void seeded_picture(int width, int height, uint64_t seed, uint8_t *rgb)
{
    uint64_t rectangles = key("rectangles", seed), noise = key("noise", seed);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                rgb[(y * width + x) * 3 + c] = (uint8_t)((x * 2 + y * 3 + c * 80) % 224);
    for (uint64_t j = 0; j < RECTANGLES; j++) {
        uint64_t r[7]; /* x y width height, colour */
        for (uint64_t i = 0; i < 7; i++)
            r[i] = splitmix(rectangles, j * 7 + i);
        int x0 = (int)(r[0] % (uint64_t)width), w = 8 + (int)(r[2] % (uint64_t)(width / 2));
        int y0 = (int)(r[1] % (uint64_t)height), h = 8 + (int)(r[3] % (uint64_t)(height / 2));
        for (int y = y0; y < y0 + h && y < height; y++)
            for (int x = x0; x < x0 + w && x < width; x++)
                for (int c = 0; c < 3; c++)
                    rgb[(y * width + x) * 3 + c] = (uint8_t)(r[4 + c] % 224);
    }
    for (int i = 0; i < width * height * 3; i++)
        rgb[i] = (uint8_t)(rgb[i] + (splitmix(noise, (uint64_t)i) >> 59));
}
