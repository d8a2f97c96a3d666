/* Faster R-CNN with a feature pyramid: what the parts are made of, and the parts.
 * https://arxiv.org/abs/1506.01497, https://arxiv.org/abs/1612.03144; torchvision models/detection. */
#ifndef OSPREY_MODELS_FASTER_RCNN_H
#define OSPREY_MODELS_FASTER_RCNN_H

#include "bodies.h"
#include "zoo.h"

enum { NET_MAX_SIZES = 5, NET_RATIOS = 3, NET_RPN_CONVS = 2 };

/* What tells one network from another, beside the settings that its file carries. */
struct net_detector {
    net_body *body;
    int channels;                            /* of every map of the pyramid */
    int fpn_norm;                            /* the pyramid's convolutions have a batch norm in place of a bias */
    int rpn_convs;                           /* 3x3 convolutions in the RPN head, NET_RPN_CONVS at most */
    int anchor_sizes;                        /* a level... */
    const int (*anchor_size)[NET_MAX_SIZES]; /* ...in pixels, a row for each level */
    float canonical_scale;                   /* a box of this side, in pixels, pools from pyramid level 4 */
    int box_convs;                           /* 3x3 convolutions before the box head's matrix; 0: torchvision's TwoMLPHead */
    int hidden;                              /* width of the box head's vectors */
};

/* From the body's maps to the pyramid's: one per map, and a subsampled one. Returns how many. */
int net_fpn(const struct net *net, const struct net_detector *detector, const struct net_feature *in, int count,
            osp_value out[OSP_MAX_LEVELS]);

/* Boxes that may hold something. */
struct net_proposals {
    osp_value boxes;     /* (N,T,4), pixels of the network's input */
    osp_value count;     /* (N) */
    osp_value nonfinite; /* (N) */
};
struct net_proposals net_rpn(const struct net *net, const struct net_detector *detector, const struct osp_config *config,
                             const osp_value *maps, int levels);

/* Classifies and refines the proposals; keeps the network's results in the order of enum net_result. */
void net_roi_head(const struct net *net, const struct net_detector *detector, const struct osp_config *config,
                  const osp_value *maps, int levels, struct net_proposals proposals);

/* What a detector keeps, for osp_session_result. M: capacity. */
enum net_result {
    NET_BOXES,         /* (N,M,4) f32, pixels of the network's input */
    NET_SCORES,        /* (N,M) f32 */
    NET_LABELS,        /* (N,M) i32 */
    NET_COUNT,         /* (N) i32 */
    NET_RPN_NONFINITE, /* (N) i32: proposals dropped because they were NaN or infinite */
    NET_BOX_NONFINITE  /* (N) i32: the same for candidates of the box head */
};

void net_faster_rcnn(struct osp_graph *graph, const struct osp_config *config, const struct net_detector *detector);

/* The best of rpn_decode's or box_decode's outputs, at most max_out an image: OSP_NMS_OUT_*. */
osp_value net_nms(const struct net *net, const char *node, double threshold, int max_out, osp_value candidates);

#endif
