/* Every network against torchvision, stage by stage and on final boxes: tests/golden/README.md says what the files hold and how
 * they were made. Weights come from seeds, except the demo model's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/zoo.h"
#include "tests/sanitized.h"
#include "tests/seeded.h"

#define GOLDEN OSP_SOURCE "/tests/golden/"

/* How far a value may be from torchvision's. Stages in units of the stage's root mean square: rounding in a sum of n terms is
 * about sqrt(n) * 6e-8 of that, and sixty layers add up to some 1e-5. */
static const double STAGE = 1e-4, TOTAL = 1e-5, PIXELS = 1e-2, SCORE = 1e-4;

enum { MAX_PICTURES = 4, MAX_CLASSES = 91, PATH_ROOM = 512, USE_ROOM = 16384 };

struct golden {
    struct osp_safetensors *file;
    struct osp_model *model;
    struct osp_image *picture[MAX_PICTURES];
    int pictures;
};

static void ok(osp_status status)
{
    if (status)
        fail_msg("%s", osp_message());
}

/* ---- The case: its file, its model, its pictures --------------------------------------------------- */

static const char *meta(const struct golden *golden, const char *key)
{
    const char *value = osp_safetensors_meta(golden->file, key);
    if (!value)
        fail_msg("%s: no metadata %s", osp_safetensors_path(golden->file), key);
    return value;
}

static int number(const struct golden *golden, const char *key) { return atoi(meta(golden, key)); }

/* Writes the model file as `osprey convert` would for a checkpoint with these weights, and opens it. The file goes at once: the
 * model has it mapped, and a test that fails leaves nothing behind. */
static void open_seeded(struct golden *golden)
{
    static const char *names[MAX_CLASSES] = {"__background__", "one", "two", "three", "four", "five"};
    struct osp_config config = osp_zoo_find(meta(golden, "network"))->defaults;
    struct osp_meta pairs[32];
    char tensors[PATH_ROOM], path[PATH_ROOM];
    const char *folder = getenv("TMPDIR");
    int count;

    config.classes = number(golden, "classes");
    config.class_name = config.classes == MAX_CLASSES ? (const char **)osp_coco_classes : names;
    config.min_size = number(golden, "min_size");
    config.max_size = number(golden, "max_size");
    config.rpn_pre_nms_top_n = number(golden, "rpn_pre_nms");
    config.rpn_post_nms_top_n = number(golden, "rpn_post_nms");
    config.norm_times = strcmp(meta(golden, "input_norm"), "twice") ? 1 : 2;
    config.bn_eps = strtod(meta(golden, "bn_eps"), NULL);
    config.resize = meta(golden, "resize");

    snprintf(path, sizeof path, "%s/osprey-golden-XXXXXX", folder ? folder : "/tmp");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    snprintf(tensors, sizeof tensors, GOLDEN "%s", meta(golden, "tensors"));
    ok(osp_config_meta(&config, pairs, &count));
    osp_status status = seeded_write(tensors, config.classes, (uint64_t)number(golden, "seed"), pairs, count, path);
    if (!status)
        status = osp_model_open(path, &golden->model);
    unlink(path);
    osp_config_meta_free(pairs, count);
    ok(status);
}

static struct osp_image *blank(int width, int height)
{
    struct osp_image *image = malloc(sizeof *image);
    assert_non_null(image);
    *image = (struct osp_image){width, height, malloc((size_t)width * (size_t)height * 3)};
    assert_non_null(image->rgb);
    return image;
}

/* WIDTHxHEIGHT:SEED is a picture to make, FILE@WIDTHxHEIGHT+X+Y a crop of a photo that ships with the demo model. */
static struct osp_image *picture(const char *word)
{
    struct osp_image *image, *photo;
    char path[PATH_ROOM], file[64];
    unsigned long long seed;
    int width, height, x, y;
    if (sscanf(word, "%dx%d:%llu", &width, &height, &seed) == 3) {
        image = blank(width, height);
        seeded_picture(width, height, seed, image->rgb);
        return image;
    }
    assert_int_equal(sscanf(word, "%63[^@]@%dx%d+%d+%d", file, &width, &height, &x, &y), 5);
    snprintf(path, sizeof path, OSP_SOURCE "/models/demo/%s", file);
    ok(osp_image_load(path, NULL, &photo));
    assert_true(x + width <= photo->width && y + height <= photo->height);
    image = blank(width, height);
    for (int row = 0; row < height; row++)
        memcpy(image->rgb + row * width * 3, photo->rgb + ((y + row) * photo->width + x) * 3, (size_t)width * 3);
    osp_image_free(photo);
    return image;
}

