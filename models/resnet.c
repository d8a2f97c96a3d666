/* ResNet-50 v1.5: the stride stands on the 3x3 of a bottleneck. torchvision resnet.py; https://arxiv.org/abs/1512.03385. */
#include "bodies.h"

enum { EXPANSION = 4 };

/* 1x1 to `width`, 3x3, 1x1 to 4*width, plus the input (through a 1x1 where shapes differ), ReLU. */
static osp_value bottleneck(const struct net *net, const char *prefix, int in, int width, int stride, osp_value x)
{
    int out = width * EXPANSION;
    struct net_conv conv1 = {prefix, "conv1", "bn1", in, width, 1, 1, OSP_RELU};
    struct net_conv conv2 = {prefix, "conv2", "bn2", width, width, 3, stride, OSP_RELU};
    struct net_conv conv3 = {prefix, "conv3", "bn3", width, out, 1, 1, OSP_RELU};
    struct net_conv downsample = {prefix, "downsample.0", "downsample.1", in, out, 1, stride, OSP_LINEAR};
    osp_value y = net_conv(net, &conv2, net_conv(net, &conv1, x, OSP_NONE), OSP_NONE);
    osp_value shortcut = in == out && stride == 1 ? x : net_conv(net, &downsample, x, OSP_NONE);
    return net_conv(net, &conv3, y, shortcut);
}

int net_resnet50(const struct net *net, osp_value x, struct net_feature out[NET_MAX_FEATURES])
{
    static const int blocks[] = {3, 4, 6, 3};
    enum { STAGES = sizeof blocks / sizeof *blocks };
    int channels = 64;
    struct net_conv stem = {"backbone.body", "conv1", "bn1", 3, channels, 7, 2, OSP_RELU};
    x = net_maxpool(net, "backbone.body.maxpool", 3, 2, net_conv(net, &stem, x, OSP_NONE));
    for (int stage = 0; stage < STAGES; stage++) {
        int width = 64 << stage;
        for (int i = 0; i < blocks[stage]; i++) {
            int stride = stage > 0 && i == 0 ? 2 : 1;
            x = bottleneck(net, net_name("backbone.body.layer%d.%d", stage + 1, i).text, channels, width, stride, x);
            channels = width * EXPANSION;
        }
        out[stage] = (struct net_feature){x, channels};
    }
    return STAGES;
}
