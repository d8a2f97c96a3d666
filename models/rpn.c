/* Region proposal network: a head shared by all levels, anchors, the best boxes. torchvision models/detection/rpn.py,
 * anchor_utils.py. */
#include <math.h>

#include "faster_rcnn.h"

#define MIN_BOX_SIDE 1e-3f /* pixels: torchvision RegionProposalNetwork.min_size */

struct head {
    osp_value logits[OSP_MAX_LEVELS]; /* (N,H,W,A) */
    osp_value deltas[OSP_MAX_LEVELS]; /* (N,H,W,4A) */
};

static struct head rpn_head(const struct net *net, const struct net_detector *detector, int anchors, const osp_value *maps,
                            int levels)
{
    int c = detector->channels;
    struct net_conv logits = {"rpn.head", "cls_logits", NULL, c, anchors, 1, 1, OSP_LINEAR};
    struct net_conv deltas = {"rpn.head", "bbox_pred", NULL, c, 4 * anchors, 1, 1, OSP_LINEAR};
    struct head head;
    struct net_name names[NET_RPN_CONVS];
    struct net_conv convs[NET_RPN_CONVS];
    struct net_weights conv_weights[NET_RPN_CONVS];
    for (int i = 0; i < detector->rpn_convs; i++) {
        names[i] = net_name("rpn.head.conv.%d", i);
        convs[i] = (struct net_conv){names[i].text, "0", NULL, c, c, 3, 1, OSP_RELU};
        conv_weights[i] = net_conv_weights(net, &convs[i]);
    }
    struct net_weights logits_weights = net_conv_weights(net, &logits), deltas_weights = net_conv_weights(net, &deltas);
    for (int l = 0; l < levels; l++) { /* one level after the other: no level's map waits for the others' */
        osp_value x = maps[l];
        for (int i = 0; i < detector->rpn_convs; i++)
            x = net_conv_shared(net, &convs[i], conv_weights[i], net_name("rpn.head.conv.%d.0/level%d", i, l).text, x);
        head.logits[l] = net_conv_shared(net, &logits, logits_weights, net_name("rpn.head.cls_logits/level%d", l).text, x);
        head.deltas[l] = net_conv_shared(net, &deltas, deltas_weights, net_name("rpn.head.bbox_pred/level%d", l).text, x);
    }
    return head;
}

/* The anchors around a position of one level, ratio by ratio, in f32 and rounded half to even as torchvision's generate_anchors
 * does. */
static void base_anchors(const int *size, int sizes, float out[OSP_MAX_ANCHORS][4])
{
    static const float ratio[NET_RATIOS] = {0.5f, 1, 2}; /* height to width */
    for (int r = 0; r < NET_RATIOS; r++)
        for (int s = 0; s < sizes; s++) {
            float stretch = sqrtf(ratio[r]), *box = out[r * sizes + s];
            float w = 1 / stretch * (float)size[s], h = stretch * (float)size[s];
            box[0] = rintf(-w / 2);
            box[1] = rintf(-h / 2);
            box[2] = rintf(w / 2);
            box[3] = rintf(h / 2);
        }
}

/* The best logits of each level, as boxes: the outputs of an rpn_decode node, OSP_DECODE_OUT_*. */
static osp_value candidates(const struct net *net, const struct net_detector *detector, const struct osp_config *config,
                            int anchors, const struct head *head, int levels)
{
    union osp_attrs topk = net_attrs(), decode = net_attrs();
    topk.topk = (struct osp_topk_attrs){levels, config->rpn_pre_nms_top_n};
    decode.rpn_decode.levels = levels;
    decode.rpn_decode.anchors = anchors;
    decode.rpn_decode.k = config->rpn_pre_nms_top_n;
    decode.rpn_decode.min_size = MIN_BOX_SIDE;
    decode.rpn_decode.score_threshold = (float)config->rpn_score_thresh;
    for (int l = 0; l < levels; l++)
        base_anchors(detector->anchor_size[l], detector->anchor_sizes, decode.rpn_decode.base[l]);

    osp_value best = osp_graph_node(net->graph, OSP_topk, "rpn.topk", &topk, head->logits, levels, NULL, 0);
    osp_value inputs[OSP_MAX_INPUTS] = {[OSP_RPN_DECODE_SCORES] = best,
                                        [OSP_RPN_DECODE_INDEX] = osp_graph_output_of(best, 1),
                                        [OSP_RPN_DECODE_IMAGES] = osp_graph_images(net->graph)};
    for (int l = 0; l < levels; l++)
        inputs[OSP_RPN_DECODE_DELTAS + l] = head->deltas[l];
    return osp_graph_node(net->graph, OSP_rpn_decode, "rpn.decode", &decode, inputs, OSP_RPN_DECODE_DELTAS + levels, NULL, 0);
}

struct net_proposals net_rpn(const struct net *net, const struct net_detector *detector, const struct osp_config *config,
                             const osp_value *maps, int levels)
{
    int anchors = detector->anchor_sizes * NET_RATIOS;
    osp_graph_stage(net->graph, "rpn");
    struct head head = rpn_head(net, detector, anchors, maps, levels);

    osp_graph_stage(net->graph, "proposals");
    osp_value found = candidates(net, detector, config, anchors, &head, levels);
    osp_value kept = net_nms(net, "rpn.nms", config->rpn_nms_thresh, config->rpn_post_nms_top_n, found);
    return (struct net_proposals){.boxes = osp_graph_output_of(kept, OSP_NMS_OUT_BOXES),
                                  .count = osp_graph_output_of(kept, OSP_NMS_OUT_COUNT),
                                  .nonfinite = osp_graph_output_of(found, OSP_DECODE_OUT_NONFINITE)};
}
