/* The networks: work by stage against performance.md section 3, folding, anchors, identification, refusals.
 * Weights come from a sparse file: its header is that of a real one, its data are holes (zeros) but for what a test writes. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/zoo.h"
#include "runtime/backend.h"
#include "runtime/graph.h"

enum { MAX_TENSORS = 400, MAX_PAIRS = 32, COCO = 91 };

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* ---- Lists of tensors, and files made from them --------------------------------------------------- */

struct listed {
    char name[80];
    int rank;
    int64_t dim[4];
    int64_t at, count; /* in the file's data, in floats */
};

struct list {
    int count;
    struct listed tensor[MAX_TENSORS];
};

/* Reads tests/golden/NAME.tensors: a name, two numbers, sizes; K is the number of classes and 4K four times it. */
static void read_list(const char *name, int classes, struct list *out)
{
    char path[160], line[256];
    snprintf(path, sizeof path, "tests/golden/%s.tensors", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out->count = 0;
    int64_t at = 0;
    while (fgets(line, sizeof line, file)) {
        assert_in_range(out->count, 0, MAX_TENSORS - 1);
        struct listed *t = &out->tensor[out->count++];
        char *word = strtok(line, " \n");
        snprintf(t->name, sizeof t->name, "%s", word);
        strtok(NULL, " \n");
        strtok(NULL, " \n");
        t->rank = 0;
        t->count = 1;
        while ((word = strtok(NULL, " \n"))) {
            assert_in_range(t->rank, 0, 3);
            t->dim[t->rank] = !strcmp(word, "K") ? classes : !strcmp(word, "4K") ? 4 * classes : atoll(word);
            t->count *= t->dim[t->rank++];
        }
        t->at = at;
        at += t->count;
    }
    fclose(file);
}

static const struct listed *find(const struct list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->tensor[i].name, name))
            return &list->tensor[i];
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static int has(void *context, const char *name)
{
    const struct list *list = context;
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->tensor[i].name, name))
            return 1;
    return 0;
}

/* JSON's quoting of a metadata value, which holds quotes but nothing else to escape. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\\\"" : "%c", *text);
    fputc('"', out);
}

struct sparse {
    char path[64];
    int fd;
    int64_t data; /* where tensors start */
};

