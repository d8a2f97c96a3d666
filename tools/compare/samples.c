/* Pictures for those who brought none: the sample photos, cut and varied by a seed. */
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "runtime/file.h"
#include "tools/image/image.h"
#include "tools/tools.h"

static const char *const photos[] = {"astronaut.png", "camera.png"}; /* models/demo/README.md says whose they are */
enum { PHOTOS = sizeof photos / sizeof *photos };

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int between(uint64_t *state, int least, int most)
{
    return least + (int)(next_random(state) % (uint64_t)(most - least + 1));
}

/* What is done to a photo. */
struct cut {
    int x, y, width, height;
    bool mirrored;
    int gain; /* hundredths */
};

/* At least three quarters of the photo's sides each way, so that what it shows stays in it more often than not. */
static struct cut choose(uint64_t *state, const struct osp_image *photo)
{
    struct cut cut = {.width = between(state, photo->width * 3 / 4, photo->width),
                      .height = between(state, photo->height * 3 / 4, photo->height)};
    cut.x = between(state, 0, photo->width - cut.width);
    cut.y = between(state, 0, photo->height - cut.height);
    cut.mirrored = between(state, 0, 1);
    cut.gain = between(state, 80, 120);
    return cut;
}

static void apply(const struct cut *cut, const struct osp_image *photo, struct osp_image *out)
{
    out->width = cut->width;
    out->height = cut->height;
    for (int y = 0; y < cut->height; y++)
        for (int x = 0; x < cut->width; x++) {
            int from = cut->x + (cut->mirrored ? cut->width - 1 - x : x);
            const uint8_t *in = photo->rgb + ((size_t)(cut->y + y) * (size_t)photo->width + (size_t)from) * 3;
            uint8_t *to = out->rgb + ((size_t)y * (size_t)cut->width + (size_t)x) * 3;
            for (int k = 0; k < 3; k++) {
                int value = in[k] * cut->gain / 100;
                to[k] = (uint8_t)(value > 255 ? 255 : value);
            }
        }
}

/* One sample, as the JPEG file that a camera would have made of it. */
static osp_status add_sample(struct comparison *comparison, struct osp_image *photo, uint64_t *state, int number)
{
    char name[48], *data = NULL;
    size_t size = 0;
    struct cut cut = choose(state, photo);
    struct osp_image image = {.rgb = malloc((size_t)cut.width * (size_t)cut.height * 3)};
    FILE *stream = open_memstream(&data, &size);
    osp_status status = image.rgb && stream ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while sample pictures are made");
    snprintf(name, sizeof name, "sample-%03d.jpg", number);
    if (status == OSP_OK) {
        apply(&cut, photo, &image);
        status = osp_image_save(stream, name, OSP_FORMAT_JPEG, &image);
    }
    if (stream && fclose(stream) != 0 && status == OSP_OK)
        status = osp_fail(OSP_MEMORY, "out of memory while sample pictures are made");
    free(image.rgb);
    if (status == OSP_OK && !comparison->first)
        status = osp_image_decode(name, (const uint8_t *)data, size, NULL, &comparison->first);
    if (status != OSP_OK) {
        free(data);
        return status;
    }
    return measure_add_bytes(comparison->measure, name, data, size);
}

/* The folder of the model that ships, which the photos lie in too. */
static osp_status load_photo(const char *name, struct osp_image **out)
{
    struct osp_model *model;
    struct osp_model_info info;
    char path[4096];
    osp_status status = osp_model_open(NULL, &model);
    if (status != OSP_OK)
        return status;
    osp_model_describe(model, &info);
    snprintf(path, sizeof path, "%.*s%s", (int)(base_name(info.path) - info.path), info.path, name);
    osp_model_close(model);
    return osp_image_load(path, NULL, out);
}

osp_status samples_add_pictures(struct comparison *comparison, int count)
{
    struct osp_image *photo[PHOTOS] = {NULL};
    uint64_t state = (uint64_t)comparison->seed;
    osp_status status = OSP_OK;
    char words[160];
    for (int i = 0; i < PHOTOS && status == OSP_OK; i++)
        status = load_photo(photos[i], &photo[i]);
    for (int i = 0; i < count && status == OSP_OK; i++)
        status = add_sample(comparison, photo[i % PHOTOS], &state, i);
    for (int i = 0; i < PHOTOS; i++)
        osp_image_free(photo[i]);
    if (status != OSP_OK)
        return status;
    snprintf(words, sizeof words, "%d samples: %s and %s, cut and varied by seed %d", count, photos[0], photos[1],
             comparison->seed);
    free(comparison->study.images);
    comparison->study.images = strdup(words);
    return comparison->study.images ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while sample pictures are made");
}
