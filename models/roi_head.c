/* From proposals to detections: pool, classify, refine, suppress. torchvision models/detection/roi_heads.py, faster_rcnn.py. */
#include "faster_rcnn.h"

enum { POOLED = 7, SAMPLING_RATIO = 2, CANONICAL_LEVEL = 4 };
#define MIN_BOX_SIDE 1e-2f /* pixels: torchvision RoIHeads.postprocess_detections */

static osp_value roi_align(const struct net *net, const struct net_detector *detector, const osp_value *maps, int levels,
                           struct net_proposals proposals)
{
    union osp_attrs attrs = net_attrs();
    attrs.roi_align = (struct osp_roi_align_attrs){levels, POOLED, SAMPLING_RATIO, CANONICAL_LEVEL, detector->canonical_scale};
    osp_value inputs[OSP_MAX_INPUTS] = {[OSP_ROI_ALIGN_PROPOSALS] = proposals.boxes,
                                        [OSP_ROI_ALIGN_COUNTS] = proposals.count,
                                        [OSP_ROI_ALIGN_IMAGES] = osp_graph_images(net->graph)};
    for (int l = 0; l < levels; l++)
        inputs[OSP_ROI_ALIGN_FEATURES + l] = maps[l];
    return osp_graph_node(net->graph, OSP_roi_align, "roi_heads.roi_align", &attrs, inputs, OSP_ROI_ALIGN_FEATURES + levels, NULL,
                          0);
}

/* (N*T,7,7,channels) to (N*T,hidden): two matrices (TwoMLPHead), or convolutions and one matrix (FastRCNNConvFCHead, whose parts
 * are numbered: the convolutions, the flattening, the matrix). */
static osp_value box_head(const struct net *net, const struct net_detector *detector, osp_value x, osp_value counts)
{
    int c = detector->channels, hidden = detector->hidden;
    const int chw[] = {c, POOLED, POOLED};
    if (!detector->box_convs) {
        x = net_linear(net, "roi_heads.box_head.fc6", c * POOLED * POOLED, hidden, chw, OSP_RELU, x, counts);
        return net_linear(net, "roi_heads.box_head.fc7", hidden, hidden, NULL, OSP_RELU, x, counts);
    }
    for (int i = 0; i < detector->box_convs; i++) {
        struct net_name prefix = net_name("roi_heads.box_head.%d", i);
        struct net_conv conv = {prefix.text, "0", "1", c, c, 3, 1, OSP_RELU};
        x = net_conv_counted(net, &conv, x, counts);
    }
    struct net_name fc = net_name("roi_heads.box_head.%d", detector->box_convs + 1);
    return net_linear(net, fc.text, c * POOLED * POOLED, hidden, chw, OSP_RELU, x, counts);
}

/* How many classes of one proposal can pass the threshold: probabilities sum to 1, and a thousandth more covers all rounding of
 * f32 sums over up to OSP_MAX_CLASSES of them. */
static int slots(double threshold, int classes)
{
    int all = classes - 1;
    return threshold * all > 1.001 ? (int)(1.001 / threshold) : all;
}

void net_roi_head(const struct net *net, const struct net_detector *detector, const struct osp_config *config,
                  const osp_value *maps, int levels, struct net_proposals proposals)
{
    struct osp_graph *graph = net->graph;
    osp_value counts = proposals.count;
    osp_graph_stage(graph, "roi_align");
    osp_value x = roi_align(net, detector, maps, levels, proposals);

    osp_graph_stage(graph, "box_head");
    x = box_head(net, detector, x, counts);
    osp_value logits =
        net_linear(net, "roi_heads.box_predictor.cls_score", detector->hidden, config->classes, NULL, OSP_LINEAR, x, counts);
    osp_value deltas =
        net_linear(net, "roi_heads.box_predictor.bbox_pred", detector->hidden, 4 * config->classes, NULL, OSP_LINEAR, x, counts);

    osp_graph_stage(graph, "detections");
    union osp_attrs none = net_attrs(), decode = net_attrs();
    osp_value softmax_inputs[] = {[OSP_SOFTMAX_X] = logits, [OSP_SOFTMAX_COUNTS] = counts};
    osp_value probabilities = osp_graph_node(graph, OSP_softmax, "roi_heads.softmax", &none, softmax_inputs, 2, NULL, 0);
    decode.box_decode = (struct osp_box_decode_attrs){.weights = {10, 10, 5, 5}, /* torchvision RoIHeads' default */
                                                      .score_threshold = (float)config->box_score_thresh,
                                                      .min_size = MIN_BOX_SIDE,
                                                      .slots = slots(config->box_score_thresh, config->classes)};
    osp_value decode_inputs[] = {[OSP_BOX_DECODE_PROBABILITIES] = probabilities,
                                 [OSP_BOX_DECODE_DELTAS] = deltas,
                                 [OSP_BOX_DECODE_PROPOSALS] = proposals.boxes,
                                 [OSP_BOX_DECODE_COUNTS] = counts,
                                 [OSP_BOX_DECODE_IMAGES] = osp_graph_images(graph)};
    osp_value found = osp_graph_node(graph, OSP_box_decode, "roi_heads.box_decode", &decode, decode_inputs, 5, NULL, 0);
    osp_value kept = net_nms(net, "roi_heads.nms", config->box_nms_thresh, config->box_detections_per_img, found);

    const osp_value results[] = {[NET_BOXES] = osp_graph_output_of(kept, OSP_NMS_OUT_BOXES),
                                 [NET_SCORES] = osp_graph_output_of(kept, OSP_NMS_OUT_SCORES),
                                 [NET_LABELS] = osp_graph_output_of(kept, OSP_NMS_OUT_GROUPS),
                                 [NET_COUNT] = osp_graph_output_of(kept, OSP_NMS_OUT_COUNT),
                                 [NET_RPN_NONFINITE] = proposals.nonfinite,
                                 [NET_BOX_NONFINITE] = osp_graph_output_of(found, OSP_DECODE_OUT_NONFINITE)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        osp_graph_keep(graph, results[i]);
}
