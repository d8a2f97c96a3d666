/* osprey info: what a weight file holds, and what running it costs. */
#include "info.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "runtime/file.h"
#include "tools.h"

static const struct command_help help = {
    .name = "info",
    .usage = "[options] [FILE]",
    .about = "Prints what a weight file holds: network, classes, sizes, thresholds, parameters, where it came from.\n"
             "FILE is a file written by osprey convert; without it, the demo model.",
    .notes =
        "HxW is the size of the network's input, multiples of 32, height first: a picture is resized and padded to it.\n"
        "Work is counted in multiply-adds of convolutions and matrix products, with every proposal that the network allows."};

/* Padding goes to multiples of this (torchvision's size_divisible). */
enum { STEP = 32, LARGEST = 16384 };

struct info {
    struct option_size work, kernels, memory;
    struct osp_session_options session_options;
    int layers, json, batch;
    struct osp_model *model;
    struct osp_session *session;
};

static int parse(struct info *info, int argc, char **argv, char **rest, int *rest_count)
{
    const struct option table[] = {
        {.name = "what to print"},
        {"flops", 0, OPTION_SIZE, &info->work, "HxW", "work by stage for a network input of this size", STEP, LARGEST},
        {"layers", 0, OPTION_FLAG, &info->layers, NULL, "with --flops: by layer too", 0, 0},
        {"plan", 0, OPTION_SIZE, &info->kernels, "HxW", "every kernel chosen, and why others were not", STEP, LARGEST},
        {"memory", 0, OPTION_SIZE, &info->memory, "HxW", "memory for activations and weights, and a forecast for batches", STEP,
         LARGEST},
        {"json", 0, OPTION_FLAG, &info->json, NULL, "all of it as one JSON object", 0, 0},
        {.name = "for which plan"},
        {"batch", 0, OPTION_INT, &info->batch, "N", "pictures at a time (default: 1)", 1, 256},
        {"backend", 0, OPTION_TEXT, &info->session_options.backend, "NAME", "what computes (default: cpu)", 0, 0},
        {"precision", 0, OPTION_TEXT, &info->session_options.precision, "P",
         "of products: f32, tf32, f16 or bf16, where the backend has\nkernels of it (default: f32)", 0, 0},
        {"isa", 0, OPTION_TEXT, &info->session_options.isa, "X", "cpu: portable, avx2 or avx512 (default: the best here)", 0, 0},
        {"driver", 0, OPTION_TEXT, &info->session_options.driver, "PATH",
         "cuda: the driver library, or ptx for the one that interprets\nPTX (default: $OSPREY_CUDA_DRIVER, or libcuda.so.1)", 0,
         0},
        {"device", 0, OPTION_INT, &info->session_options.device, "N", "cuda: which GPU, from 0", 0, 255},
        {"emu", 0, OPTION_TEXT, &info->session_options.emu, "MODE",
         "emu: fast, shuffled=SEED, check or count (default: fast); behind it\nmay stand ,multiprocessors=N and ,arch=80: what "
         "it poses as",
         0, 0},
        {"threads", 0, OPTION_INT, &info->session_options.threads, "N", "as in detect", 1, 1024},
        {"use", 0, OPTION_TEXT, &info->session_options.use, "OP=RUNG", "pin a kernel, as in detect", 0, 0},
        {"tuned", 0, OPTION_MAYBE, &info->session_options.tuned, "F", "kernels as osprey bench --tune chose them, as in detect",
         0, 0},
        {.name = NULL}};
    info->batch = 1;
    return options_parse(argc, argv, table, &help, rest, rest_count);
}

/* ---- The file ----------------------------------------------------------------------------------- */

static void print_classes(const struct osp_model *model, int classes)
{
    printf("classes      %d, background included:", classes);
    for (int i = 0, column = 40; i < classes; i++) {
        char *name = clean_text(osp_model_class(model, i), false);
        int length = name ? (int)strlen(name) : 0;
        if (column + length > 110) {
            printf("\n            ");
            column = 12;
        }
        printf(" %d %s%s", i, name ? name : "", i + 1 < classes ? "," : "");
        column += length + 5;
        free(name);
    }
    putchar('\n');
}

static void print_model(const struct osp_model *model, const struct osp_model_info *m, const char *sha256)
{
    char *path = clean_text(m->path, false), *source = clean_text(m->source_name, false);
    printf("file         %s, %lld bytes\n", path ? path : "", (long long)m->file_bytes);
    printf("sha256       %s\n", sha256);
    printf("converted    from %s\n", source && *source ? source : "a source that it does not name");
    if (*m->source_sha256)
        printf("             sha256 %s\n", m->source_sha256);
    printf("network      %s, %lld parameters\n", m->architecture, (long long)m->parameters);
    print_classes(model, m->classes);
    printf("input        shorter side to %d, longer at most %d; resize rule %s; normalised %s\n", m->min_size, m->max_size,
           m->resize, m->input_norm);
    printf("proposals    %d a level before NMS at %g, %d after; score above %g\n", m->rpn_pre_nms, m->rpn_nms_threshold,
           m->rpn_post_nms, m->rpn_score_threshold);
    printf("detections   score above %g, NMS at %g, at most %d a picture\n", m->box_score_threshold, m->box_nms_threshold,
           m->detections_per_image);
    printf("batch norm   eps %g\n", m->bn_eps);
    free(path);
    free(source);
}

