/* The networks by name: what each is made of, torchvision's settings for it, and how a checkpoint shows which one it is. */
#include "zoo.h"

#include <string.h>

#include "faster_rcnn.h"

#define IMAGENET .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}
#define HALVES   .mean = {127. / 255, 127. / 255, 127. / 255}, .std = {128. / 255, 128. / 255, 128. / 255}
/* What all have in common: torchvision FasterRCNN's defaults. */
#define COMMON                                                                                                                   \
    .norm_times = 1, .resize = "double", .rpn_nms_thresh = 0.7, .box_nms_thresh = 0.5, .box_score_thresh = 0.05,                 \
    .box_detections_per_img = 100, .source_name = "", .source_sha256 = ""
#define SIDES(min, max)             .min_size = min, .max_size = max
#define PROPOSALS(pre, post, score) .rpn_pre_nms_top_n = pre, .rpn_post_nms_top_n = post, .rpn_score_thresh = score

/* Anchors in pixels: one size a level where each level has a stride of its own, all five everywhere where it has not. */
static const int one_size[][NET_MAX_SIZES] = {{32}, {64}, {128}, {256}, {512}};
static const int all_sizes[][NET_MAX_SIZES] = {{32, 64, 128, 256, 512}, {32, 64, 128, 256, 512}, {32, 64, 128, 256, 512}};

/* body, pyramid (channels, batch norm), RPN (convolutions, anchor sizes), RoI scale, box head (convolutions, width) */
static const struct net_detector resnet50 = {net_resnet50, 256, 0, 1, 1, one_size, 224, 0, 1024};
static const struct net_detector resnet50_v2 = {net_resnet50, 256, 1, 2, 1, one_size, 224, 4, 1024};
static const struct net_detector mobilenet = {net_mobilenet_v3_large, 256, 0, 1, 5, all_sizes, 224, 0, 1024};
static const struct net_detector lite = {net_efficientnet_lite0, 64, 0, 1, 1, one_size, 112, 0, 256};

static void build_resnet50(struct osp_graph *graph, const struct osp_config *config)
{
    net_faster_rcnn(graph, config, &resnet50);
}

static void build_resnet50_v2(struct osp_graph *graph, const struct osp_config *config)
{
    net_faster_rcnn(graph, config, &resnet50_v2);
}

static void build_mobilenet(struct osp_graph *graph, const struct osp_config *config)
{
    net_faster_rcnn(graph, config, &mobilenet);
}

static void build_lite(struct osp_graph *graph, const struct osp_config *config) { net_faster_rcnn(graph, config, &lite); }

/* Detectors with further heads (Mask R-CNN, Keypoint R-CNN) hold all tensors of the plain one; those heads are not run. */
#define OTHER_HEADS "roi_heads.mask_predictor.conv5_mask.weight", "roi_heads.keypoint_predictor.kps_score_lowres.weight"
#define PREDICTOR   "roi_heads.box_predictor.cls_score.weight", "roi_heads.box_predictor.bbox_pred.weight"

/* layer4.2.conv3: bottlenecks; layer3.6: ResNet-101 and deeper */
static const char *const resnet50_signs[] = {"backbone.body.layer4.2.conv3.weight",
                                             "backbone.fpn.inner_blocks.3.0.weight",
                                             "backbone.fpn.inner_blocks.3.0.bias",
                                             "rpn.head.conv.0.0.weight",
                                             "roi_heads.box_head.fc6.weight",
                                             PREDICTOR,
                                             NULL};
static const char *const resnet50_lacks[] = {"backbone.body.layer3.6.conv1.weight", "rpn.head.conv.1.0.weight", OTHER_HEADS,
                                             NULL};
static const char *const resnet50_v2_signs[] = {"backbone.body.layer4.2.conv3.weight",
                                                "backbone.fpn.inner_blocks.3.1.running_var",
                                                "rpn.head.conv.1.0.weight",
                                                "roi_heads.box_head.3.1.running_var",
                                                "roi_heads.box_head.5.weight",
                                                PREDICTOR,
                                                NULL};
static const char *const resnet50_v2_lacks[] = {"backbone.body.layer3.6.conv1.weight", "backbone.fpn.inner_blocks.3.0.bias",
                                                OTHER_HEADS, NULL};
static const char *const mobilenet_signs[] = {"backbone.body.4.block.2.fc1.weight",
                                              "backbone.body.16.0.weight",
                                              "backbone.fpn.inner_blocks.1.0.weight",
                                              "rpn.head.conv.0.0.weight",
                                              "roi_heads.box_head.fc6.weight",
                                              PREDICTOR,
                                              NULL};