static void open_case(const char *name, struct golden *golden)
{
    char path[PATH_ROOM], words[PATH_ROOM], *rest;
    memset(golden, 0, sizeof *golden);
    snprintf(path, sizeof path, GOLDEN "%s.safetensors", name);
    ok(osp_safetensors_open(path, &golden->file));
    if (*meta(golden, "tensors"))
        open_seeded(golden);
    else
        ok(osp_model_open(NULL, &golden->model));
    snprintf(words, sizeof words, "%s", meta(golden, "pictures"));
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(golden->pictures < MAX_PICTURES);
        golden->picture[golden->pictures++] = picture(word);
    }
}

static void close_case(struct golden *golden)
{
    for (int i = 0; i < golden->pictures; i++)
        osp_image_free(golden->picture[i]);
    osp_model_close(golden->model);
    osp_safetensors_close(golden->file);
}

/* ---- Comparing ------------------------------------------------------------------------------------- */

/* All numbers of one tensor of the golden file, as doubles; free it. */
static double *values(const struct golden *golden, const char *name, const char *part, int64_t *count)
{
    char full[PATH_ROOM];
    snprintf(full, sizeof full, "%s%s", name, part);
    const struct osp_stored_tensor *tensor = osp_safetensors_find(golden->file, full);
    if (!tensor)
        fail_msg("%s: no tensor %s", osp_safetensors_path(golden->file), full);
    *count = (int64_t)(tensor->bytes / osp_stored_size(tensor->type));
    double *out = malloc((size_t)*count * sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < *count; i++) {
        const uint8_t *at = tensor->data + (size_t)i * osp_stored_size(tensor->type);
        float f;
        int32_t n;
        if (tensor->type == OSP_STORED_F64)
            memcpy(&out[i], at, sizeof out[i]);
        else if (tensor->type == OSP_STORED_I32)
            out[i] = (memcpy(&n, at, sizeof n), n);
        else
            out[i] = (memcpy(&f, at, sizeof f), f);
    }
    return out;
}

/* NaN is never near. */
static void near(const char *what, int64_t i, double found, double wanted, double bound)
{
    if (!(fabs(found - wanted) <= bound))
        fail_msg("%s[%lld]: found %.9g, wanted %.9g, allowed difference %.3g", what, (long long)i, found, wanted, bound);
}

/* One stage: same shape, same sum and norm over all elements, same values where the file has them. */
static void check_stage(const struct golden *golden, struct osp_session *session, const char *name)
{
    int64_t n, samples, dims[4];
    int rank;
    float *found;
    ok(osp_session_value(session, name, &found, dims, &rank));
    double *shape = values(golden, name, "/shape", &n);
    int64_t elements = 1;
    assert_int_equal(rank, n);
    for (int i = 0; i < rank; i++) {
        near(name, i, (double)dims[i], shape[i], 0);
        elements *= dims[i];
    }

    double *total = values(golden, name, "/total", &n), sum = 0, squares = 0;
    for (int64_t i = 0; i < elements; i++) {
        sum += found[i];
        squares += (double)found[i] * found[i];
    }
    near(name, -1, sqrt(squares), total[1], TOTAL * total[1]);
    near(name, -2, sum, total[0], TOTAL * total[1] * sqrt((double)elements));

    double *at = values(golden, name, "/at", &samples), *value = values(golden, name, "/value", &n);
    for (int64_t i = 0; i < samples; i++)
        near(name, (int64_t)at[i], found[(int64_t)at[i]], value[i], STAGE * total[1] / sqrt((double)elements));
    free(value);
    free(at);
    free(total);
    free(shape);
    free(found);
}

/* Every stage in the file: a tensor NAME/value is the node NAME's. */
static void check_stages(const struct golden *golden, struct osp_session *session)
{
    int stages = 0;
    for (int i = 0; i < osp_safetensors_count(golden->file); i++) {
        char name[PATH_ROOM];
        snprintf(name, sizeof name, "%s", osp_safetensors_tensor(golden->file, i)->name);
        char *part = strstr(name, "/value");
        if (part) {
            *part = '\0';
            check_stage(golden, session, name);
            stages++;
        }
    }
    assert_true(stages >= 15);
}

