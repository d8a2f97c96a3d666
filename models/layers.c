#include "layers.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CHANNELS = 2048 }; /* the widest layer with a batch norm: ResNet-50's layer4 */

union osp_attrs net_attrs(void)
{
    union osp_attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    return attrs;
}

struct net_name net_name(const char *format, ...)
{
    struct net_name name;
    va_list args;
    va_start(args, format);
    vsnprintf(name.text, sizeof name.text, format, args);
    va_end(args);
    return name;
}

static osp_weight bias_of(const struct net *net, const char *node, int out)
{
    return osp_graph_weight(net->graph, net_name("%s.bias", node).text, (int64_t[4]){out}, NULL, NULL);
}

/* Batch norm with fixed statistics is y = x * scale + shift per channel, scale = weight / sqrt(var + eps), shift = bias - mean *
 * scale. The scale goes into the convolution's weight, the shift becomes its bias. Returns 0, or sticks an error that names the
 * tensor. */
static int fold_norm(const struct net *net, const char *norm, int channels, double *scale, float *shift)
{
    static const char *const field[] = {"weight", "bias", "running_mean", "running_var"};
    enum { WEIGHT, BIAS, MEAN, VAR, FIELDS };
    float value[FIELDS][MAX_CHANNELS];
    const char *path = osp_graph_path(net->graph);
    if (channels > MAX_CHANNELS) {
        osp_graph_fail(net->graph, "%s: batch norm '%s': %d channels; at most %d are possible", path, norm, channels,
                       MAX_CHANNELS);
        return -1;
    }
    for (int i = 0; i < FIELDS; i++)
        if (osp_graph_read(net->graph, net_name("%s.%s", norm, field[i]).text, channels, value[i]))
            return -1;
    for (int k = 0; k < channels; k++) {
        if (!(value[VAR][k] >= 0 && isfinite(value[VAR][k]))) {
            osp_graph_fail(net->graph, "%s: tensor '%s.running_var': value %d is %g; allowed are finite numbers of at least 0",
                           path, norm, k, (double)value[VAR][k]);
            return -1;
        }
        scale[k] = value[WEIGHT][k] / sqrt(value[VAR][k] + net->bn_eps);
        shift[k] = (float)(value[BIAS][k] - value[MEAN][k] * scale[k]);
        if (!isfinite((float)scale[k]) || !isfinite(shift[k])) {
            osp_graph_fail(net->graph,
                           "%s: batch norm '%s': channel %d scales by %g and shifts by %g (weight %g, bias %g, mean %g, var %g, "
                           "eps %g); both must be finite",
                           path, norm, k, scale[k], (double)shift[k], (double)value[WEIGHT][k], (double)value[BIAS][k],
                           (double)value[MEAN][k], (double)value[VAR][k], net->bn_eps);
            return -1;
        }
    }
    return 0;
}

/* fan: input channels that each filter sees, 1 for a depthwise convolution. */
static struct net_weights load(const struct net *net, const struct net_conv *layer, int fan)
{
    struct net_weights none = {OSP_NONE, OSP_NONE};
    struct net_name node = net_name("%s.%s", layer->prefix, layer->conv);
    struct net_name weight = net_name("%s.weight", node.text);
    int64_t dims[4] = {layer->out, fan, layer->kernel, layer->kernel};
    if (!layer->norm)
        return (struct net_weights){osp_graph_weight(net->graph, weight.text, dims, NULL, NULL),
                                    bias_of(net, node.text, layer->out)};
    double scale[MAX_CHANNELS];
    float shift[MAX_CHANNELS];
    if (fold_norm(net, net_name("%s.%s", layer->prefix, layer->norm).text, layer->out, scale, shift))
        return none;
    return (struct net_weights){osp_graph_weight(net->graph, weight.text, dims, scale, NULL),
                                osp_graph_vector(net->graph, shift, layer->out)};
}

struct net_weights net_conv_weights(const struct net *net, const struct net_conv *layer) { return load(net, layer, layer->in); }

