/* osprey convert: a PyTorch checkpoint becomes a weight file. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/convert_model.h"
#include "options.h"
#include "tools.h"

enum { MAX_CLASS_TEXT = 1 << 20 };

static const struct command_help help = {
    .name = "convert",
    .usage = "IN -o OUT.safetensors [options]",
    .about = "Turns a checkpoint into a weight file for osprey detect. IN is a .pth of PyTorch (zip or legacy stream), read as "
             "data: nothing\n"
             "in it is ever executed; or a safetensors file. It holds a state dict, at the top or under model, state_dict or\n"
             "model_state_dict. The network and the number of classes are found from the tensors.",
    .notes = "Detecto saves hold no class names and no settings:\n"
             "  osprey convert save.pth -o pets.safetensors --classes cat,dog --input-norm twice\n"
             "with the classes in the order in which they were given to detecto.core.Model.",
};

/* ---- Class names ---------------------------------------------------------------------------------- */

/* Names in one block of text, cut apart in place. */
struct class_list {
    char *text;
    const char **name;
    int count;
};

static void free_classes(struct class_list *list)
{
    free(list->text);
    free(list->name);
}

/* Cuts the text at `separator`; spaces and carriage returns around a name are dropped, and so is an empty last line. */
static bool cut_classes(struct class_list *list, char separator, const char *option)
{
    size_t most = 1;
    for (const char *c = list->text; *c; c++)
        most += *c == separator;
    list->name = calloc(most, sizeof *list->name);
    if (!list->name) {
        say("out of memory: %zu class names", most);
        return false;
    }
    const char apart[] = {separator, 0};
    for (char *rest = list->text, *name; (name = strsep(&rest, apart));) {
        name += strspn(name, " \t");
        for (char *end = name + strlen(name); end > name && strchr(" \t\r", end[-1]); end--)
            end[-1] = '\0';
        if (!*name && !rest && separator == '\n')
            break;
        char *clean = clean_text(name, false);
        bool good = *name && clean && strcmp(clean, name) == 0;
        if (!good)
            say("%s: found \"%s\" as name %d, allowed is UTF-8 text without control characters", option, name, list->count + 1);
        free(clean);
        if (!good)
            return false;
        list->name[list->count++] = name;
    }
    return true;
}

static bool read_classes(const char *classes, const char *path, struct class_list *list)
{
    if (classes && path) {
        say("--classes and --classes-file say the same thing: give one of them");
        return false;
    }
    if (classes) {
        list->text = strdup(classes);
        return list->text && cut_classes(list, ',', "--classes");
    }
    struct osp_file file;
    if (osp_file_map(path, &file) != OSP_OK) {
        say("--classes-file: %s", osp_message());
        return false;
    }
    bool good = file.size <= MAX_CLASS_TEXT && !memchr(file.size ? file.data : (const uint8_t *)"", 0, file.size);
    if (good)
        list->text = strndup(file.size ? (const char *)file.data : "", file.size);
    else
        say("--classes-file: found %zu bytes in %s, allowed is a text of at most %d", file.size, path, MAX_CLASS_TEXT);
    osp_file_unmap(&file);
    return good && list->text && cut_classes(list, '\n', "--classes-file");
}

/* ---- What was done -------------------------------------------------------------------------------- */

static void print_summary(const struct convert_options *o, const struct convert_report *report, const struct osp_model_info *info,
                          const char *sha256)
{
    printf("%s\n", o->output);
    printf("  from         %s (%s%s%s)\n", info->source_name, report->format, *report->key ? ", under " : "", report->key);
    printf("               sha256 %s\n", info->source_sha256);
    printf("  network      %s\n", info->architecture);
    printf("  classes      %d and the background:", info->classes - 1);
    for (int i = 1; i < info->classes && i <= 8; i++) {
        char *name = clean_text(osp_model_class(report->model, i), false);
        printf(" %s%s", name ? name : "?", i + 1 < info->classes ? "," : "");
        free(name);
    }
    printf("%s\n", info->classes > 9 ? " ..." : "");
    printf("  parameters   %lld in %d tensors, stored as %s\n", (long long)info->parameters, report->tensors,
           o->f16 ? "F16 (1-D as F32)" : "F32");
    printf("  bn eps       %g\n", info->bn_eps);
    printf("  input norm   %s\n", info->input_norm);
    printf("  resize       shorter side %d, longer at most %d, rule %s\n", info->min_size, info->max_size, info->resize);
    if (report->nonfinite)
        printf("  not finite   %llu values\n", (unsigned long long)report->nonfinite);
    printf("  written      %lld bytes, sha256 %s\n", (long long)info->file_bytes, sha256);
}

