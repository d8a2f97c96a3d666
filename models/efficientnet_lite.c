/* EfficientNet-Lite0 without its classifier: ReLU6 and no squeeze-and-excite. https://arxiv.org/abs/1905.11946 and the "Lite"
 * variants of tensorflow/tpu. Padding is kernel/2 on every side, as in the network that the demo model was trained in
 * (tools/train). */
#include "bodies.h"

struct stage {
    int repeats, kernel, stride, expansion, in, out;
    int feature; /* its last map goes to the pyramid */
};

static const struct stage stages[] = {
    {1, 3, 1, 1, 32, 16, 0},  {2, 3, 2, 6, 16, 24, 0},   {2, 5, 2, 6, 24, 40, 1},   {3, 3, 2, 6, 40, 80, 0},
    {3, 5, 1, 6, 80, 112, 1}, {4, 5, 2, 6, 112, 192, 0}, {1, 3, 1, 6, 192, 320, 1},
};
enum { STAGES = sizeof stages / sizeof *stages };

/* Inverted residual: 1x1 up, depthwise, 1x1 down without activation, plus the input where shapes agree. */
static osp_value inverted_residual(const struct net *net, const char *prefix, const struct stage *s, int in, int stride,
                                   osp_value x)
{
    int middle = in * s->expansion;
    struct net_conv expand = {prefix, "expand_conv", "bn0", in, middle, 1, 1, OSP_RELU6};
    struct net_conv depthwise = {prefix, "depthwise_conv", "bn1", middle, middle, s->kernel, stride, OSP_RELU6};
    struct net_conv project = {prefix, "project_conv", "bn2", middle, s->out, 1, 1, OSP_LINEAR};
    osp_value y = s->expansion == 1 ? x : net_conv(net, &expand, x, OSP_NONE);
    y = net_depthwise(net, &depthwise, y);
    return net_conv(net, &project, y, stride == 1 && in == s->out ? x : OSP_NONE);
}

int net_efficientnet_lite0(const struct net *net, osp_value x, struct net_feature out[NET_MAX_FEATURES])
{
    struct net_conv stem = {"backbone.body", "conv_stem", "bn0", 3, 32, 3, 2, OSP_RELU6};
    int block = 0, features = 0;
    x = net_conv(net, &stem, x, OSP_NONE);
    for (int i = 0; i < STAGES; i++) {
        const struct stage *s = &stages[i];
        for (int r = 0; r < s->repeats; r++, block++)
            x = inverted_residual(net, net_name("backbone.body.blocks.%d", block).text, s, r ? s->out : s->in, r ? 1 : s->stride,
                                  x);
        if (s->feature)
            out[features++] = (struct net_feature){x, s->out};
    }
    return features;
}
