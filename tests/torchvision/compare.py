"""python compare.py [--osprey build/osprey] [--only CHECKPOINT...]: osprey against torchvision, from checkpoint to boxes.

Writes checkpoints with seeded weights by torch.save, converts them with `osprey convert`, runs `osprey detect --json` and torchvision on
the same PNG pictures, and wants the same number of detections with the same labels, boxes within 1e-2 px and scores within 1e-4.
Exit 0 when all agree, 1 when not.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import networks
import seeded

PIXELS, SCORE = 1e-2, 1e-4
R50, R50V2, MB, MB320 = networks.NETWORKS
NAMES = ["one", "two", "three", "four", "five"]

# Pictures as (width, height, seed). Each network runs at its own default size on the first ones, and smaller on the others.
LARGE = [(640, 427, 11)]
SMALL = [(171, 129, 12), (97, 187, 13), (333, 500, 14), (501, 251, 15)]
SMALL_SIZES = (256, 400)


def checkpoint(network, seed, background, classes=91, frozen_eps=None, times=1, legacy=False, wrap=None, prefix="", convert=()):
    """`background` is added to that class's bias, so that, as in a trained network, most proposals are nothing."""
    return dict(network=network, seed=seed, background=background, classes=classes, frozen_eps=frozen_eps, times=times, legacy=legacy,
                wrap=wrap, prefix=prefix, convert=list(convert))


def detecto(network, seed, background, classes, frozen_eps, **more):
    """A save of Detecto's: frozen batch norm, classes of its own, input normalised twice."""
    return checkpoint(network, seed, background, classes + 1, frozen_eps, times=2,
                      convert=["--model", network, "--classes", ",".join(NAMES[:classes]), "--input-norm", "twice"], **more)


CHECKPOINTS = {
    "r50": checkpoint(R50, 8, 12.5, frozen_eps=0.0),
    "r50-batchnorm-legacy": checkpoint(R50, 12, 10.5, legacy=True),
    "r50_v2": checkpoint(R50V2, 5, 7.7, wrap="model"),
    "mobilenet": checkpoint(MB, 10, 7, prefix="module.", wrap="state_dict", convert=["--model", MB]),
    "mobilenet_320": checkpoint(MB320, 10, 6.5, convert=["--model", MB320]),
    "detecto-r50-2": detecto(R50, 1, 11.5, 2, 0.0),
    "detecto-r50-5-legacy": detecto(R50, 2, 9.5, 5, 0.0, legacy=True),
    # Weights that magnify rounding: in f32 torchvision itself is up to 6e-3 px from its own result in double.
    "detecto-mobilenet-2": detecto(MB, 1, 3.5, 2, 1e-5),
    "detecto-mobilenet-5": detecto(MB, 6, 4.5, 5, 1e-5),
    "detecto-mobilenet_320-5": detecto(MB320, 5, 2.5, 5, 1e-5),
}


def build(spec, **settings):
    model = networks.build(spec["network"], spec["classes"], spec["frozen_eps"], **settings)
    networks.load_seeded(model, spec["network"], spec["classes"], spec["seed"], spec["times"])
    model.roi_heads.box_predictor.cls_score.bias[0] += spec["background"]
    return model


def save(spec, path):
    """The checkpoint file, as training scripts write it."""
    state = {spec["prefix"] + name: tensor for name, tensor in build(spec).state_dict().items()}
    torch.save({spec["wrap"]: state, "epoch": 3} if spec["wrap"] else state, path,
               _use_new_zipfile_serialization=not spec["legacy"])


def by_torchvision(spec, pictures, sizes):
    model = build(spec, **dict(min_size=sizes[0], max_size=sizes[1]) if sizes else {})
    for picture in pictures:
        image = networks.to_tensor(seeded.picture(*picture))
        found = model([networks.normalise(image) if spec["times"] == 2 else image])[0]
        yield [(int(label), float(score), box.tolist()) for label, score, box in zip(found["labels"], found["scores"], found["boxes"])]


def by_osprey(osprey, spec, source, paths, sizes, folder):
    converted = os.path.join(folder, "converted.safetensors")
    more = ["--min-size", str(sizes[0]), "--max-size", str(sizes[1])] if sizes else []
    subprocess.run([osprey, "convert", source, "-o", converted, *spec["convert"], *more], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    lines = subprocess.run([osprey, "detect", "--model", converted, "--score", "0", "--json", *paths], check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
    found = {entry["file"]: entry["detections"] for entry in map(json.loads, lines)}
    os.remove(converted)
    for path in paths:
        yield [(d["id"], d["score"], d["box"]) for d in found[path]]


def worst(wanted, found):
    """(largest difference of a coordinate, of a score) over pairs of one label and nearest place; None where labels differ."""
    if sorted(d[0] for d in wanted) != sorted(d[0] for d in found):
        return None
    left, pixels, score = list(found), 0., 0.
    for label, wanted_score, box in wanted:
        def distance(d):
            return max(abs(a - b) for a, b in zip(d[2], box))
        nearest = min((d for d in left if d[0] == label), key=distance)
        left.remove(nearest)
        pixels, score = max(pixels, distance(nearest)), max(score, abs(nearest[1] - wanted_score))
    return pixels, score


def compare(osprey, name, spec, folder):
    """Prints a row for each picture; True when all agree."""
    source, good = os.path.join(folder, name + ".pth"), True
    save(spec, source)
    for pictures, sizes in ((LARGE, None), (SMALL, SMALL_SIZES)):
        paths = []
        for picture in pictures:
            paths.append(os.path.join(folder, "%dx%d-%d.png" % picture))
            Image.fromarray(seeded.picture(*picture)).save(paths[-1])
        found = by_osprey(osprey, spec, source, paths, sizes, folder)
        for picture, wanted, ours in zip(pictures, by_torchvision(spec, pictures, sizes), found, strict=True):
            difference = worst(wanted, ours)
            agrees = difference is not None and difference[0] <= PIXELS and difference[1] <= SCORE
            good &= agrees
            print(f"{name:24} {picture[0]:4}x{picture[1]:<4} {'default' if not sizes else '%d/%d' % sizes:8} {len(wanted):5} "
                  f"{len(ours):6} {len({d[0] for d in wanted}):7} " + ("   labels differ      " if difference is None else
                                                                       f"{difference[0]:9.2e} {difference[1]:9.2e}")
                  + ("  ok" if agrees else "  FAILED"), flush=True)
    os.remove(source)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--osprey", default=os.path.join(networks.ROOT, "build", "osprey"))
    parser.add_argument("--only", nargs="*", choices=CHECKPOINTS, default=list(CHECKPOINTS))
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}\n{'checkpoint':24} {'picture':9} {'size':8} torch osprey classes    pixels     score")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if all([compare(arguments.osprey, name, CHECKPOINTS[name], folder) for name in arguments.only]) else 1)