static const char *const mobilenet_lacks[] = {"backbone.body.17.0.weight", OTHER_HEADS, NULL};
static const char *const lite_signs[] = {"backbone.body.conv_stem.weight",
                                         "backbone.body.blocks.15.project_conv.weight",
                                         "backbone.fpn.inner_blocks.2.0.weight",
                                         "rpn.head.conv.0.0.weight",
                                         "roi_heads.box_head.fc6.weight",
                                         PREDICTOR,
                                         NULL};
static const char *const lite_lacks[] = {"backbone.body.blocks.16.project_conv.weight", OTHER_HEADS, NULL};

static const struct osp_network networks[] = {
    {.name = "fasterrcnn_resnet50_fpn",
     .about = "torchvision: ResNet-50 v1.5, FPN, two fully connected layers; Detecto's default",
     .defaults =
         {.architecture = "fasterrcnn_resnet50_fpn", IMAGENET, SIDES(800, 1333), PROPOSALS(1000, 1000, 0), .bn_eps = 0, COMMON},
     .build = build_resnet50,
     .signs = resnet50_signs,
     .lacks = resnet50_lacks},
    {.name = "fasterrcnn_resnet50_fpn_v2",
     .about = "torchvision: the same with batch norm in the FPN, two RPN convolutions and four convolutions in the box head",
     .defaults = {.architecture = "fasterrcnn_resnet50_fpn_v2",
                  IMAGENET,
                  SIDES(800, 1333),
                  PROPOSALS(1000, 1000, 0),
                  .bn_eps = 1e-5,
                  COMMON},
     .build = build_resnet50_v2,
     .signs = resnet50_v2_signs,
     .lacks = resnet50_v2_lacks},
    {.name = "fasterrcnn_mobilenet_v3_large_fpn",
     .about = "torchvision: MobileNetV3-Large, FPN on two maps of stride 32",
     .defaults = {.architecture = "fasterrcnn_mobilenet_v3_large_fpn",
                  IMAGENET,
                  SIDES(800, 1333),
                  PROPOSALS(1000, 1000, 0.05),
                  .bn_eps = 1e-5,
                  COMMON},
     .build = build_mobilenet,
     .signs = mobilenet_signs,
     .lacks = mobilenet_lacks},
    {.name = "fasterrcnn_mobilenet_v3_large_320_fpn",
     .about = "torchvision: the same at a shorter side of 320 pixels, with 150 proposals",
     .defaults = {.architecture = "fasterrcnn_mobilenet_v3_large_320_fpn",
                  IMAGENET,
                  SIDES(320, 640),
                  PROPOSALS(150, 150, 0.05),
                  .bn_eps = 1e-5,
                  COMMON},
     .build = build_mobilenet,
     .signs = mobilenet_signs,
     .lacks = mobilenet_lacks},
    {.name = "fasterrcnn_efficientnet_lite0_fpn",
     .about = "osprey's demo network: EfficientNet-Lite0, FPN of 64 channels, 320 pixels, 300 proposals",
     .defaults = {.architecture = "fasterrcnn_efficientnet_lite0_fpn",
                  HALVES,
                  SIDES(320, 640),
                  PROPOSALS(1000, 300, 0),
                  .bn_eps = 1e-3,
                  COMMON},
     .build = build_lite,
     .signs = lite_signs,
     .lacks = lite_lacks},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

const struct osp_network *osp_zoo(int i) { return i >= 0 && i < NETWORKS ? &networks[i] : NULL; }

const struct osp_network *osp_zoo_find(const char *name)
{
    for (int i = 0; i < NETWORKS; i++)
        if (!strcmp(networks[i].name, name))
            return &networks[i];
    return NULL;
}

static int fits(const struct osp_network *network, int (*has)(void *context, const char *name), void *context)
{
    for (const char *const *sign = network->signs; *sign; sign++)
        if (!has(context, *sign))
            return 0;
    for (const char *const *lack = network->lacks; *lack; lack++)
        if (has(context, *lack))
            return 0;
    return 1;
}

int osp_zoo_identify(int (*has)(void *context, const char *name), void *context, const struct osp_network **found, int room)
{
    int count = 0;
    for (int i = 0; i < NETWORKS; i++)
        if (fits(&networks[i], has, context)) {
            if (count < room)
                found[count] = &networks[i];
            count++;
        }
    return count;
}
