"""Training pictures for the demo detector: Caltech-101 photos on varied backgrounds, among distractors.

DATA/caltech/images/CLASS/*.jpg, DATA/caltech/annotations/CLASS.csv    rows of file,x1,y1,x2,y2,class in pixels
DATA/negatives/*       photos that hold none of the classes (boards, cards, tables)
DATA/wallpapers/*      landscapes and patterns
DATA/stamps/*.png      cut-out things with alpha: animals, food, tools
"""
import csv
import glob
import os
import random

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from model import CLASSES

DATA = os.environ.get("DATA", "data")
SIDE = 320  # pixels of a training picture


def shrunk(picture, side):
    """The picture no longer than `side`, and the factor."""
    factor = min(1, side / max(picture.size))
    return resized(picture, factor, 1), factor


def resized(picture, factor, least):
    size = (max(least, round(picture.width * factor)), max(least, round(picture.height * factor)))
    return picture.resize(size, Image.BILINEAR)


def caltech():
    """(training, held out): lists of (picture, box x1 y1 x2 y2, class id, name); the split is fixed by a seed."""
    items = []
    for label in sorted(CLASSES):
        for row in csv.reader(open(f"{DATA}/caltech/annotations/{label}.csv")):
            if row:
                picture, factor = shrunk(Image.open(f"{DATA}/caltech/images/{label}/{row[0]}").convert("RGB"), 420)
                box = np.array([float(v) for v in row[1:5]], np.float32) * factor
                items.append((picture, box, CLASSES.index(label) + 1, f"{label}/{row[0]}"))
    random.Random(1).shuffle(items)
    count = int(.85 * len(items))
    return items[:count], items[count:]


def pictures(folder, side, mode="RGB"):
    found = []
    for path in sorted(glob.glob(f"{DATA}/{folder}/*")):
        picture = Image.open(path).convert(mode)
        picture.thumbnail((side, side))
        found.append(picture)
    return found


def colour():
    return tuple(random.randint(0, 255) for _ in range(3))


def texture():
    """Blown-up noise with ellipses, rectangles and lines over it."""
    cells = random.choice((4, 10, 24, 64))
    noise = np.random.rand(cells, cells, 3 if random.random() < .6 else 1) * 255
    noise = np.broadcast_to(noise, (cells, cells, 3)).astype("u1")
    picture = Image.fromarray(noise).resize((SIDE, SIDE), random.choice((Image.NEAREST, Image.BILINEAR, Image.BICUBIC)))
    draw = ImageDraw.Draw(picture)
    for _ in range(random.randint(0, 14)):
        ink = colour()
        x, y = random.randint(0, SIDE), random.randint(0, SIDE)
        box = (x, y, x + random.randint(8, 160), y + random.randint(8, 160))
        kind = random.random()
        if kind < .35:
            draw.ellipse(box, fill=ink if random.random() < .6 else None, outline=ink, width=random.randint(1, 9))
        elif kind < .6:
            draw.rectangle(box, fill=ink)
        else:
            draw.line(box, fill=ink, width=random.randint(1, 12))
    return picture


def shared_area(a, b):
    """Of two boxes x1 y1 x2 y2."""
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