static void print_json(const struct convert_options *o, const struct convert_report *report, const struct osp_model_info *info,
                       const char *sha256)
{
    char *output = clean_text(o->output, true);
    json_t *classes = json_array();
    for (int i = 0; i < info->classes; i++)
        json_array_append_new(classes, json_string(osp_model_class(report->model, i)));
    json_t *source = json_pack("{s:s, s:s, s:s, s:s}", "name", info->source_name, "sha256", info->source_sha256, "format",
                               report->format, "key", report->key);
    json_t *all = json_pack(
        "{s:s, s:o, s:s, s:o, s:I, s:i, s:s, s:f, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:s}", "file", output ? output : "",
        "source", source, "architecture", info->architecture, "classes", classes, "parameters", (json_int_t)info->parameters,
        "tensors", report->tensors, "stored", o->f16 ? "F16" : "F32", "bn_eps", info->bn_eps, "input_norm", info->input_norm,
        "resize", info->resize, "min_size", info->min_size, "max_size", info->max_size, "dropped", report->dropped, "unused",
        report->unused, "nonfinite", (json_int_t)report->nonfinite, "bytes", (json_int_t)info->file_bytes, "sha256", sha256);
    if (!all || json_dumpf(all, stdout, JSON_COMPACT) != 0)
        say("out of memory while the result is printed");
    putchar('\n');
    json_decref(all);
    free(output);
}

/* ---- The command ---------------------------------------------------------------------------------- */

/* OPTION must be one of two words (or not given): 0, 1 or 2; -1 after a sentence. */
static int which(const char *option, const char *given, const char *first, const char *second)
{
    if (!given)
        return 0;
    if (strcmp(given, first) == 0 || strcmp(given, second) == 0)
        return strcmp(given, first) == 0 ? 1 : 2;
    say("%s: found \"%s\", allowed are %s and %s", option, given, first, second);
    return -1;
}

static int run(const struct convert_options *options, bool json)
{
    struct convert_report report;
    struct osp_model_info info;
    const char *sha256;
    osp_status status = convert_model(options, &report);
    if (status == OSP_UNREADABLE) { /* an unreadable checkpoint is a model that is refused */
        say_failure(status);
        return EXIT_MODEL;
    }
    if (status != OSP_OK)
        return say_failure(status);
    osp_model_describe(report.model, &info);
    status = osp_model_sha256(report.model, &sha256);
    if (status == OSP_OK && json)
        print_json(options, &report, &info, sha256);
    else if (status == OSP_OK)
        print_summary(options, &report, &info, sha256);
    convert_report_free(&report);
    return status == OSP_OK ? EXIT_DONE : say_failure(status);
}

int tool_convert(int argc, char **argv)
{
    struct convert_options o = {.bn_eps = -1, .remark = say};
    const char *classes = NULL, *classes_file = NULL, *norm = NULL, *resize = NULL;
    int json = 0, f16 = 0, nonfinite = 0, count;
    const struct option table[] = {
        {.name = "options:"},
        {"output", 'o', OPTION_TEXT, &o.output, "FILE", "the weight file to write", 0, 0},
        {"model", 0, OPTION_TEXT, &o.model, "NAME", "the network, where several have the same tensors", 0, 0},
        {"classes", 0, OPTION_TEXT, &classes, "A,B,C", "class names in the order of training, without the background", 0, 0},
        {"classes-file", 0, OPTION_TEXT, &classes_file, "FILE", "the same, one on a line", 0, 0},
        {"input-norm", 0, OPTION_TEXT, &norm, "WORD", "once (torchvision) or twice (Detecto)", 0, 0},
        {"bn-eps", 0, OPTION_REAL, &o.bn_eps, "X", "eps of batch norm, where the default is not right", 0, 1},
        {"min-size", 0, OPTION_INT, &o.min_size, "N", "pixels of the shorter side", 1, 16384},
        {"max-size", 0, OPTION_INT, &o.max_size, "N", "most pixels of the longer side", 1, 16384},
        {"resize", 0, OPTION_TEXT, &resize, "RULE", "double (default) or f32-reciprocal (torchvision 0.12 to 0.14)", 0, 0},
        {"f16", 0, OPTION_FLAG, &f16, NULL, "store weights as F16: half the size", 0, 0},
        {"allow-nonfinite", 0, OPTION_FLAG, &nonfinite, NULL, "take NaN and infinite values as they are", 0, 0},
        {"json", 0, OPTION_FLAG, &json, NULL, "print the result as one JSON object", 0, 0},
        {0}};
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    struct class_list list = {0};
    int parsed = rest ? options_parse(argc, argv, table, &help, rest, &count) : -1, status = EXIT_USAGE, rule = 0;
    if (parsed == 1)
        status = EXIT_DONE;
    if (parsed == 0 && (count != 1 || !o.output)) {
        say(count != 1 ? "convert takes one checkpoint; --help tells more"
                       : "convert wants -o OUT.safetensors; --help tells more");
        parsed = -1;
    }
    if (parsed == 0) {
        o.norm_times = which("--input-norm", norm, "once", "twice");
        rule = which("--resize", resize, "double", "f32-reciprocal");
    }
    if (parsed == 0 && o.norm_times >= 0 && rule >= 0 &&
        ((!classes && !classes_file) || read_classes(classes, classes_file, &list))) {
        o.input = rest[0];
        o.classes = list.name;
        o.class_count = list.count;
        o.resize = resize;
        o.f16 = f16;
        o.allow_nonfinite = nonfinite;
        status = run(&o, json);
    }
    free_classes(&list);
    free(rest);
    return status;
}
