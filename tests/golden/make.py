"""python make.py [CASE...]: writes NETWORK.tensors, and CASE.safetensors with what torchvision computes, stage by stage.

Each case is refused unless a copy in double precision and copies with every weight moved by about a millionth give the same
proposals and detections in the same order: then a difference in C is a fault, and not a knife edge. README.md has the format.
"""
import json
import math
import os
import re
import struct
import sys

import numpy as np
import torch
import torchvision
from PIL import Image

import networks
import seeded
from networks import DEMO, HERE, ROOT

SAMPLES = 384  # elements kept of each stage
R50, R50V2, MB, MB320 = networks.NETWORKS

# Gains that keep activations near 1 and spread the scores: of the body's convolutions (squared, times fan-in), of the last batch norm
# of a residual block, of the FPN's 1x1 convolutions, and of the four output layers.
RESNET = dict(body=6, residual=.35, inner=.06, objectness=2, rpn_deltas=.5, cls_score=4, box_deltas=1)
MOBILENET = dict(body=4.7, residual=1, inner=.2, objectness=3, rpn_deltas=.5, cls_score=4, box_deltas=1)
GAINS = {R50: RESNET, R50V2: RESNET, MB: MOBILENET}
TWICE = 1 / 4.4  # normalising twice widens the input so much: the first convolution takes it back


def case(network, pictures, classes=91, seed=1, frozen_eps=None, times=1, **settings):
    return dict(network=network, pictures=pictures, classes=classes, seed=seed, frozen_eps=frozen_eps, times=times, settings=settings)


def sizes(smaller, larger, pre=300, post=60):
    return dict(min_size=smaller, max_size=larger, rpn_pre_nms_top_n_test=pre, rpn_post_nms_top_n_test=post)


# Pictures are (width, height, seed), or a crop of a photo that ships with the demo model: FILE@WIDTHxHEIGHT+X+Y.
CASES = {
    "r50": case(R50, [(171, 129, 1), (97, 187, 2)], seed=4, frozen_eps=0.0, **sizes(128, 190, post=40)),
    "r50_v2": case(R50V2, [(150, 101, 3)], seed=7, **sizes(101, 160, post=32)),
    "mobilenet": case(MB, [(229, 200, 4), (150, 260, 5)], seed=36, **sizes(192, 290, post=30)),
    "mobilenet_320": case(MB320, [(180, 301, 6)], seed=10, **sizes(200, 400, pre=150, post=40)),
    "detecto_r50": case(R50, [(140, 111, 7)], classes=3, seed=2, frozen_eps=0.0, times=2, **sizes(111, 160, post=60)),
    "detecto_mobilenet": case(MB, [(190, 233, 8)], classes=6, seed=5, frozen_eps=1e-5, times=2, **sizes(200, 240, post=50)),
    "detecto_mobilenet_320": case(MB320, [(301, 211, 9)], classes=3, seed=4, frozen_eps=1e-5, times=2, **sizes(160, 320, pre=150, post=50)),
    "demo": case(DEMO, ["astronaut.png@420x420+40+10", "camera.png@500x500+0+0"], classes=4),
}

# The osprey nodes whose values are the maps that the FPN starts from, and the box head's last one.
BODY_NODES = {
    R50: ["layer1.2.conv3", "layer2.3.conv3", "layer3.5.conv3", "layer4.2.conv3"],
    MB: ["13.block.3.0", "16.0"],
    DEMO: ["blocks.4.project_conv", "blocks.10.project_conv", "blocks.15.project_conv"],
}
BODY_NODES |= {R50V2: BODY_NODES[R50], MB320: BODY_NODES[MB]}


# ---- Tensor lists -----------------------------------------------------------------------------------------------------------------

def base_and_gain(name, shape, gains, times):
    """What a tensor's values are spread around, and how far to each side."""
    if len(shape) > 1:
        fan_in = math.prod(shape[1:])
        for word, key in (("cls_logits", "objectness"), ("rpn.head.bbox_pred", "rpn_deltas"), ("cls_score", "cls_score"),
                          ("bbox_pred", "box_deltas"), ("inner_blocks", "inner")):
            if word in name:
                return 0, gains[key] * math.sqrt(3 / fan_in)
        squared = 3 if "layer_blocks" in name else gains["body"] if ".body." in name else 6
        return 0, math.sqrt(squared / fan_in) * (TWICE if times == 2 and shape[1] == 3 else 1)
    if name.endswith("running_var"):
        return 1, .5
    if name.endswith(("bias", "running_mean")):
        return 0, .1
    return (gains["residual"], .1) if name.endswith("bn3.weight") else (1, .25)