class Sampler:
    def __init__(self, train):
        self.train = train
        self.negatives = pictures("negatives", 480)
        self.stamps = pictures("stamps", 220, "RGBA")
        self.walls = pictures("wallpapers", 1100)
        self.by_class = {k: [item for item in train if item[2] == k] for k in (1, 2, 3)}

    def background(self):
        if random.random() < .15:
            return Image.new("RGB", (SIDE, SIDE), colour())
        if random.random() < .35:
            patch = self.patch()
            if patch:
                return patch.resize((SIDE, SIDE), Image.BILINEAR)
        if random.random() < .2:
            return texture()
        picture = random.choice(self.walls if random.random() < .55 else self.negatives)
        side = random.randint(min(picture.size) // 4, min(picture.size))
        x, y = random.randint(0, picture.width - side), random.randint(0, picture.height - side)
        return picture.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.BILINEAR)

    def patch(self):
        """A piece of a training photo that shows next to nothing of its object; None if six tries find none."""
        picture, box, _, _ = random.choice(self.train)
        width, height = picture.size
        for _ in range(6):
            w, h = random.randint(24, max(25, width // 2)), random.randint(24, max(25, height // 2))
            x, y = random.randint(0, width - w), random.randint(0, max(0, height - h))
            shared = shared_area((x, y, x + w, y + h), box)
            if shared < .08 * w * h and shared < .08 * area(box):
                return picture.crop((x, y, x + w, y + h))
        return None

    def thing(self, whole):
        """(picture, box, class id) of a training photo, flipped or turned, and cut towards its box unless whole."""
        picture, box, label, _ = random.choice(self.by_class[random.choice((1, 1, 2, 3))])
        box = box.copy()
        if random.random() < .5:
            picture = picture.transpose(Image.FLIP_LEFT_RIGHT)
            box = np.array([picture.width - box[2], box[1], picture.width - box[0], box[3]], np.float32)
        if random.random() < .25:
            angle = random.uniform(-12, 12)
            centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            picture = picture.rotate(angle, Image.BILINEAR, center=centre, fillcolor=colour())
        margin = [random.uniform(0, 1) if random.random() < .7 else float(whole) for _ in range(4)]
        x0, y0 = int(box[0] * (1 - margin[0])), int(box[1] * (1 - margin[1]))
        x1 = min(int(box[2] + (picture.width - box[2]) * margin[2] + .999), picture.width)
        y1 = min(int(box[3] + (picture.height - box[3]) * margin[3] + .999), picture.height)
        return picture.crop((x0, y0, x1, y1)), box - np.array([x0, y0] * 2, np.float32), label

    def close_up(self):
        """One photo that fills the picture: (canvas, boxes, labels)."""
        picture, box, label = self.thing(True)
        factor = SIDE / max(picture.size) if random.random() < .6 else SIDE / min(picture.size)
        picture, box = resized(picture, factor, 8), box * factor
        x = random.randint(min(0, SIDE - picture.width), max(0, SIDE - picture.width))
        y = random.randint(min(0, SIDE - picture.height), max(0, SIDE - picture.height))
        canvas = self.background()
        canvas.paste(picture, (x, y))
        box = box + np.array([x, y] * 2)
        seen = np.clip(box, 0, SIDE)
        return (canvas, [seen], [label]) if area(seen) > .35 * area(box) else (canvas, [], [])

    def clutter(self, canvas):
        """Patches and cut-out things, none of a class."""
        for _ in range(random.randint(0, 3)):
            patch = self.patch() if random.random() < .5 else random.choice(self.negatives).crop((0, 0, 200, 200))
            if patch:
                size = (random.randint(30, 200), random.randint(30, 200))
                canvas.paste(patch.resize(size, Image.BILINEAR), (random.randint(-40, SIDE - 20), random.randint(-40, SIDE - 20)))
        for _ in range(random.choice((0, 0, 1, 2, 3, 5))):
            stamp = random.choice(self.stamps)
            stamp = resized(stamp, 2 ** random.uniform(np.log2(30), np.log2(260)) / max(stamp.size), 4)
            if random.random() < .3:
                stamp = stamp.rotate(random.uniform(-30, 30), Image.BILINEAR, expand=True)
            canvas.paste(stamp, (random.randint(-30, SIDE - 20), random.randint(-30, SIDE - 20)), stamp)

    def scene(self, empty):
        """Things side by side among clutter, or the clutter alone: (canvas, boxes, labels)."""
        canvas, boxes, labels, taken = self.background(), [], [], []
        self.clutter(canvas)
        for _ in range(0 if empty else random.choice((1, 2, 2, 3, 4, 5))):
            picture, box, label = self.thing(False)
            side = 2 ** random.uniform(np.log2(28 if label == 1 else 48), np.log2(200))
            factor = side / max(box[2] - box[0], box[3] - box[1])
            picture, box = resized(picture, factor, 6), box * factor
            if picture.width > SIDE or picture.height > SIDE:
                continue
            x, y = random.randint(0, SIDE - picture.width), random.randint(0, SIDE - picture.height)
            place = (x, y, x + picture.width, y + picture.height)
            if any(shared_area(place, other) > 0 for other in taken):
                continue
            taken.append(place)
            canvas.paste(picture, (x, y))
            boxes.append(np.clip(box + np.array([x, y] * 2), 0, SIDE))
            labels.append(label)
        return canvas, boxes, labels

    def sample(self):
        """(image (3,SIDE,SIDE) in [0,1], target) as torchvision's detectors take them."""
        kind = random.random()
        canvas, boxes, labels = self.close_up() if kind < .3 else self.scene(kind > .8)
        if random.random() < .12:
            canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(.4, 1.4)))
        x = torch.from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1).float() / 255
        x = ((x - .5) * random.uniform(.6, 1.35) + .5) * random.uniform(.65, 1.25) * torch.empty(3, 1, 1).uniform_(.85, 1.15)
        if random.random() < .15:
            x = x.mean(0, keepdim=True).expand(3, -1, -1).clone()
        if random.random() < .15:
            x = x + torch.randn_like(x) * random.uniform(.01, .06)
        kept = [i for i, box in enumerate(boxes) if box[2] - box[0] > 6 and box[3] - box[1] > 6]
        return x.clamp(0, 1), dict(boxes=torch.tensor(np.array([boxes[i] for i in kept], np.float32).reshape(-1, 4)),
                                   labels=torch.tensor([labels[i] for i in kept], dtype=torch.int64))
