/* The settings that a weight file carries in its __metadata__: checked when they are written and when they are read. */
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "zoo.h"

enum { MAX_NAME = 200, MAX_SOURCE_NAME = 1024, MAX_NUMBER_TEXT = 256, MAX_CLASSES_TEXT = 4 << 20, QUOTE = 80 };

/* Numbers: `count` of them, commas between, each from low to high. The bounds keep every use of them in f32 finite. */
struct number {
    const char *key;
    size_t at; /* in struct osp_config */
    int whole; /* an int there, else a double */
    int count;
    double low, high;
};
#define WHOLE(field, low, high)                                                                                                  \
    {                                                                                                                            \
#field, offsetof(struct osp_config, field), 1, 1, low, high                                                              \
    }
#define REAL(key, field, n, low, high)                                                                                           \
    {                                                                                                                            \
        key, offsetof(struct osp_config, field), 0, n, low, high                                                                 \
    }

static const struct number numbers[] = {
    WHOLE(min_size, 1, 16384),
    WHOLE(max_size, 1, 16384),
    REAL("image_mean", mean, 3, -1000, 1000),
    REAL("image_std", std, 3, 1e-6, 1000),
    REAL("bn_eps", bn_eps, 1, 0, 1),
    WHOLE(rpn_pre_nms_top_n, 1, 100000),
    WHOLE(rpn_post_nms_top_n, 1, 100000),
    REAL("rpn_nms_thresh", rpn_nms_thresh, 1, 1e-6, 1),
    REAL("rpn_score_thresh", rpn_score_thresh, 1, 0, 1),
    REAL("box_nms_thresh", box_nms_thresh, 1, 1e-6, 1),
    REAL("box_score_thresh", box_score_thresh, 1, 0, 1),
    WHOLE(box_detections_per_img, 1, 100000),
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static double get_number(const struct osp_config *config, const struct number *n, int i)
{
    const char *at = (const char *)config + n->at;
    return n->whole ? *(const int *)at : ((const double *)at)[i];
}

static void set_number(struct osp_config *config, const struct number *n, int i, double value)
{
    char *at = (char *)config + n->at;
    if (n->whole)
        *(int *)at = (int)value;
    else
        ((double *)at)[i] = value;
}

/* ---- Checking ------------------------------------------------------------------------------------- */

/* "FILE: metadata 'KEY': found 'TEXT'; allowed ..." */
static osp_status refuse(const char *path, const char *key, const char *found, const char *allowed)
{
    char quoted[QUOTE];
    return osp_fail(OSP_REFUSED, "%s: metadata '%s': found '%s'; allowed %s", path, key,
                    osp_quote(quoted, sizeof quoted, found, strlen(found)), allowed);
}

static osp_status check_numbers(const struct osp_config *config, const char *path)
{
    for (int k = 0; k < NUMBERS; k++)
        for (int i = 0; i < numbers[k].count; i++) {
            const struct number *n = &numbers[k];
            double value = get_number(config, n, i);
            if (!(value >= n->low && value <= n->high))
                return osp_fail(OSP_REFUSED, "%s: metadata '%s': found %.9g; allowed are %snumbers from %g to %g", path, n->key,
                                value, n->whole ? "whole " : "", n->low, n->high);
        }
    return OSP_OK;
}

/* Is there a control character (C0, DEL or C1 in UTF-8)? A terminal would obey it. */
static int has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
            return 1;
    return 0;
}

static osp_status check_classes(const struct osp_config *config, const char *path)
{
    if (config->classes < 2 || config->classes > OSP_MAX_CLASSES)
        return osp_fail(OSP_REFUSED, "%s: metadata 'classes': found %d names; allowed are 2 to %d, the background included", path,
                        config->classes, OSP_MAX_CLASSES);
    for (int i = 0; i < config->classes; i++) {
        const char *name = config->class_name[i];
        if (!*name || strlen(name) > MAX_NAME || has_control(name))
            return refuse(path, "classes", name, "are names of 1 to 200 bytes without control characters");
    }
    if (strcmp(config->class_name[0], "__background__"))
        return refuse(path, "classes", config->class_name[0], "as the first name is '__background__'");
    return OSP_OK;
}

static osp_status check_architecture(const char *name, const char *path)
{
    char names[512] = "";
    if (osp_zoo_find(name))
        return OSP_OK;
    for (int i = 0; osp_zoo(i); i++) {
        strncat(names, i ? ", " : "are ", sizeof names - strlen(names) - 1);
        strncat(names, osp_zoo(i)->name, sizeof names - strlen(names) - 1);
    }
    return refuse(path, "architecture", name, names);
}