static osp_value conv_node(const struct net *net, const struct net_conv *layer, struct net_weights weights, const char *node,
                           osp_value x, osp_value residual, osp_value counts)
{
    union osp_attrs attrs = net_attrs();
    attrs.conv2d = (struct osp_conv2d_attrs){layer->kernel, layer->kernel, layer->stride, layer->kernel / 2, layer->activation};
    osp_value inputs[] = {[OSP_CONV2D_X] = x, [OSP_CONV2D_RESIDUAL] = residual, [OSP_CONV2D_COUNTS] = counts};
    osp_weight constants[] = {[OSP_WEIGHT] = weights.weight, [OSP_BIAS] = weights.bias};
    return osp_graph_node(net->graph, OSP_conv2d, node, &attrs, inputs, 3, constants, 2);
}

osp_value net_conv_shared(const struct net *net, const struct net_conv *layer, struct net_weights weights, const char *node,
                          osp_value x)
{
    return conv_node(net, layer, weights, node, x, OSP_NONE, OSP_NONE);
}

static osp_value conv(const struct net *net, const struct net_conv *layer, osp_value x, osp_value residual, osp_value counts)
{
    return conv_node(net, layer, net_conv_weights(net, layer), net_name("%s.%s", layer->prefix, layer->conv).text, x, residual,
                     counts);
}

osp_value net_conv(const struct net *net, const struct net_conv *layer, osp_value x, osp_value residual)
{
    return conv(net, layer, x, residual, OSP_NONE);
}

osp_value net_conv_counted(const struct net *net, const struct net_conv *layer, osp_value x, osp_value counts)
{
    return conv(net, layer, x, OSP_NONE, counts);
}

osp_value net_depthwise(const struct net *net, const struct net_conv *layer, osp_value x)
{
    union osp_attrs attrs = net_attrs();
    attrs.depthwise =
        (struct osp_depthwise_attrs){layer->kernel, layer->kernel, layer->stride, layer->kernel / 2, layer->activation};
    struct net_weights weights = load(net, layer, 1);
    osp_weight constants[] = {[OSP_WEIGHT] = weights.weight, [OSP_BIAS] = weights.bias};
    return osp_graph_node(net->graph, OSP_depthwise, net_name("%s.%s", layer->prefix, layer->conv).text, &attrs, &x, 1, constants,
                          2);
}

osp_value net_squeeze_excite(const struct net *net, const char *prefix, int channels, int squeeze, osp_value x)
{
    union osp_attrs none = net_attrs();
    struct net_conv fc1 = {prefix, "fc1", NULL, channels, squeeze, 1, 1, OSP_RELU};
    struct net_conv fc2 = {prefix, "fc2", NULL, squeeze, channels, 1, 1, OSP_HARDSIGMOID};
    osp_value mean = osp_graph_node(net->graph, OSP_avgpool, net_name("%s.avgpool", prefix).text, &none, &x, 1, NULL, 0);
    osp_value factor = net_conv(net, &fc2, net_conv(net, &fc1, mean, OSP_NONE), OSP_NONE);
    osp_value inputs[] = {[OSP_SCALE_X] = x, [OSP_SCALE_FACTOR] = factor};
    return osp_graph_node(net->graph, OSP_scale, net_name("%s.scale", prefix).text, &none, inputs, 2, NULL, 0);
}

osp_value net_linear(const struct net *net, const char *node, int in, int out, const int *chw, enum osp_activation activation,
                     osp_value x, osp_value counts)
{
    union osp_attrs attrs = net_attrs();
    attrs.linear.activation = activation;
    osp_value inputs[] = {[OSP_LINEAR_X] = x, [OSP_LINEAR_COUNTS] = counts};
    osp_weight constants[] = {
        [OSP_WEIGHT] = osp_graph_weight(net->graph, net_name("%s.weight", node).text, (int64_t[4]){out, in}, NULL, chw),
        [OSP_BIAS] = bias_of(net, node, out)};
    return osp_graph_node(net->graph, OSP_linear, node, &attrs, inputs, 2, constants, 2);
}

osp_value net_maxpool(const struct net *net, const char *node, int kernel, int stride, osp_value x)
{
    union osp_attrs attrs = net_attrs();
    attrs.maxpool = (struct osp_maxpool_attrs){kernel, kernel, stride, kernel / 2};
    return osp_graph_node(net->graph, OSP_maxpool, node, &attrs, &x, 1, NULL, 0);
}
