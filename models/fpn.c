/* Feature pyramid. torchvision ops/feature_pyramid_network.py; https://arxiv.org/abs/1612.03144. */
#include "faster_rcnn.h"

static osp_value layer_block(const struct net *net, const struct net_detector *detector, int level, osp_value in)
{
    struct net_name name = net_name("backbone.fpn.layer_blocks.%d", level);
    struct net_conv layer = {name.text, "0",       detector->fpn_norm ? "1" : NULL, detector->channels, detector->channels, 3,
                             1,         OSP_LINEAR};
    return net_conv(net, &layer, in, OSP_NONE);
}

/* A level's layer block waits until the next level has been added to: then only one of its two maps is alive while that level,
 * four times as large, is made. */
int net_fpn(const struct net *net, const struct net_detector *detector, const struct net_feature *in, int count,
            osp_value out[OSP_MAX_LEVELS])
{
    const char *norm = detector->fpn_norm ? "1" : NULL;
    int channels = detector->channels;
    union osp_attrs none = net_attrs();
    osp_value top = OSP_NONE;
    for (int i = count - 1; i >= 0; i--) {
        struct net_name inner_name = net_name("backbone.fpn.inner_blocks.%d", i);
        struct net_conv inner = {inner_name.text, "0", norm, in[i].channels, channels, 1, 1, OSP_LINEAR};
        osp_value lateral = net_conv(net, &inner, in[i].value, OSP_NONE);
        if (i < count - 1) {
            osp_value inputs[] = {[OSP_UPSAMPLE_ADD_LATERAL] = lateral, [OSP_UPSAMPLE_ADD_TOP] = top};
            lateral = osp_graph_node(net->graph, OSP_upsample_add, net_name("backbone.fpn.top_down.%d", i).text, &none, inputs, 2,
                                     NULL, 0);
            out[i + 1] = layer_block(net, detector, i + 1, top);
        }
        top = lateral;
    }
    out[0] = layer_block(net, detector, 0, top);
    out[count] = net_maxpool(net, "backbone.fpn.pool", 1, 2, out[count - 1]);
    return count + 1;
}
