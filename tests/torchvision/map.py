"""python map.py HELDOUT [--osprey build/osprey] [--model FILE]: average precision of the demo model by pycocotools.

HELDOUT has images/ and coco.json. Runs `osprey detect --coco` over the pictures and compares with the model card's numbers, which are
torchvision's: exit 0 when both are within 0.2 points, 1 when not.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CARD = {"AP": .646, "AP50": .996}
ALLOWED = .002


def detect(osprey, model, images):
    """The contents of the file that --coco writes: a COCO data set whose annotations have scores."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "found.json")
        subprocess.run([osprey, "detect", *(["--model", model] if model else []), "--score", "0", "--coco", path, images], check=True,
                       stdout=subprocess.DEVNULL)
        return json.load(open(path))


def renumbered(found, truth):
    """The detections with the image ids that the truth has for the same file names."""
    ids = {os.path.basename(image["file_name"]): image["id"] for image in truth["images"]}
    theirs = {image["id"]: ids[os.path.basename(image["file_name"])] for image in found["images"]}
    assert sorted(theirs.values()) == sorted(ids.values()), "not every picture was run"
    return [dict(image_id=theirs[d["image_id"]], category_id=d["category_id"], bbox=d["bbox"], score=d["score"])
            for d in found["annotations"]]


def evaluate(truth_path, detections):
    truth = COCO(truth_path)
    evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return {"AP": evaluation.stats[0], "AP50": evaluation.stats[1]}


if __name__ == "__main__":
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heldout")
    parser.add_argument("--osprey", default=os.path.join(root, "build", "osprey"))
    parser.add_argument("--model")
    arguments = parser.parse_args()
    truth_path = os.path.join(arguments.heldout, "coco.json")
    found = detect(arguments.osprey, arguments.model, os.path.join(arguments.heldout, "images"))
    measured = evaluate(truth_path, renumbered(found, json.load(open(truth_path))))
    for name, card in CARD.items():
        print(f"{name:5} osprey {measured[name]:.4f}, card {card:.3f}, difference {measured[name] - card:+.4f}, allowed {ALLOWED}")
    sys.exit(any(abs(measured[name] - card) > ALLOWED for name, card in CARD.items()))