/* All proposals of all pictures, in order, and how many there are. */
static void check_proposals(const struct golden *golden, struct osp_session *session)
{
    static const char *const nodes[] = {"rpn.nms", "rpn.nms:3"}, *const names[] = {"proposals", "counts"};
    for (int k = 0; k < 2; k++) {
        int64_t n, dims[4], elements = 1;
        int rank;
        float *found;
        ok(osp_session_value(session, nodes[k], &found, dims, &rank));
        double *wanted = values(golden, names[k], "", &n);
        for (int i = 0; i < rank; i++)
            elements *= dims[i];
        assert_int_equal(elements, n);
        for (int64_t i = 0; i < n; i++)
            near(names[k], i, found[i], wanted[i], k == 0 ? PIXELS : 0);
        free(wanted);
        free(found);
    }
}

static void check_detections(const struct golden *golden, const struct osp_detections *found)
{
    for (int picture_index = 0; picture_index < golden->pictures; picture_index++) {
        const struct osp_detections *d = &found[picture_index];
        char part[16];
        int64_t count, n;
        snprintf(part, sizeof part, ".%d", picture_index);
        double *label = values(golden, "labels", part, &count), *score = values(golden, "scores", part, &n);
        double *box = values(golden, "boxes", part, &n);
        assert_int_equal(d->count, count);
        assert_int_equal(d->nonfinite, 0);
        for (int i = 0; i < count; i++) {
            assert_int_equal(d->items[i].label, label[i]);
            near("score", i, d->items[i].score, score[i], SCORE);
            for (int k = 0; k < 4; k++)
                near("box", i * 4 + k, d->items[i].box[k], box[i * 4 + k], PIXELS);
        }
        free(box);
        free(score);
        free(label);
    }
}

/* ---- Running --------------------------------------------------------------------------------------- */

static void run_case(const struct golden *golden, const char *use)
{
    struct osp_session_options options = {.use = use, .threads = 2, .keep = 1};
    struct osp_detections found[MAX_PICTURES];
    struct osp_session *session;
    ok(osp_session_open(golden->model, &options, &session));
    ok(osp_detect_batch(session, (const struct osp_image *const *)golden->picture, golden->pictures, found));
    check_stages(golden, session);
    check_proposals(golden, session);
    check_detections(golden, found);
    for (int i = 0; i < golden->pictures; i++)
        osp_detections_free(&found[i]);
    osp_session_close(session);
}

/* Pins every op of the model to the plainest rung of its ladder. */
static void plainest(const struct golden *golden, char use[USE_ROOM])
{
    struct osp_session *session;
    const struct osp_plan *plan;
    ok(osp_session_open(golden->model, NULL, &session));
    ok(osp_session_plan(session, 1, 64, 64, &plan));
    *use = '\0';
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        const char *rung, *refusal;
        char pin[128];
        osp_plan_line(plan, i, &line);
        assert_true(osp_plan_rung(plan, i, 0, &rung, &refusal));
        snprintf(pin, sizeof pin, "%s=%s", line.op, rung);
        if (!strstr(use, pin)) {
            assert_true(strlen(use) + strlen(pin) + 2 < USE_ROOM);
            strcat(strcat(use, *use ? "," : ""), pin);
        }
    }
    osp_session_close(session);
}

/* Pins every convolution to `rung` where it accepts, the others to `otherwise`; returns how many nodes `rung` has. */
static int convolutions(const struct golden *golden, const char *rung, const char *otherwise, char use[USE_ROOM])
{
    struct osp_session *session;
    const struct osp_plan *plan;
    int count = 0, length = snprintf(use, USE_ROOM, "conv2d=%s", otherwise);
    ok(osp_session_open(golden->model, NULL, &session));
    ok(osp_session_plan(session, 1, 64, 64, &plan));
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        const char *name, *refusal;
        osp_plan_line(plan, i, &line);
        for (int r = 0; !strcmp(line.op, "conv2d") && osp_plan_rung(plan, i, r, &name, &refusal); r++)
            if (!refusal && !strcmp(name, rung)) {
                length += snprintf(use + length, (size_t)(USE_ROOM - length), ",%s:conv2d=%s", line.node, rung);
                assert_true(length < USE_ROOM);
                count++;
            }
    }
    osp_session_close(session);
    return count;
}