def write_tensors(network, times):
    model = networks.build(network, 91)
    with open(networks.tensors_file(network, times), "w") as file:
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            base, gain = base_and_gain(name, tensor.shape, GAINS[network], times)
            dims = [str(d) for d in tensor.shape]
            if "box_predictor" in name:
                dims[0] = "4K" if "bbox_pred" in name else "K"
            print(name, base, f"{gain:.6g}", *dims, file=file)


# ---- Running torchvision ----------------------------------------------------------------------------------------------------------

def crop(words):
    name, box = words.split("@")
    width, height, x, y = map(int, re.split("[x+]", box))
    photo = np.array(Image.open(os.path.join(ROOT, "models", "demo", name)).convert("RGB"))
    return photo[y:y + height, x:x + width].copy()


def load(spec):
    """The case's model and its pictures as float images."""
    model = networks.build(spec["network"], spec["classes"], spec["frozen_eps"], **spec["settings"])
    if spec["network"] == DEMO:
        model.load_state_dict(torch.load(os.environ["OSPREY_DEMO_PTH"], weights_only=True))
        return model, [networks.to_tensor(crop(words)) for words in spec["pictures"]]
    networks.load_seeded(model, spec["network"], spec["classes"], spec["seed"], spec["times"])
    images = [networks.to_tensor(seeded.picture(*picture)) for picture in spec["pictures"]]
    return model, [networks.normalise(image) for image in images] if spec["times"] == 2 else images


def nhwc(tensor):
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def run(model, images, network):
    """Stages by the name of the osprey node that makes them, sizes, counts, proposals and detections. Stages are NHWC; what has one
    row for each proposal has as many rows for each image as there is room for, zeros past the image's own, as osprey has."""
    got, hooks = {}, []
    body, fpn, heads = model.backbone.body, model.backbone.fpn, model.roi_heads
    box_head = "roi_heads.box_head." + ("5" if network == R50V2 else "fc7")
    row_nodes = ["roi_heads.roi_align", box_head, "roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"]

    def keep(module, what):
        hooks.append(module.register_forward_hook(lambda _, inputs, output: what(output) and None))

    def stages(names, tensors):
        got.update({name: nhwc(tensor) for name, tensor in zip(names, tensors, strict=True)})

    def levels(pattern, count):
        return [pattern % i for i in range(count)]

    keep(model.transform, lambda o: got.update({"resize": nhwc(o[0].tensors), "sizes": o[0].image_sizes}))
    keep(body, lambda o: stages(["backbone.body." + name for name in BODY_NODES[network]], o.values()))
    keep(fpn, lambda o: stages(levels("backbone.fpn.layer_blocks.%d.0", len(o) - 1) + ["backbone.fpn.pool"], o.values()))
    keep(model.rpn.head, lambda o: stages(levels("rpn.head.cls_logits/level%d", len(o[0])), o[0]))
    keep(model.rpn.head, lambda o: stages(levels("rpn.head.bbox_pred/level%d", len(o[1])), o[1]))
    keep(model.rpn, lambda o: got.update({"proposals": o[0]}))
    keep(heads.box_roi_pool, lambda o: stages(row_nodes[:1], [o]))
    keep(heads.box_head, lambda o: stages(row_nodes[1:2], [o]))
    keep(heads.box_predictor, lambda o: stages(row_nodes[2:], o))
    got["detections"] = model(images)
    for hook in hooks:
        hook.remove()

    logits = [tensor for name, tensor in got.items() if "cls_logits" in name]
    capacity = min(sum(min(model.rpn.pre_nms_top_n(), level[0].numel()) for level in logits), model.rpn.post_nms_top_n())
    counts = got["counts"] = [len(p) for p in got["proposals"]]

    def padded(parts):
        return [torch.cat([part, part.new_zeros(capacity - len(part), *part.shape[1:])]) for part in parts]

    got["proposals"] = torch.stack(padded(got["proposals"]))
    for name in row_nodes:
        got[name] = torch.cat(padded(got[name].split(counts)))
    return got


def same(a, b):
    """None, or what differs: the proposals' and the detections' counts, order, labels or places."""
    if a["counts"] != b["counts"]:
        return f"proposals {a['counts']} {b['counts']}"
    if (a["proposals"] - b["proposals"]).abs().max() > .05:
        return "order of proposals"
    for x, y in zip(a["detections"], b["detections"]):
        if len(x["labels"]) != len(y["labels"]):
            return f"detections {len(x['labels'])} {len(y['labels'])}"
        if not torch.equal(x["labels"], y["labels"]) or (x["boxes"] - y["boxes"]).abs().max() > .05:
            return "labels or order of detections"
    return None


