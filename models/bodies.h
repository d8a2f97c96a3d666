/* Feature extractors. Each takes the normalised batch x (N,H,W,3), fills maps finest first and returns how many there are. */
#ifndef OSPREY_MODELS_BODIES_H
#define OSPREY_MODELS_BODIES_H

#include "layers.h"

enum { NET_MAX_FEATURES = 4 };
typedef int net_body(const struct net *net, osp_value x, struct net_feature out[NET_MAX_FEATURES]);

net_body net_resnet50;           /* C2..C5: 256, 512, 1024, 2048 channels, strides 4, 8, 16, 32 */
net_body net_mobilenet_v3_large; /* blocks 13 and 16: 160 and 960 channels, both stride 32 */
net_body net_efficientnet_lite0; /* blocks 4, 10, 15: 40, 112, 320 channels, strides 8, 16, 32 */

#endif