static osp_status check_texts(const struct osp_config *config, const char *path)
{
    if (config->norm_times != 1 && config->norm_times != 2)
        return osp_fail(OSP_REFUSED, "%s: metadata 'input_norm': found %d times; allowed are once and twice", path,
                        config->norm_times);
    if (strcmp(config->resize, "double") && strcmp(config->resize, "f32-reciprocal"))
        return refuse(path, "resize", config->resize, "are double and f32-reciprocal");
    if (strlen(config->source_name) > MAX_SOURCE_NAME || has_control(config->source_name))
        return refuse(path, "source_name", config->source_name, "are at most 1024 bytes without control characters");
    size_t digits = strlen(config->source_sha256);
    if (digits && (digits != 64 || strspn(config->source_sha256, "0123456789abcdef") != 64))
        return refuse(path, "source_sha256", config->source_sha256, "are 64 lower-case hex digits");
    return OSP_OK;
}

static osp_status check(const struct osp_config *config, const char *path)
{
    osp_status status = check_architecture(config->architecture, path);
    if (!status)
        status = check_texts(config, path);
    if (!status)
        status = check_numbers(config, path);
    if (!status)
        status = check_classes(config, path);
    return status;
}

/* The class names must be as many as the rows of the layer that scores them. A file without it is refused by the network's
 * builder. */
static osp_status check_head(const struct osp_config *config, const struct osp_safetensors *file)
{
    static const char name[] = "roi_heads.box_predictor.cls_score.weight";
    const struct osp_stored_tensor *head = osp_safetensors_find(file, name);
    if (head && head->rank == 2 && head->dim[0] != config->classes)
        return osp_fail(OSP_REFUSED, "%s: metadata 'classes': found %d names; tensor '%s' scores %lld classes",
                        osp_safetensors_path(file), config->classes, name, (long long)head->dim[0]);
    return OSP_OK;
}

/* ---- Reading -------------------------------------------------------------------------------------- */

/* Numbers are parsed as JSON's, which no locale changes: no hexadecimal, no infinity, no NaN. */
static osp_status read_number(const struct osp_safetensors *file, const struct number *n, const char *text,
                              struct osp_config *config)
{
    char list[MAX_NUMBER_TEXT + 3] = "[";
    json_t *array = NULL;
    if (strlen(text) <= MAX_NUMBER_TEXT) {
        strcat(list, text);
        strcat(list, "]");
        array = json_loads(list, 0, NULL);
    }
    int good = array && json_array_size(array) == (size_t)n->count;
    for (int i = 0; good && i < n->count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        double value = json_number_value(item);
        good = n->whole ? json_is_integer(item) && value >= n->low && value <= n->high : json_is_number(item);
        if (good)
            set_number(config, n, i, value);
    }
    json_decref(array);
    char allowed[128], how_many[32] = "is a ";
    if (n->count > 1)
        snprintf(how_many, sizeof how_many, "are %d comma-separated ", n->count);
    snprintf(allowed, sizeof allowed, "%s%snumber%s from %g to %g", how_many, n->whole ? "whole " : "", n->count > 1 ? "s" : "",
             n->low, n->high);
    return good ? OSP_OK : refuse(osp_safetensors_path(file), n->key, text, allowed);
}

static osp_status read_classes(const struct osp_safetensors *file, const char *text, struct osp_config *config)
{
    static const char allowed[] = "is a JSON array of 2 to 4096 strings";
    const char *path = osp_safetensors_path(file);
    json_t *array = strlen(text) <= MAX_CLASSES_TEXT ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    size_t count = json_array_size(array);
    osp_status status = OSP_OK;
    if (count < 2 || count > OSP_MAX_CLASSES)
        status = refuse(path, "classes", text, allowed);
    else if (!(config->class_name = calloc(count, sizeof *config->class_name)))
        status = osp_fail(OSP_MEMORY, "out of memory while the class names are read");
    for (size_t i = 0; !status && i < count; i++) {
        const char *name = json_string_value(json_array_get(array, i));
        if (!name)
            status = refuse(path, "classes", text, allowed);
        else if (!(config->class_name[i] = strdup(name)))
            status = osp_fail(OSP_MEMORY, "out of memory while the class names are read");
        else
            config->classes = (int)i + 1;
    }
    json_decref(array);
    return status;
}

static osp_status needed(const struct osp_safetensors *file, const char *key, const char **out)
{
    *out = osp_safetensors_meta(file, key);
    return *out ? OSP_OK
                : osp_fail(OSP_REFUSED, "%s: metadata '%s': missing; run osprey convert again", osp_safetensors_path(file), key);
}

static osp_status copy_text(const struct osp_safetensors *file, const char *key, const char **out)
{
    const char *text = osp_safetensors_meta(file, key);
    *out = strdup(text ? text : "");
    return *out ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while the settings are read");
}

