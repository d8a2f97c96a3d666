"""The same network for every program: torchvision's, with seeded weights (or the demo's own), converted from one state dict.

prepare(NAME, FOLDER, OSPREY) writes what the programs read, once: NAME.safetensors (osprey convert), NAME.onnx (bytes of the picture to
boxes; ONNX Runtime and OpenVINO), NAME.ncnn.param and .bin (body, FPN and RPN head; through pnnx), NAME.input.npy and NAME.heads.npz (what
goes into that part and what torch gets out of it), and NAME.png, the picture.
"""
import json
import os
import struct
import subprocess
import sys

import numpy as np
import torch
import torchvision
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))
nms_by_default = torchvision.ops.boxes.batched_nms  # networks.py replaces it by the exact one
import networks
import seeded

R50, _, _, MB320 = networks.NETWORKS
DEMO_MODEL = os.path.join(ROOT, "models", "demo", "demo.safetensors")
ASTRONAUT = os.path.join(ROOT, "models", "demo", "astronaut.png")

# Seeds, and what is added to the background's bias so that most proposals are nothing, as in tests/torchvision/compare.py. A picture is
# a file, or (width, height, seed). `body_rpn`: measured against ncnn too, which has no way to run the whole detector.
NETWORKS = {
    "r50": dict(network=R50, title="fasterrcnn_resnet50_fpn, 640x480 picture, network input 800x1088", seed=8, background=12.5,
                frozen_eps=0.0, picture=(640, 480, 11), size=(800, 1088), body_rpn=True),
    "mobilenet_320": dict(network=MB320, title="fasterrcnn_mobilenet_v3_large_320_fpn, 512x512 photo, network input 320x320", seed=10,
                          background=6.5, frozen_eps=None, picture=ASTRONAUT, size=(320, 320), body_rpn=False),
    "demo": dict(network=networks.DEMO, title="the demo network (EfficientNet-Lite0, 64-channel FPN), 512x512 photo, network input 320x320",
                 picture=ASTRONAUT, size=(320, 320), body_rpn=False),
}


def safetensors(path):
    """name -> tensor; enough of the format for our own files."""
    kinds = {"F32": np.float32, "F16": np.float16}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
                                   .astype(np.float32)) for name, entry in header.items()}


def build(name):
    spec = NETWORKS[name]
    if spec["network"] == networks.DEMO:
        model = networks.build(spec["network"], 4)
        model.load_state_dict(safetensors(DEMO_MODEL))
        return model
    model = networks.build(spec["network"], 91, spec["frozen_eps"])
    networks.load_seeded(model, spec["network"], 91, spec["seed"], 1)
    model.roi_heads.box_predictor.cls_score.bias[0] += spec["background"]
    return model


def picture(name):
    """(H,W,3) bytes."""
    what = NETWORKS[name]["picture"]
    return seeded.picture(*what) if isinstance(what, tuple) else np.array(Image.open(what).convert("RGB"))


class FromBytes(torch.nn.Module):
    """(H,W,3) bytes to (boxes, labels, scores)."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixels):
        found = self.model([pixels.permute(2, 0, 1).contiguous().float() / 255])[0]
        return found["boxes"], found["labels"], found["scores"]


class BodyToHeads(torch.nn.Module):
    """The resized, padded batch to the RPN head's maps. Frozen batch norms are made plain ones, which converters fold."""

    def __init__(self, model):
        super().__init__()
        self.backbone, self.head = thawed(model.backbone), model.rpn.head

    def forward(self, x):
        objectness, deltas = self.head(list(self.backbone(x).values()))
        return tuple(objectness + deltas)


def thawed(module):
    for name, child in module.named_children():
        if isinstance(child, torchvision.ops.FrozenBatchNorm2d):
            plain = torch.nn.BatchNorm2d(child.weight.numel(), child.eps)
            plain.load_state_dict(child.state_dict(), strict=False)
            setattr(module, name, plain.eval())
        else:
            thawed(child)
    return module


def to_osprey(name, base, osprey):
    if NETWORKS[name]["network"] == networks.DEMO:
        with open(DEMO_MODEL, "rb") as source, open(base + ".safetensors", "wb") as target:
            target.write(source.read())
        return
    torch.save(build(name).state_dict(), base + ".pth")
    subprocess.run([osprey, "convert", base + ".pth", "-o", base + ".safetensors", "--model", NETWORKS[name]["network"]], check=True,
                   stdout=subprocess.DEVNULL)
    os.remove(base + ".pth")


def to_onnx(name, base):
    torchvision.ops.boxes.batched_nms = nms_by_default
    torch.onnx.export(FromBytes(build(name)), (torch.from_numpy(picture(name)),), base + ".onnx", opset_version=17, dynamo=False,
                      input_names=["pixels"], output_names=["boxes", "labels", "scores"])


def to_ncnn(name, base):
    import pnnx
    model = build(name)
    batch = model.transform([networks.to_tensor(picture(name))])[0].tensors
    part = BodyToHeads(model).eval()
    np.save(base + ".input.npy", batch.numpy())
    np.savez(base + ".heads.npz", *[map.numpy() for map in part(batch)])
    pnnx.export(part, base + ".pt", (batch,), fp16=False)


def prepare(name, folder, osprey):
    """Writes the files that are not there; returns {step: why it failed}."""
    os.makedirs(folder, exist_ok=True)
    base, failed = os.path.join(folder, name), {}
    Image.fromarray(picture(name)).save(base + ".png")
    steps = [(".safetensors", lambda: to_osprey(name, base, osprey)), (".onnx", lambda: to_onnx(name, base))]
    if NETWORKS[name]["body_rpn"]:
        steps.append((".ncnn.bin", lambda: to_ncnn(name, base)))
    for suffix, step in steps:
        if os.path.exists(base + suffix):
            continue
        try:
            step()
            if not os.path.exists(base + suffix):
                raise RuntimeError("it was not written")
        except Exception as problem:
            failed[suffix] = f"{type(problem).__name__}: {problem}".splitlines()[0]
    return failed


if __name__ == "__main__":
    print(json.dumps(dict(failed=prepare(*sys.argv[1:4]), title=NETWORKS[sys.argv[1]]["title"], size=NETWORKS[sys.argv[1]]["size"])))