static void make_sparse(const struct list *list, const struct osp_config *config, struct sparse *out)
{
    struct osp_meta pairs[MAX_PAIRS];
    char *header = NULL;
    size_t size = 0;
    int count;
    must(osp_config_meta(config, pairs, &count));
    FILE *text = open_memstream(&header, &size);
    fprintf(text, "{\"__metadata__\":{");
    for (int i = 0; i < count; i++) {
        fprintf(text, i ? ",\"%s\":" : "\"%s\":", pairs[i].key);
        put_quoted(text, pairs[i].value);
    }
    fputc('}', text);
    int64_t end = 0;
    for (int i = 0; i < list->count; i++) {
        const struct listed *t = &list->tensor[i];
        fprintf(text, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", t->name);
        for (int d = 0; d < t->rank; d++)
            fprintf(text, d ? ",%lld" : "%lld", (long long)t->dim[d]);
        end = (t->at + t->count) * 4;
        fprintf(text, "],\"data_offsets\":[%lld,%lld]}", (long long)t->at * 4, (long long)end);
    }
    fputc('}', text);
    fclose(text);
    osp_config_meta_free(pairs, count);

    snprintf(out->path, sizeof out->path, "/tmp/osprey-models-XXXXXX");
    out->fd = mkstemp(out->path);
    uint64_t length = size;
    out->data = 8 + (int64_t)size;
    assert_int_equal(write(out->fd, &length, 8), 8);
    assert_int_equal(write(out->fd, header, size), (ssize_t)size);
    assert_int_equal(ftruncate(out->fd, out->data + end), 0);
    free(header);
}

static void put_float(const struct sparse *sparse, const struct listed *tensor, int64_t index, float value)
{
    assert_in_range(index, 0, tensor->count - 1);
    assert_int_equal(pwrite(sparse->fd, &value, sizeof value, sparse->data + (tensor->at + index) * 4), sizeof value);
}

static void remove_sparse(struct sparse *sparse)
{
    close(sparse->fd);
    unlink(sparse->path);
}

static struct osp_config coco_config(const char *architecture)
{
    struct osp_config config = osp_zoo_find(architecture)->defaults;
    config.classes = COCO;
    config.class_name = (const char **)osp_coco_classes;
    config.bn_eps = 1e-5; /* all variances are 0 */
    return config;
}

/* ---- Work ----------------------------------------------------------------------------------------- */

/* GMAC; performance.md section 3. Stages as far as that page gives them, 0: not given. */
static const struct {
    const char *list, *architecture;
    int h, w, layers;
    double total, body, fpn, rpn, box_head;
} work[] = {
    {"fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn", 800, 1088, 80, 177.581734, 70.899303, 49.299456, 43.023424, 14.359552},
    {"fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn", 800, 1344, 80, 215.986953, 87.581491, 60.899328, 53.146583, 14.359552},
    {"fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn", 800, 800, 80, 134.379721, 52.131840, 36.249600, 31.638729, 14.359552},
    {"fasterrcnn_resnet50_fpn_v2", "fasterrcnn_resnet50_fpn_v2", 800, 1088, 0, 334.884, 70.899303, 49.299456, 0, 0},
    {"fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn", 320, 448, 79, 3.159928, 0.608861, 0.205292,
     0.191843, 2.153932},
    {"fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_fpn", 800, 1088, 79, 20.464911, 0, 0, 0, 14.359552},
};

static void close_to(double found, double wanted, double error)
{
    if (!(fabs(found - wanted) <= error))
        print_error("found %.6f, wanted %.6f\n", found, wanted);
    assert_true(fabs(found - wanted) <= error);
}

struct sums {
    double total, body, fpn, rpn, box_head;
    int layers;
};

/* Adds up a plan's lines; every stage must be one of osprey.h's, in order. */
static struct sums sum_work(struct osp_session *session, int h, int w)
{
    static const char *const stages[] = {"preprocess", "body", "fpn", "rpn", "proposals", "roi_align", "box_head", "detections"};
    const struct osp_plan *plan;
    struct sums sums = {0};
    size_t stage = 0;
    must(osp_session_plan(session, 1, h, w, &plan));
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        while (stage < sizeof stages / sizeof *stages && strcmp(stages[stage], line.stage))
            stage++;
        assert_true(stage < sizeof stages / sizeof *stages);
        double gmac = line.macs / 1e9;
        sums.total += gmac;
        sums.layers += line.macs > 0;
        sums.body += stage == 1 ? gmac : 0;
        sums.fpn += stage == 2 ? gmac : 0;
        sums.rpn += stage == 3 ? gmac : 0;
        sums.box_head += stage == 6 ? gmac : 0;
    }
    assert_int_equal(stage, sizeof stages / sizeof *stages - 1);
    return sums;
}

static void work_is_as_published(void **state)
{
    static struct list list;
    for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
        struct osp_config config = coco_config(work[i].architecture);
        struct sparse sparse;
        struct osp_model *model;
        struct osp_session *session;
        read_list(work[i].list, COCO, &list);
        make_sparse(&list, &config, &sparse);
        must(osp_model_open(sparse.path, &model));
        must(osp_session_open(model, NULL, &session));
        struct sums sums = sum_work(session, work[i].h, work[i].w);
        close_to(sums.total, work[i].total, strstr(work[i].architecture, "v2") ? 5e-4 : 6e-7);
        if (work[i].layers)
            assert_int_equal(sums.layers, work[i].layers);
        /* stages are sums of figures rounded to six places */
        if (work[i].body > 0)
            close_to(sums.body, work[i].body, 1e-5);
        if (work[i].fpn > 0)
            close_to(sums.fpn, work[i].fpn, 2e-6);
        if (work[i].rpn > 0)
            close_to(sums.rpn, work[i].rpn, 2e-6);
        if (work[i].box_head > 0)
            close_to(sums.box_head, work[i].box_head, 2e-6);
        osp_session_close(session);
        osp_model_close(model);
        remove_sparse(&sparse);
    }
}

static void demo_work_is_as_on_its_card(void **state)
{
    struct osp_model *model;
    struct osp_session *session;
    must(osp_model_open(NULL, &model));
    must(osp_session_open(model, NULL, &session));
    close_to(sum_work(session, 320, 320).total, 1.171368, 6e-7);
    assert_string_equal(osp_model_class(model, 1), "face");
    assert_null(osp_model_class(model, 4));
    assert_null(osp_model_class(model, -1));
    osp_session_close(session);
    osp_model_close(model);
}

