#include "faster_rcnn.h"

#include <math.h>

/* The largest float not above x: an f32 is greater than it exactly when, widened, it is greater than x. */
static float float_not_above(double x)
{
    float f = (float)x;
    return f > x ? nextafterf(f, -INFINITY) : f;
}

osp_value net_nms(const struct net *net, const char *node, double threshold, int max_out, osp_value candidates)
{
    union osp_attrs attrs = net_attrs();
    attrs.nms = (struct osp_nms_attrs){float_not_above(threshold), max_out};
    osp_value inputs[] = {[OSP_NMS_BOXES] = osp_graph_output_of(candidates, OSP_DECODE_OUT_BOXES),
                          [OSP_NMS_SCORES] = osp_graph_output_of(candidates, OSP_DECODE_OUT_SCORES),
                          [OSP_NMS_GROUPS] = osp_graph_output_of(candidates, OSP_DECODE_OUT_GROUPS)};
    return osp_graph_node(net->graph, OSP_nms, node, &attrs, inputs, 3, NULL, 0);
}

static osp_value preprocess(const struct net *net, const struct osp_config *config)
{
    union osp_attrs attrs = net_attrs();
    for (int c = 0; c < 3; c++) {
        attrs.resize.mean[c] = (float)config->mean[c];
        attrs.resize.std[c] = (float)config->std[c];
    }
    attrs.resize.times = config->norm_times;
    osp_value inputs[] = {[OSP_RESIZE_PIXELS] = osp_graph_pixels(net->graph), [OSP_RESIZE_IMAGES] = osp_graph_images(net->graph)};
    osp_graph_stage(net->graph, "preprocess");
    return osp_graph_node(net->graph, OSP_resize, "resize", &attrs, inputs, 2, NULL, 0);
}

void net_faster_rcnn(struct osp_graph *graph, const struct osp_config *config, const struct net_detector *detector)
{
    struct net net = {graph, config->bn_eps};
    struct net_feature features[NET_MAX_FEATURES];
    osp_value maps[OSP_MAX_LEVELS];

    osp_value x = preprocess(&net, config);
    osp_graph_stage(graph, "body");
    int count = detector->body(&net, x, features);
    osp_graph_stage(graph, "fpn");
    int levels = net_fpn(&net, detector, features, count, maps);
    struct net_proposals proposals = net_rpn(&net, detector, config, maps, levels);
    net_roi_head(&net, detector, config, maps, count, proposals); /* the subsampled level is not pooled from */
}
