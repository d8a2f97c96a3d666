/* MobileNetV3-Large without its classifier. torchvision mobilenetv3.py; https://arxiv.org/abs/1905.02244. */
#include "bodies.h"

struct block {
    int in, kernel, expanded, out;
    int excite; /* squeeze-and-excite between the depthwise and the last convolution */
    enum osp_activation activation;
    int stride;
};

static const struct block blocks[] = {
    {16, 3, 16, 16, 0, OSP_RELU, 1},         {16, 3, 64, 24, 0, OSP_RELU, 2},         {24, 3, 72, 24, 0, OSP_RELU, 1},
    {24, 5, 72, 40, 1, OSP_RELU, 2},         {40, 5, 120, 40, 1, OSP_RELU, 1},        {40, 5, 120, 40, 1, OSP_RELU, 1},
    {40, 3, 240, 80, 0, OSP_HARDSWISH, 2},   {80, 3, 200, 80, 0, OSP_HARDSWISH, 1},   {80, 3, 184, 80, 0, OSP_HARDSWISH, 1},
    {80, 3, 184, 80, 0, OSP_HARDSWISH, 1},   {80, 3, 480, 112, 1, OSP_HARDSWISH, 1},  {112, 3, 672, 112, 1, OSP_HARDSWISH, 1},
    {112, 5, 672, 160, 1, OSP_HARDSWISH, 2}, {160, 5, 960, 160, 1, OSP_HARDSWISH, 1}, {160, 5, 960, 160, 1, OSP_HARDSWISH, 1},
};
enum { BLOCKS = sizeof blocks / sizeof *blocks, FIRST_FEATURE = 13 };

/* Channels of the squeezed vector: a quarter, rounded to a multiple of 8 and never more than 10 % down. torchvision
 * _make_divisible. */
static int squeezed(int channels)
{
    int quarter = channels / 4;
    int rounded = (quarter + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return 10 * rounded < 9 * quarter ? rounded + 8 : rounded;
}

/* Inverted residual: 1x1 up, depthwise, [excite], 1x1 down without activation, plus the input where shapes agree.
 * Parts are numbered in order in the checkpoint, and the first is left out where it would not expand. */
static osp_value inverted_residual(const struct net *net, const char *prefix, const struct block *b, osp_value x)
{
    int part = 0;
    osp_value y = x;
    if (b->expanded != b->in) {
        struct net_name name = net_name("%s.block.%d", prefix, part++);
        struct net_conv expand = {name.text, "0", "1", b->in, b->expanded, 1, 1, b->activation};
        y = net_conv(net, &expand, y, OSP_NONE);
    }
    struct net_name depthwise_name = net_name("%s.block.%d", prefix, part++);
    struct net_conv depthwise = {depthwise_name.text, "0", "1", b->expanded, b->expanded, b->kernel, b->stride, b->activation};
    y = net_depthwise(net, &depthwise, y);
    if (b->excite)
        y = net_squeeze_excite(net, net_name("%s.block.%d", prefix, part++).text, b->expanded, squeezed(b->expanded), y);
    struct net_name project_name = net_name("%s.block.%d", prefix, part);
    struct net_conv project = {project_name.text, "0", "1", b->expanded, b->out, 1, 1, OSP_LINEAR};
    return net_conv(net, &project, y, b->stride == 1 && b->in == b->out ? x : OSP_NONE);
}

int net_mobilenet_v3_large(const struct net *net, osp_value x, struct net_feature out[NET_MAX_FEATURES])
{
    struct net_conv stem = {"backbone.body.0", "0", "1", 3, 16, 3, 2, OSP_HARDSWISH};
    struct net_conv last = {"backbone.body.16", "0", "1", 160, 960, 1, 1, OSP_HARDSWISH};
    x = net_conv(net, &stem, x, OSP_NONE);
    for (int i = 0; i < BLOCKS; i++) {
        x = inverted_residual(net, net_name("backbone.body.%d", i + 1).text, &blocks[i], x);
        if (i + 1 == FIRST_FEATURE)
            out[0] = (struct net_feature){x, blocks[i].out};
    }
    out[1] = (struct net_feature){net_conv(net, &last, x, OSP_NONE), last.out};
    return 2;
}