/* So that all stays below 450 MB: the program, its libraries and a picture take about ten. */
static void resnet50_needs_440_MB(void **state)
{
    static struct list list;
    struct osp_config config = coco_config("fasterrcnn_resnet50_fpn");
    struct sparse sparse;
    struct osp_model *model;
    struct osp_session *session;
    const struct osp_plan *plan;
    struct osp_plan_memory memory;
    read_list("fasterrcnn_resnet50_fpn", COCO, &list);
    make_sparse(&list, &config, &sparse);
    must(osp_model_open(sparse.path, &model));
    must(osp_session_open(model, &(struct osp_session_options){.threads = 2}, &session));
    must(osp_session_plan(session, 1, 800, 1088, &plan));
    osp_plan_memory(plan, &memory);
    assert_true(memory.arena < 134e6);
    assert_true((double)memory.arena + (double)memory.weights < 440e6);
    osp_session_close(session);
    osp_model_close(model);
    remove_sparse(&sparse);
}

/* ---- What the graph holds ------------------------------------------------------------------------- */

static const struct osp_graph_node *node_of(const struct osp_model *model, const char *name)
{
    const struct osp_graph *graph = osp_model_graph(model);
    int node = osp_graph_find(graph, name);
    if (node < 0)
        print_error("no node '%s'\n", name);
    assert_true(node >= 0);
    return &graph->nodes[node];
}

static float constant_at(const struct osp_model *model, const char *node, int slot, int64_t row, int64_t column)
{
    static float values[12544];
    const struct osp_constant *constant = osp_model_graph(model)->constants[node_of(model, node)->weight[slot]];
    osp_constant_rows(constant, row, 1, values);
    return values[column];
}

static void batch_norm_is_folded_and_columns_reordered(void **state)
{
    static struct list list;
    struct osp_config config = coco_config("fasterrcnn_mobilenet_v3_large_fpn");
    struct sparse sparse;
    struct osp_model *model;
    read_list("fasterrcnn_mobilenet_v3_large_fpn", COCO, &list);
    make_sparse(&list, &config, &sparse);
    /* the stem's filter 5: weight 2 at its place 7, batch norm (0.5, 0.25, 3, 4) */
    put_float(&sparse, find(&list, "backbone.body.0.0.weight"), 5 * 27 + 7, 2);
    put_float(&sparse, find(&list, "backbone.body.0.1.weight"), 5, 0.5f);
    put_float(&sparse, find(&list, "backbone.body.0.1.bias"), 5, 0.25f);
    put_float(&sparse, find(&list, "backbone.body.0.1.running_mean"), 5, 3);
    put_float(&sparse, find(&list, "backbone.body.0.1.running_var"), 5, 4);
    /* a depthwise filter, the same way */
    put_float(&sparse, find(&list, "backbone.body.1.block.0.0.weight"), 2 * 9 + 4, 8);
    put_float(&sparse, find(&list, "backbone.body.1.block.0.1.weight"), 2, 1);
    put_float(&sparse, find(&list, "backbone.body.1.block.0.1.running_var"), 2, 16);
    /* a plain bias; and fc6's row 3, channel 10 at (y 2, x 5) of the 7x7 map */
    put_float(&sparse, find(&list, "backbone.fpn.inner_blocks.1.0.bias"), 255, 1.5f);
    put_float(&sparse, find(&list, "roi_heads.box_head.fc6.weight"), 3 * 12544 + 10 * 49 + 2 * 7 + 5, 6);
    put_float(&sparse, find(&list, "roi_heads.box_predictor.bbox_pred.bias"), 363, -2);
    must(osp_model_open(sparse.path, &model));

    double s = 0.5 / sqrt(4 + 1e-5);
    assert_true(constant_at(model, "backbone.body.0.0", OSP_WEIGHT, 5, 7) == (float)(2 * s));
    assert_true(constant_at(model, "backbone.body.0.0", OSP_BIAS, 5, 0) == (float)(0.25 - 3 * s));
    assert_true(constant_at(model, "backbone.body.1.block.0.0", OSP_WEIGHT, 2, 4) == (float)(8 / sqrt(16 + 1e-5)));
    assert_true(constant_at(model, "backbone.fpn.inner_blocks.1.0", OSP_BIAS, 255, 0) == 1.5f);
    assert_true(constant_at(model, "roi_heads.box_head.fc6", OSP_WEIGHT, 3, (2 * 7 + 5) * 256 + 10) == 6);
    assert_true(constant_at(model, "roi_heads.box_predictor.bbox_pred", OSP_BIAS, 363, 0) == -2);
    /* fused: hardswish in the stem, the input in block 1's projection, hardsigmoid in the excitation */
    assert_int_equal(node_of(model, "backbone.body.0.0")->attrs.conv2d.activation, OSP_HARDSWISH);
    assert_int_equal(node_of(model, "backbone.body.1.block.1.0")->in[OSP_CONV2D_RESIDUAL],
                     node_of(model, "backbone.body.0.0")->out);
    assert_int_equal(node_of(model, "backbone.body.4.block.2.fc2")->attrs.conv2d.activation, OSP_HARDSIGMOID);
    /* the levels of the RPN head share weights */
    assert_int_equal(node_of(model, "rpn.head.conv.0.0/level0")->weight[0],
                     node_of(model, "rpn.head.conv.0.0/level2")->weight[0]);
    osp_model_close(model);
    remove_sparse(&sparse);
}