static void detect_with(const struct golden *golden, const char *use, struct osp_detections found[MAX_PICTURES])
{
    struct osp_session *session;
    ok(osp_session_open(golden->model, &(struct osp_session_options){.use = use}, &session));
    ok(osp_detect_batch(session, (const struct osp_image *const *)golden->picture, golden->pictures, found));
    osp_session_close(session);
}

/* Winograd in every layer that it can do finds what the direct sums find. */
static void winograd_and_direct(void **state)
{
    struct golden golden;
    struct osp_detections direct[MAX_PICTURES], winograd[MAX_PICTURES];
    char use[USE_ROOM];
    open_case(*state, &golden);
    assert_true(convolutions(&golden, "winograd", "tile", use) > 0);
    detect_with(&golden, use, winograd);
    detect_with(&golden, "conv2d=tile", direct);
    for (int i = 0; i < golden.pictures; i++) {
        assert_int_equal(winograd[i].count, direct[i].count);
        for (int k = 0; k < direct[i].count; k++) {
            const struct osp_detection *a = &winograd[i].items[k], *b = &direct[i].items[k];
            assert_int_equal(a->label, b->label);
            near("score", k, a->score, b->score, SCORE);
            for (int c = 0; c < 4; c++)
                near("box", k * 4 + c, a->box[c], b->box[c], PIXELS);
        }
        osp_detections_free(&winograd[i]);
        osp_detections_free(&direct[i]);
    }
    close_case(&golden);
}

static void golden_case(void **state)
{
    struct golden golden;
    open_case(*state, &golden);
    run_case(&golden, NULL);
    close_case(&golden);
}

static void golden_case_plainest(void **state)
{
    struct golden golden;
    char use[USE_ROOM];
    open_case(*state, &golden);
    plainest(&golden, use);
    run_case(&golden, use);
    close_case(&golden);
}

/* A picture that alone is padded to the same size as in the batch gets the very same bits there: nothing of its neighbours
 * reaches it. (Where a batch pads it further, torchvision's own results for it change a little, as borders do.) */
static void alone_or_in_a_batch(void **state)
{
    struct golden golden;
    struct osp_detections batch[MAX_PICTURES], alone;
    struct osp_session *session;
    open_case("demo", &golden);
    ok(osp_session_open(golden.model, NULL, &session));
    ok(osp_detect_batch(session, (const struct osp_image *const *)golden.picture, golden.pictures, batch));
    for (int i = 0; i < golden.pictures; i++) {
        ok(osp_detect(session, golden.picture[i], &alone));
        assert_true(alone.count > 0);
        assert_int_equal(alone.count, batch[i].count);
        assert_memory_equal(alone.items, batch[i].items, (size_t)alone.count * sizeof *alone.items);
        osp_detections_free(&alone);
        osp_detections_free(&batch[i]);
    }
    osp_session_close(session);
    close_case(&golden);
}

#define CASE(name)                                                                                                               \
    {                                                                                                                            \
#name, golden_case, NULL, NULL, #name                                                                                    \
    }

#define WINOGRAD(name)                                                                                                           \
    {                                                                                                                            \
        "winograd_and_direct, " #name, winograd_and_direct, NULL, NULL, #name                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(r50),
        CASE(r50_v2),
        CASE(mobilenet),
        CASE(mobilenet_320),
        CASE(detecto_mobilenet_320),
        CASE(demo),
        {"mobilenet_320_plainest", golden_case_plainest, NULL, NULL, "mobilenet_320"},
        {"demo_plainest", golden_case_plainest, NULL, NULL, "demo"},
        cmocka_unit_test(alone_or_in_a_batch),
    };
    const struct CMUnitTest same_memory[] = { /* is reached by these: nothing new for a sanitizer */
        CASE(detecto_r50),
        CASE(detecto_mobilenet),
        WINOGRAD(r50),
        WINOGRAD(r50_v2),
        WINOGRAD(mobilenet),
        WINOGRAD(mobilenet_320),
        WINOGRAD(detecto_r50),
        WINOGRAD(detecto_mobilenet),
        WINOGRAD(detecto_mobilenet_320),
        WINOGRAD(demo),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + (SANITIZED ? 0 : cmocka_run_group_tests(same_memory, NULL, NULL));
}
