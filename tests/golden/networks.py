"""torchvision's detectors as the judge runs them: offline, evaluated, one thread, NMS done class by class."""
import os
import sys

import torch
import torchvision
from torchvision.models import detection
from torchvision.ops import FrozenBatchNorm2d

import seeded

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NETWORKS = ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2",
            "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn")
DEMO = "fasterrcnn_efficientnet_lite0_fpn"

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)
# Exact per class. The other algorithm (coordinate offsets) rounds boxes, and is chosen by size and device.
torchvision.ops.boxes.batched_nms = torchvision.ops.boxes._batched_nms_vanilla


def freeze(module, eps):
    """Frozen batch norm, as in checkpoints that began from torchvision's: no num_batches_tracked, an eps of its own."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, eps))
        else:
            freeze(child, eps)


def build(network, classes, frozen_eps=None, **settings):
    """An evaluating model with torch's own random weights; settings are FasterRCNN's (min_size=...)."""
    if network == DEMO:
        sys.path.insert(0, os.path.join(ROOT, "tools", "train"))
        import model as demo
        return demo.build().eval()
    model = getattr(detection, network)(weights=None, weights_backbone=None, num_classes=classes, **settings).eval()
    if frozen_eps is not None:
        freeze(model, frozen_eps)
    return model


def tensors_file(network, times):
    """Both MobileNet networks have the same tensors. `times`: how often the input is normalised."""
    return os.path.join(HERE, network.replace("_320_fpn", "_fpn") + ("_twice" if times == 2 else "") + ".tensors")


def load_seeded(model, network, classes, seed, times):
    """Fills the model from the .tensors file; num_batches_tracked, which nothing reads, is left alone."""
    weights = seeded.state_dict(tensors_file(network, times), classes, seed)
    wanted = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    assert wanted == set(weights), wanted ^ set(weights)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)


def to_tensor(picture):
    """(H,W,3) bytes to the (3,H,W) floats in [0, 1] that torchvision takes."""
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous().float() / 255


MEAN, STD = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)


def normalise(image):
    """What Detecto does to a picture before torchvision's model does it again."""
    return (image - MEAN) / STD