static osp_status read_all(const struct osp_safetensors *file, struct osp_config *config)
{
    const char *text;
    osp_status status = copy_text(file, "architecture", &config->architecture);
    if (!status) /* first: another architecture has other settings */
        status = check_architecture(config->architecture, osp_safetensors_path(file));
    for (int i = 0; !status && i < NUMBERS; i++) {
        status = needed(file, numbers[i].key, &text);
        if (!status)
            status = read_number(file, &numbers[i], text, config);
    }
    if (!status)
        status = needed(file, "input_norm", &text);
    if (!status) {
        config->norm_times = !strcmp(text, "once") ? 1 : 2;
        if (strcmp(text, "once") && strcmp(text, "twice"))
            status = refuse(osp_safetensors_path(file), "input_norm", text, "are once and twice");
    }
    if (!status)
        status = needed(file, "classes", &text);
    if (!status)
        status = read_classes(file, text, config);
    if (!status)
        status = needed(file, "resize", &text);
    if (!status)
        status = copy_text(file, "resize", &config->resize);
    if (!status)
        status = copy_text(file, "source_name", &config->source_name);
    if (!status)
        status = copy_text(file, "source_sha256", &config->source_sha256);
    if (!status)
        status = check(config, osp_safetensors_path(file));
    return status ? status : check_head(config, file);
}

osp_status osp_config_read(const struct osp_safetensors *file, struct osp_config **out)
{
    if (!osp_safetensors_meta(file, "architecture"))
        return osp_fail(OSP_REFUSED, "%s is a safetensors file without osprey's metadata: run osprey convert",
                        osp_safetensors_path(file));
    struct osp_config *config = calloc(1, sizeof *config);
    if (!config)
        return osp_fail(OSP_MEMORY, "out of memory while the settings are read");
    osp_status status = read_all(file, config);
    if (status)
        osp_config_free(config);
    else
        *out = config;
    return status;
}

void osp_config_free(struct osp_config *config)
{
    if (!config)
        return;
    for (int i = 0; i < config->classes; i++)
        free((void *)config->class_name[i]);
    free((void *)config->class_name);
    free((void *)config->resize);
    free((void *)config->architecture);
    free((void *)config->source_name);
    free((void *)config->source_sha256);
    free(config);
}

/* ---- Writing -------------------------------------------------------------------------------------- */

/* Appends a number as JSON writes it: the fewest digits, 15 to 17, that give the same double again. */
static int append_number(char *text, size_t size, const struct number *n, double value)
{
    char *digits = NULL;
    json_t *number = n->whole ? json_integer((json_int_t)value) : json_real(value), *again = NULL;
    for (size_t precision = 15; number && precision <= 17; precision++) {
        free(digits);
        json_decref(again);
        digits = json_dumps(number, JSON_ENCODE_ANY | JSON_REAL_PRECISION(precision));
        again = digits ? json_loads(digits, JSON_DECODE_ANY, NULL) : NULL;
        if (!again || json_number_value(again) == value)
            break;
    }
    int good = again != NULL;
    if (good) {
        strncat(text, *text ? "," : "", size - strlen(text) - 1);
        strncat(text, digits, size - strlen(text) - 1);
    }
    json_decref(again);
    json_decref(number);
    free(digits);
    return good;
}

static char *numbers_text(const struct osp_config *config, const struct number *n)
{
    char text[MAX_NUMBER_TEXT] = "";
    for (int i = 0; i < n->count; i++)
        if (!append_number(text, sizeof text, n, get_number(config, n, i)))
            return NULL;
    return strdup(text);
}

static char *classes_text(const struct osp_config *config)
{
    json_t *array = json_array();
    int good = array != NULL;
    for (int i = 0; good && i < config->classes; i++)
        good = !json_array_append_new(array, json_string(config->class_name[i]));
    char *text = good ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    return text;
}

osp_status osp_config_meta(const struct osp_config *config, struct osp_meta *pairs, int *count)
{
    osp_status status = check(config, "the settings");
    if (status)
        return status;
    int n = 0;
    pairs[n++] = (struct osp_meta){"architecture", strdup(config->architecture)};
    pairs[n++] = (struct osp_meta){"classes", classes_text(config)};
    for (int i = 0; i < NUMBERS; i++)
        pairs[n++] = (struct osp_meta){numbers[i].key, numbers_text(config, &numbers[i])};
    pairs[n++] = (struct osp_meta){"input_norm", strdup(config->norm_times == 2 ? "twice" : "once")};
    pairs[n++] = (struct osp_meta){"resize", strdup(config->resize)};
    if (*config->source_name)
        pairs[n++] = (struct osp_meta){"source_name", strdup(config->source_name)};
    if (*config->source_sha256)
        pairs[n++] = (struct osp_meta){"source_sha256", strdup(config->source_sha256)};
    for (int i = 0; i < n; i++)
        if (!pairs[i].value) {
            osp_config_meta_free(pairs, n);
            return osp_fail(OSP_MEMORY, "out of memory while the settings are written, or a class name is not UTF-8");
        }
    *count = n;
    return OSP_OK;
}

void osp_config_meta_free(struct osp_meta *pairs, int count)
{
    for (int i = 0; i < count; i++)
        free((void *)pairs[i].value);
}