static json_t *model_json(const struct osp_model *model, const struct osp_model_info *m, const char *sha256)
{
    json_t *classes = json_array();
    for (int i = 0; i < m->classes; i++)
        json_array_append_new(classes, json_text(osp_model_class(model, i)));
    return json_pack("{so ss sI so ss ss sI so si si ss ss sf si si sf sf sf sf si}", "file", json_text(m->path), "sha256",
                     sha256, "bytes", (json_int_t)m->file_bytes, "source", json_text(m->source_name), "source_sha256",
                     m->source_sha256, "architecture", m->architecture, "parameters", (json_int_t)m->parameters, "classes",
                     classes, "min_size", m->min_size, "max_size", m->max_size, "resize", m->resize, "input_norm", m->input_norm,
                     "bn_eps", m->bn_eps, "rpn_pre_nms", m->rpn_pre_nms, "rpn_post_nms", m->rpn_post_nms, "rpn_nms_threshold",
                     m->rpn_nms_threshold, "rpn_score_threshold", m->rpn_score_threshold, "box_score_threshold",
                     m->box_score_threshold, "box_nms_threshold", m->box_nms_threshold, "detections_per_image",
                     m->detections_per_image);
}

/* ---- The report --------------------------------------------------------------------------------- */

static osp_status check_size(const char *option, const struct option_size *size)
{
    if (size->height % STEP == 0 && size->width % STEP == 0)
        return OSP_OK;
    return osp_fail(OSP_USAGE, "--%s: found %dx%d, allowed are multiples of %d: the network pads its input to them", option,
                    size->height, size->width, STEP);
}

static osp_status check_sizes(const struct info *info)
{
    osp_status status = check_size("flops", &info->work);
    if (status == OSP_OK)
        status = check_size("plan", &info->kernels);
    if (status == OSP_OK)
        status = check_size("memory", &info->memory);
    if (status == OSP_OK && info->layers && !info->work.height)
        status = osp_fail(OSP_USAGE, "--layers wants --flops HxW");
    return status;
}

static osp_status plan_for(const struct info *info, const struct option_size *size, const struct osp_plan **out)
{
    return osp_session_plan(info->session, info->batch, size->height, size->width, out);
}

static osp_status report_plans(struct info *info, json_t *json)
{
    const struct osp_plan *plan;
    osp_status status = OSP_OK;
    if (!info->work.height && !info->kernels.height && !info->memory.height)
        return OSP_OK;
    status = osp_session_open(info->model, &info->session_options, &info->session);
    if (status == OSP_OK && info->work.height && (status = plan_for(info, &info->work, &plan)) == OSP_OK)
        info_work(plan, info->layers, json);
    if (status == OSP_OK && info->kernels.height && (status = plan_for(info, &info->kernels, &plan)) == OSP_OK)
        info_kernels(plan, json);
    if (status == OSP_OK && info->memory.height && (status = plan_for(info, &info->memory, &plan)) == OSP_OK) {
        info_memory(plan, json);
        status = info_forecast(info->model, info->session, info->batch > 32 ? info->batch : 32, info->memory.height,
                               info->memory.width, json);
    }
    return status;
}

static osp_status report(struct info *info)
{
    struct osp_model_info model;
    const char *sha256;
    osp_model_describe(info->model, &model);
    osp_status status = osp_model_sha256(info->model, &sha256);
    if (status != OSP_OK)
        return status;
    if (!info->json) {
        print_model(info->model, &model, sha256);
        return report_plans(info, NULL);
    }
    json_t *json = model_json(info->model, &model, sha256);
    status = json ? report_plans(info, json) : output_no_memory();
    if (status == OSP_OK) {
        json_dumpf(json, stdout, JSON_DIGITS | JSON_INDENT(1));
        putchar('\n');
    }
    json_decref(json);
    return status;
}

static int run(struct info *info, char **rest, int rest_count)
{
    if (rest_count > 1) {
        say("info takes one FILE, found %d", rest_count);
        return EXIT_USAGE;
    }
    osp_status status = check_sizes(info);
    if (status != OSP_OK)
        return say_failure(status);
    status = osp_model_open(rest_count ? rest[0] : NULL, &info->model);
    if (status != OSP_OK)
        return say_model_failure(status);
    status = report(info);
    if (status == OSP_OK)
        status = stdout_flush();
    return status == OSP_OK ? EXIT_DONE : say_failure(status);
}

int tool_info(int argc, char **argv)
{
    struct info info = {0};
    int rest_count, status;
    char **rest = calloc((size_t)argc, sizeof *rest);
    if (!rest)
        return say_failure(output_no_memory());
    int parsed = parse(&info, argc, argv, rest, &rest_count);
    if (parsed != 0)
        status = parsed < 0 ? EXIT_USAGE : EXIT_DONE;
    else
        status = run(&info, rest, rest_count);
    osp_session_close(info.session);
    osp_model_close(info.model);
    free(rest);
    return status;
}
