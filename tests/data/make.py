"""Small checkpoints written by PyTorch itself, and what they hold: tests/data/*.pth and tests/data/expected.txt.

    python tests/data/make.py          # needs PyTorch (made with 2.15)

expected.txt has a line for each file and then one for each tensor:
    file NAME FORMAT KEY PREFIX        FORMAT zip or stream; KEY the dict's key, - at the top; PREFIX 1 if names began with "module."
    tensor NAME TYPE SHAPE BYTES       SHAPE like 2x3, - for a scalar; BYTES row-major, in hexadecimal
"""

import collections
import pathlib

import torch

here = pathlib.Path(__file__).parent
types = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
lines = []


def bytes_of(tensor):
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach()).reshape(-1).view(torch.uint8).numpy().tobytes()


def save(name, what, state, key="-", prefix=False, formats=("zip", "stream")):
    for form in formats:
        path = here / f"{name}.{form}.pth"
        torch.save(what, path, _use_new_zipfile_serialization=form == "zip")
        lines.append(f"file {path.name} {form} {key} {int(prefix)}")
        for tensor_name, tensor in state.items():
            shape = "x".join(map(str, tensor.shape)) or "-"
            data = bytes_of(tensor).hex() if tensor.numel() else "-"
            lines.append(f"tensor {tensor_name[7 * prefix:]} {types[tensor.dtype]} {shape} {data}")


def plain():
    torch.manual_seed(1)
    return collections.OrderedDict([
        ("conv.weight", torch.randn(2, 3, 3, 3)),
        ("conv.bias", torch.tensor([0.0, -0.0])),
        ("bn.running_var", torch.tensor([1e-45, 3.4028235e38])),
        ("bn.num_batches_tracked", torch.tensor(12345678901)),
    ])


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)
        self.bn = torch.nn.BatchNorm2d(2)


torch.manual_seed(0)
state = plain()
save("plain", state, state)

dtypes = collections.OrderedDict()
for dtype, name in types.items():
    values = torch.arange(6).reshape(2, 3)
    dtypes[name.lower()] = values % 2 == 0 if dtype == torch.bool else (values - (0 if dtype == torch.uint8 else 3)).to(dtype)
save("dtypes", dtypes, dtypes)

# What .state_dict() returns has a _metadata attribute, which the pickle carries in a BUILD.
net = Net()
save("module", net.state_dict(), net.state_dict())
parallel = torch.nn.DataParallel(net).state_dict()
save("parallel", parallel, parallel, prefix=True)
save("parameters", dict(net.named_parameters()), dict(net.named_parameters()))

# Views: a slice with an offset, transposes, channels-last, a diagonal, every other column; two tensors in one storage.
base = torch.arange(120, dtype=torch.float32)
square = torch.arange(36, dtype=torch.int16).reshape(6, 6)
views = collections.OrderedDict([
    ("base", base),
    ("slice", base[7:19]),
    ("transposed", base.reshape(10, 12).t()),
    ("last", torch.arange(48, dtype=torch.float16).reshape(2, 4, 2, 3).to(memory_format=torch.channels_last)),
    ("permuted", base[:60].reshape(3, 4, 5).permute(2, 0, 1)),
    ("diagonal", square.diagonal()),
    ("columns", square[1:, ::2]),
    ("one", square[2:3, 3:4].t()),
    ("empty", base[:0]),
    ("no_rows", torch.empty(0, 3)),
])
save("views", views, views)

# Nested, beside other plain data.
optimizer = torch.optim.Adam(net.parameters())
net.bn(net.conv(torch.ones(1, 1, 4, 4))).sum().backward()
optimizer.step()
for key in ("model", "state_dict", "model_state_dict"):
    whole = {"epoch": 7, "best": 0.5, "name": "näme", "losses": [1.0, 2.5, None], "big": 2**60, "huge": -2**90, key: net.state_dict(),
             "optimizer": optimizer.state_dict(), "done": True, "pair": (1, "two")}
    save(f"nested_{key}", whole, net.state_dict(), key=key, formats=("zip", "stream") if key == "model" else ("zip",))
both = {"state_dict": parallel, "epoch": 1}
save("nested_parallel", both, parallel, key="state_dict", prefix=True, formats=("zip",))

# Key names of torchvision before 0.13.
old = collections.OrderedDict((name, torch.full((2,), float(i))) for i, name in enumerate([
    "rpn.head.conv.weight", "rpn.head.conv.bias", "backbone.fpn.inner_blocks.0.weight", "backbone.fpn.layer_blocks.3.bias",
    "backbone.body.bn1.num_batches_tracked"]))
save("old_keys", old, old, formats=("zip",))

(here / "expected.txt").write_text("\n".join(lines) + "\n")
