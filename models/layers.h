/* Layers as checkpoints hold them, turned into nodes with batch norm, bias, residual and activation folded in. */
#ifndef OSPREY_MODELS_LAYERS_H
#define OSPREY_MODELS_LAYERS_H

#include "runtime/build.h"

/* What every part of a network is built with. */
struct net {
    struct osp_graph *graph;
    double bn_eps;
};

/* A map of the pyramid or of the body. */
struct net_feature {
    osp_value value; /* (N,H,W,channels) */
    int channels;
};

/* A convolution, padding kernel/2. Tensors: PREFIX.CONV.weight (out,in,kernel,kernel), and either
 * PREFIX.NORM.{weight,bias,running_mean,running_var} (out) or, where norm is NULL, PREFIX.CONV.bias (out). The node is
 * PREFIX.CONV. */
struct net_conv {
    const char *prefix, *conv, *norm;
    int in, out, kernel, stride;
    enum osp_activation activation;
};

/* Attributes to fill in, every byte zero: the runtime compares them bytewise to find nodes that can share packed weights. */
union osp_attrs net_attrs(void);

/* A node name made of parts, for use within one expression: net_name("%s.%d", prefix, i).text. */
struct net_name {
    char text[160];
};
struct net_name net_name(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* x (N,H,W,in) to (N,P,Q,out); with a residual (N,P,Q,out), OSP_NONE for none, added before the activation. */
osp_value net_conv(const struct net *net, const struct net_conv *layer, osp_value x, osp_value residual);

/* The same over N*T small maps of which counts (N) says how many are valid. */
osp_value net_conv_counted(const struct net *net, const struct net_conv *layer, osp_value x, osp_value counts);

/* The same for weights that several nodes share: loaded once, then used under each node's own name. */
struct net_weights {
    osp_weight weight, bias;
};
struct net_weights net_conv_weights(const struct net *net, const struct net_conv *layer);
osp_value net_conv_shared(const struct net *net, const struct net_conv *layer, struct net_weights weights, const char *node,
                          osp_value x);

/* One filter a channel: weight (out,1,kernel,kernel), in = out. */
osp_value net_depthwise(const struct net *net, const struct net_conv *layer, osp_value x);

/* x * hardsigmoid(fc2(relu(fc1(mean of x)))), the two being 1x1 convolutions PREFIX.fc1 (squeeze,channels) and PREFIX.fc2.
 * torchvision SqueezeExcitation; https://arxiv.org/abs/1709.01507. */
osp_value net_squeeze_excite(const struct net *net, const char *prefix, int channels, int squeeze, osp_value x);

/* PREFIX.NAME.{weight (out,in), bias (out)} over rows of x, of which counts (N) says how many are valid. chw: NULL, or the
 * {C,H,W} of a map that the checkpoint flattened in that order, where x is flattened as (H,W,C). */
osp_value net_linear(const struct net *net, const char *node, int in, int out, const int *chw, enum osp_activation activation,
                     osp_value x, osp_value counts);

osp_value net_maxpool(const struct net *net, const char *node, int kernel, int stride, osp_value x);

#endif