static void anchors_and_limits_are_torchvisions(void **state)
{
    static const float wide[] = {-23, -11, 23, 11}, tall[] = {-181, -362, 181, 362};
    static struct list list;
    struct osp_config config = coco_config("fasterrcnn_resnet50_fpn");
    struct sparse sparse;
    struct osp_model *model;
    read_list("fasterrcnn_resnet50_fpn", COCO, &list);
    make_sparse(&list, &config, &sparse);
    must(osp_model_open(sparse.path, &model));
    const struct osp_rpn_decode_attrs *decode = &node_of(model, "rpn.decode")->attrs.rpn_decode;
    assert_int_equal(decode->anchors, 3);
    assert_int_equal(decode->levels, 5);
    assert_memory_equal(decode->base[0][0], wide, sizeof wide);
    assert_memory_equal(decode->base[4][2], tall, sizeof tall);
    /* 20 classes can have a probability above 0.05; the threshold 0.7 is rounded down to f32 */
    assert_int_equal(node_of(model, "roi_heads.box_decode")->attrs.box_decode.slots, 20);
    assert_true(node_of(model, "rpn.nms")->attrs.nms.threshold <= 0.7);
    assert_int_equal(node_of(model, "roi_heads.roi_align")->attrs.roi_align.levels, 4);
    osp_model_close(model);
    remove_sparse(&sparse);

    /* all five sizes at each of MobileNet's positions, ratio by ratio */
    static const float third[] = {-91, -45, 91, 45};
    config = coco_config("fasterrcnn_mobilenet_v3_large_fpn");
    config.box_score_thresh = 0;
    read_list("fasterrcnn_mobilenet_v3_large_fpn", COCO, &list);
    make_sparse(&list, &config, &sparse);
    must(osp_model_open(sparse.path, &model));
    decode = &node_of(model, "rpn.decode")->attrs.rpn_decode;
    assert_int_equal(decode->anchors, 15);
    assert_int_equal(decode->levels, 3);
    assert_memory_equal(decode->base[2][2], third, sizeof third);
    assert_memory_equal(decode->base[0][5], ((const float[]){-16, -16, 16, 16}), 16);
    assert_int_equal(node_of(model, "roi_heads.box_decode")->attrs.box_decode.slots, 90);
    osp_model_close(model);
    remove_sparse(&sparse);
}

/* ---- Refusals ------------------------------------------------------------------------------------- */

static void refused(const struct list *list, const struct osp_config *config, const char *tensor, int64_t index, float value,
                    const char *sentence)
{
    struct sparse sparse;
    struct osp_model *model = NULL;
    make_sparse(list, config, &sparse);
    if (tensor)
        put_float(&sparse, find(list, tensor), index, value);
    osp_status status = osp_model_open(sparse.path, &model);
    remove_sparse(&sparse);
    assert_int_equal(status, OSP_REFUSED);
    assert_null(model);
    if (!strstr(osp_message(), sentence) || strncmp(osp_message(), sparse.path, strlen(sparse.path)))
        print_error("%s\n", osp_message());
    assert_non_null(strstr(osp_message(), sentence));
    assert_int_equal(strncmp(osp_message(), sparse.path, strlen(sparse.path)), 0);
}

