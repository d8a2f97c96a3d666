"""Weights and pictures from seeds: the Python half. tests/seeded.c is the C half; the two give the same bits.

A tensor's element i is base + gain * u(i), with u(i) in [-1, 1) from the top 24 bits of the i-th output of SplitMix64
(Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014), whose state starts at a hash of the tensor's name.
"""
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key(name, seed):
    """FNV-1a over the name, from a seeded start."""
    h = (0xCBF29CE484222325 + seed * 0x9E3779B97F4A7C15) % 2**64
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return np.uint64(h)


def splitmix(state, first, count):
    """Outputs first .. first + count - 1 of the generator that starts at `state`."""
    z = state + GOLDEN * np.arange(first + 1, first + count + 1, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def fill(name, seed, base, gain, count):
    """count float32 values: one product and one sum, each rounded once."""
    out = np.empty(count, np.float32)
    for first in range(0, count, 1 << 20):
        n = min(1 << 20, count - first)
        top = (splitmix(key(name, seed), first, n) >> np.uint64(40)).astype(np.float32)
        unit = (top - np.float32(2**23)) * np.float32(2**-23)
        out[first:first + n] = np.float32(base) + np.float32(gain) * unit
    return out


def read_tensors(path, classes):
    """(name, base, gain, shape) for each line; a size K is the number of classes, 4K four times that."""
    sizes = {"K": classes, "4K": 4 * classes}
    rows = []
    for line in open(path):
        name, base, gain, *dims = line.split()
        rows.append((name, float(base), float(gain), [sizes[d] if d in sizes else int(d) for d in dims]))
    return rows


def state_dict(path, classes, seed):
    """name -> float32 array, for all tensors of a .tensors file."""
    return {name: fill(name, seed, base, gain, int(np.prod(shape))).reshape(shape)
            for name, base, gain, shape in read_tensors(path, classes)}


def picture(width, height, seed):
    """RGB: a gradient, twelve rectangles of plain colour, and noise of five bits so that no two places look the same."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    value = (x * 2 + y * 3 + c * 80) % 224
    r = splitmix(key("rectangles", seed), 0, 12 * 7).reshape(12, 7)
    for j in range(12):
        w, h = 8 + int(r[j, 2]) % (width // 2), 8 + int(r[j, 3]) % (height // 2)
        x0, y0 = int(r[j, 0]) % width, int(r[j, 1]) % height
        inside = (x >= x0) & (x < x0 + w) & (y >= y0) & (y < y0 + h)
        colour = (r[j, 4:7] % np.uint64(224)).astype(np.int64)
        value = np.where(inside, colour[c], value)
    noise = splitmix(key("noise", seed), 0, width * height * 3) >> np.uint64(59)
    return (value + noise.astype(np.int64).reshape(height, width, 3)).astype(np.uint8)