def robust(model, images, network, got):
    """None, or why the case stands on a knife edge."""
    for n, found in enumerate(got["detections"]):
        gap = (found["scores"][:-1] - found["scores"][1:]).min() if len(found["scores"]) > 1 else torch.tensor(1.)
        if gap < 2e-5:
            return f"image {n}: two scores only {gap:.1e} apart"
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    exact = run(model.double(), [image.double() for image in images], network)
    model.float()
    reason = same(got, exact) and "double: " + same(got, exact)
    for trial in range(4):
        random = torch.Generator().manual_seed(trial)
        model.load_state_dict({name: tensor * (1 + 1e-6 * torch.randn(tensor.shape, generator=random)) if tensor.is_floating_point()
                               else tensor for name, tensor in weights.items()})
        reason = reason or same(got, run(model, images, network))
    model.load_state_dict(weights)
    return reason


# ---- Writing ----------------------------------------------------------------------------------------------------------------------

def write_safetensors(path, metadata, arrays):
    names = {np.dtype("f4"): "F32", np.dtype("f8"): "F64", np.dtype("i4"): "I32"}
    header, at = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        header[name] = dict(dtype=names[array.dtype], shape=list(array.shape), data_offsets=[at, at + array.nbytes])
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


def summary(name, tensor):
    """A stage as the file has it: shape, sum and Euclidean norm, and some elements with their places."""
    flat = tensor.contiguous().numpy().ravel()
    places = np.sort(np.random.default_rng(len(flat)).choice(len(flat), min(SAMPLES, len(flat)), replace=False)).astype("i4")
    wide = flat.astype("f8")
    return {name + "/shape": np.array(tensor.shape, "i4"), name + "/total": np.array([wide.sum(), np.sqrt((wide * wide).sum())]),
            name + "/at": places, name + "/value": flat[places]}


def metadata(name, spec, model):
    text = dict(network=spec["network"], classes=spec["classes"], seed=spec["seed"], input_norm=("", "once", "twice")[spec["times"]],
                bn_eps=1e-5 if spec["frozen_eps"] is None else spec["frozen_eps"], min_size=model.transform.min_size[0],
                max_size=model.transform.max_size, rpn_pre_nms=model.rpn.pre_nms_top_n(), rpn_post_nms=model.rpn.post_nms_top_n(),
                resize="double", torch=torch.__version__, torchvision=torchvision.__version__,
                tensors=os.path.basename(networks.tensors_file(spec["network"], spec["times"])) if spec["network"] != DEMO else "",
                pictures=" ".join(p if isinstance(p, str) else "%dx%d:%d" % p for p in spec["pictures"]))
    return {key: str(value) for key, value in text.items()}


def write_case(name, spec):
    model, images = load(spec)
    got = run(model, images, spec["network"])
    reason = robust(model, images, spec["network"], got)
    counts = [len(d["labels"]) for d in got["detections"]]
    kinds = [len(d["labels"].unique()) for d in got["detections"]]
    print(f"{name}: input {list(got['resize'].shape)}, proposals {got['counts']} of {got['proposals'].shape[1]}, "
          f"detections {counts} of {kinds} classes, best {[round(float(d['scores'][:1].sum()), 3) for d in got['detections']]}"
          + (f"  REFUSED: {reason}" if reason else ""))
    arrays = {"sizes": np.array(got["sizes"], "i4"), "counts": np.array(got["counts"], "i4"),
              "proposals": got["proposals"].numpy()}
    for i, found in enumerate(got["detections"]):
        arrays |= {f"boxes.{i}": found["boxes"].numpy(), f"scores.{i}": found["scores"].numpy(),
                   f"labels.{i}": found["labels"].numpy().astype("i4")}
    for stage in got:
        if stage not in ("sizes", "counts", "proposals", "detections"):
            arrays |= summary(stage, got[stage])
    if not reason:
        write_safetensors(os.path.join(HERE, name + ".safetensors"), metadata(name, spec, model), arrays)
    return not reason


if __name__ == "__main__":
    for network, times in ((R50, 1), (R50, 2), (R50V2, 1), (MB, 1), (MB, 2)):
        write_tensors(network, times)
    wanted = sys.argv[1:] or CASES
    sys.exit(not all([write_case(name, CASES[name]) for name in wanted]))
