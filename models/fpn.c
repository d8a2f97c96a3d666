/* Feature pyramid. torchvision ops/feature_pyramid_network.py; https://arxiv.org/abs/1612.03144. */
#include "faster_rcnn.h"

int net_fpn(const struct net *net, const struct net_detector *detector, const struct net_feature *in, int count,
            osp_value out[OSP_MAX_LEVELS])
{
    const char *norm = detector->fpn_norm ? "1" : NULL;
    int channels = detector->channels;
    union osp_attrs none = net_attrs();
    osp_value top = OSP_NONE;
    for (int i = count - 1; i >= 0; i--) {
        struct net_name inner_name = net_name("backbone.fpn.inner_blocks.%d", i),
                        layer_name = net_name("backbone.fpn.layer_blocks.%d", i);
        struct net_conv inner = {inner_name.text, "0", norm, in[i].channels, channels, 1, 1, OSP_LINEAR};
        struct net_conv layer = {layer_name.text, "0", norm, channels, channels, 3, 1, OSP_LINEAR};
        osp_value lateral = net_conv(net, &inner, in[i].value, OSP_NONE);
        if (i < count - 1) {
            osp_value inputs[] = {[OSP_UPSAMPLE_ADD_LATERAL] = lateral, [OSP_UPSAMPLE_ADD_TOP] = top};
            lateral = osp_graph_node(net->graph, OSP_upsample_add, net_name("backbone.fpn.top_down.%d", i).text, &none, inputs, 2,
                                     NULL, 0);
        }
        top = lateral;
        out[i] = net_conv(net, &layer, lateral, OSP_NONE);
    }
    out[count] = net_maxpool(net, "backbone.fpn.pool", 1, 2, out[count - 1]);
    return count + 1;
}