static void bad_weights_are_refused_by_name(void **state)
{
    static struct list list, other;
    struct osp_config config = coco_config("fasterrcnn_mobilenet_v3_large_fpn");
    read_list("fasterrcnn_mobilenet_v3_large_fpn", COCO, &list);
    refused(&list, &config, "backbone.body.16.1.running_var", 7, -1,
            "tensor 'backbone.body.16.1.running_var': value 7 is -1; allowed are finite numbers of at least 0");
    refused(&list, &config, "backbone.body.16.1.running_var", 7, NAN, "tensor 'backbone.body.16.1.running_var': value 7 is");
    refused(&list, &config, "backbone.body.0.1.bias", 0, INFINITY, "batch norm 'backbone.body.0.1': channel 0");
    refused(&list, &config, "backbone.body.0.1.weight", 0, 3e38f, "batch norm 'backbone.body.0.1': channel 0");
    config.bn_eps = 0; /* and all variances 0 */
    refused(&list, &config, NULL, 0, 0, "batch norm 'backbone.body.0.1': channel 0");

    config = coco_config("fasterrcnn_mobilenet_v3_large_fpn");
    other = list;
    struct listed *head = (struct listed *)(uintptr_t)find(&other, "roi_heads.box_head.fc7.weight");
    head->dim[0] = 512;
    head->dim[1] = 2048;
    refused(&other, &config, NULL, 0, 0, "roi_heads.box_head.fc7.weight");
    other = list;
    strcpy(other.tensor[0].name, "backbone.body.0.0.wait");
    refused(&other, &config, NULL, 0, 0, "backbone.body.0.0.weight");
    read_list("fasterrcnn_mobilenet_v3_large_fpn", 5, &other);
    refused(&other, &config, NULL, 0, 0, "found 91 names; tensor 'roi_heads.box_predictor.cls_score.weight' scores 5 classes");
}

static void a_missing_model_is_unreadable(void **state)
{
    struct osp_model *model;
    assert_int_equal(osp_model_open("/nowhere/model.safetensors", &model), OSP_UNREADABLE);
    assert_non_null(strstr(osp_message(), "/nowhere/model.safetensors"));
}

/* ---- Identification ------------------------------------------------------------------------------- */

static int identify(const char *name, const char *rename, const char *to, const struct osp_network **found)
{
    static struct list list;
    read_list(name, COCO, &list);
    for (int i = 0; rename && i < list.count; i++)
        if (!strcmp(list.tensor[i].name, rename))
            snprintf(list.tensor[i].name, sizeof list.tensor[i].name, "%s", to);
    return osp_zoo_identify(has, &list, found, 4);
}

static void networks_are_told_apart_by_their_tensors(void **state)
{
    const struct osp_network *found[4];
    assert_int_equal(identify("fasterrcnn_resnet50_fpn", NULL, NULL, found), 1);
    assert_string_equal(found[0]->name, "fasterrcnn_resnet50_fpn");
    assert_int_equal(identify("fasterrcnn_resnet50_fpn_v2", NULL, NULL, found), 1);
    assert_string_equal(found[0]->name, "fasterrcnn_resnet50_fpn_v2");
    assert_int_equal(identify("fasterrcnn_mobilenet_v3_large_fpn", NULL, NULL, found), 2);
    assert_string_equal(found[0]->name, "fasterrcnn_mobilenet_v3_large_fpn");
    assert_string_equal(found[1]->name, "fasterrcnn_mobilenet_v3_large_320_fpn");
    /* Mask R-CNN holds all of Faster R-CNN; ResNet-101 has a longer layer3; a body alone is no detector */
    assert_int_equal(
        identify("fasterrcnn_resnet50_fpn", "backbone.body.bn1.bias", "roi_heads.mask_predictor.conv5_mask.weight", found), 0);
    assert_int_equal(identify("fasterrcnn_resnet50_fpn", "backbone.body.bn1.bias", "backbone.body.layer3.6.conv1.weight", found),
                     0);
    assert_int_equal(identify("fasterrcnn_resnet50_fpn", "roi_heads.box_predictor.cls_score.weight", "fc.weight", found), 0);

    struct osp_safetensors *demo;
    must(osp_safetensors_open("models/demo/demo.safetensors", &demo));
    static struct list list;
    for (list.count = 0; list.count < osp_safetensors_count(demo); list.count++)
        snprintf(list.tensor[list.count].name, sizeof list.tensor[0].name, "%s", osp_safetensors_tensor(demo, list.count)->name);
    assert_int_equal(osp_zoo_identify(has, &list, found, 4), 1);
    assert_string_equal(found[0]->name, "fasterrcnn_efficientnet_lite0_fpn");
    osp_safetensors_close(demo);

    assert_null(osp_zoo_find("yolo"));
    assert_null(osp_zoo(5));
    assert_null(osp_zoo(-1));
    assert_string_equal(osp_coco_classes[90], "toothbrush");
    assert_string_equal(osp_coco_classes[83], "N/A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_as_published),
        cmocka_unit_test(demo_work_is_as_on_its_card),
        cmocka_unit_test(resnet50_needs_440_MB),
        cmocka_unit_test(batch_norm_is_folded_and_columns_reordered),
        cmocka_unit_test(anchors_and_limits_are_torchvisions),
        cmocka_unit_test(bad_weights_are_refused_by_name),
        cmocka_unit_test(a_missing_model_is_unreadable),
        cmocka_unit_test(networks_are_told_apart_by_their_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
