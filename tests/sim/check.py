#!/usr/bin/env python3
"""Is the measuring right? make check-measuring, or: tests/sim/check.py [--build DIR] [PART...]

  clock    whole processes by an independent clock (hyperfine, else perf stat) against what osprey bench says they cost
  stages   the stages of a run sum to its end-to-end time
  self     a column against itself: the 99 % interval of the ratio holds 1
  fits     a simulated device of known fixed and per-picture cost: both are recovered, and so is the break-even
  against  --against names the one stage that takes 10 % longer, and flags nothing where nothing changed

These look at the clock, so they are no part of make check: a busy machine can fail them. Exit 1 if one fails.
Needs Python 3 and nothing else; uses chrt for real-time priority where that is allowed."""

import argparse
import json
import math
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib

PHOTO = "models/demo/astronaut.png"
JPEG = "models/demo/astronaut-detected.jpg"  # small: bench starts from files in memory, and does not read them
PROGRAMS = {"osprey": "osprey", "osprey-sim": "tests/osprey-sim"}
steady = []  # what commands are started with
folder = None
build = "build"
failures = 0


def verdict(good, text):
    global failures
    failures += not good
    print(f"{'right' if good else 'WRONG'}  {text}", flush=True)


def run(program, *arguments, sim=None, accept=(0,)):
    """Standard output of osprey or osprey-sim."""
    environment = dict(os.environ, OSPREY_SIM=sim) if sim else None
    command = steady + [f"{build}/{PROGRAMS[program]}", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode not in accept:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr}")
    return done


def bench(*arguments, program="osprey", sim=None, accept=(0,)):
    """The study of a bench."""
    path = os.path.join(folder, "study.json")
    run(program, "bench", "--json", path, *arguments, sim=sim, accept=accept)
    with open(path) as file:
        return json.load(file)


# ---- An independent clock -------------------------------------------------------------------------------------------------

def hyperfine(command, runs):
    path = os.path.join(folder, "hyperfine.json")
    subprocess.run(steady + ["hyperfine", "-N", "-w", "1", "-r", str(runs), "--export-json", path, command], check=True,
                   capture_output=True)
    with open(path) as file:
        return min(json.load(file)["results"][0]["times"])


def perf(command, runs):
    seconds = []
    for _ in range(runs + 1):
        done = subprocess.run(steady + ["perf", "stat", "-x", ",", "-e", "duration_time"] + command.split(), check=True,
                              capture_output=True, text=True)
        seconds.append(int(re.search(r"^(\d+),ns,duration_time", done.stderr, re.M).group(1)) / 1e9)
    return min(seconds[1:])


def check_clock(rounds):
    """osprey detect on one photo, and on 20 times the same: program start, what is paid once, and so many runs. Both sides give the
    fastest of a few: whatever else the machine does can only add. Of one photo it is shown, and not judged: what is left there is giving
    memory back when the process ends, which is nobody's stage."""
    clock = hyperfine if shutil.which("hyperfine") else perf if shutil.which("perf") else None
    if not clock:
        print("NOT RUN  clock: neither hyperfine nor perf is here")
        return
    path = os.path.join(folder, "many.txt")
    with open(path, "w") as file:
        file.write((os.path.abspath(JPEG) + "\n") * 20)
    measured, said = {1: [], 20: []}, {1: [], 20: []}
    for _ in range(rounds):
        column = bench("--least", 20, "--most", 20, JPEG)["columns"][0]
        once, total = column["once"], column["cells"][0]["total"]
        first = sum(value for value in once.values() if value is not None) + statistics.median(total)
        said[1].append(first)
        said[20].append(first + sum(total) / len(total) * 19)
        measured[1].append(clock(f"{build}/osprey detect -q {JPEG}", 5))
        measured[20].append(clock(f"{build}/osprey detect -q @{path}", 2))
    least = {pictures: (min(said[pictures]), min(measured[pictures])) for pictures in said}
    more = [(many - one) / 19 for one, many in zip(least[1], least[20])]
    print("       clock: osprey detect, 1 picture: " + clock_line(clock, *least[1])[0])
    for what, pair in (("20 pictures", least[20]), ("one picture more", more)):
        text, good = clock_line(clock, *pair)
        verdict(good, f"clock: osprey detect, {what}: {text} (allowed: 3 %)")


def clock_line(clock, said, measured):
    off = said / measured - 1
    return f"{clock.__name__} {1e3 * measured:.2f} ms, bench {1e3 * said:.2f} ms, {100 * off:+.1f} %", abs(off) <= 0.03


# ---- Stages ---------------------------------------------------------------------------------------------------------------

def check_stages(seconds):
    study = bench("--seconds", seconds, "--backends", "cpu,cpu:threads=1,onednn,emu,emu:graph,cuda:driver=ptx", "--size", "320x320",
                  accept=(0, 1))
    for column in study["columns"]:
        cell = column["cells"][0]
        if not cell["measured"]:
            print(f"NOT RUN  stages: {column['name']}: {column['failure']}")
            continue
        named = [stage for stage in cell["stages"] if stage["name"] not in ("host", "drawing")]
        sums = [sum(values) / total for *values, total in zip(*(stage["seconds"] for stage in named), cell["total"])]
        worst = max(sums, key=lambda ratio: abs(ratio - 1))
        verdict(abs(worst - 1) <= 0.03, f"stages: {column['name']}: {len(named)} stages, without what is left over, are {100 * worst:.2f} % "
                                        f"of the total in the worst of {len(sums)} runs (allowed: 97 to 103 %)")


# ---- Against itself ---------------------------------------------------------------------------------------------------------

def check_self(seconds):
    trials, held, widest = 20, 0, 0
    for _ in range(trials):
        text = run("osprey", "bench", "--backends", "cpu,cpu", "--seconds", seconds, "--narrow", 1e-6, PHOTO).stdout
        low, high = map(float, re.search(r"\(99 %: ([0-9.]+) to ([0-9.]+)\)", text).groups())
        held += low <= 1 <= high
        widest = max(widest, high - low)
    verdict(held >= 19, f"self: the interval of cpu / cpu held 1 in {held} of {trials} (allowed: 19 or more); the widest was {widest:.3f}")


# ---- A simulated device -----------------------------------------------------------------------------------------------------

def small_picture():
    """64x64 grey as PNG: next to nothing to decode."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    path = os.path.join(folder, "grey.png")
    rows = b"".join(b"\0" + bytes(64) for _ in range(64))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def check_fits(seconds):
    """Device 1 is dear to start and cheap for each: with these costs 7 pictures are the first that it does sooner."""
    devices = [(0.020, 0.090), (0.280, 0.050)]
    text = ";".join(f"{fixed} {each}" for fixed, each in devices)
    path = os.path.join(folder, "compare.json")
    batches = (1, 2, 4, 6, 8)
    run("osprey-sim", "compare", "--backends", "sim:threads=1:device=0,sim:threads=1:device=1", "--batch", ",".join(map(str, batches)), "--seconds", seconds,
        "--quiet", "--json", path, small_picture(), sim=text)
    with open(path) as file:
        study = json.load(file)
    for fit in study["fits"]:
        if fit["sweep"] != "batch":
            continue
        for name, known in zip(("fixed", "each"), devices[fit["column"]]):
            off = fit[name] / known - 1
            verdict(abs(off) <= 0.05, f"fits: {study['columns'][fit['column']]['name']}: {name} {1e3 * fit[name]:.2f} ms, set "
                                      f"{1e3 * known:.2f} ms, {100 * off:+.2f} % (allowed: 5 %)")
    exact = next(n for n in range(1, 100) if devices[1][0] + devices[1][1] * n < devices[0][0] + devices[0][1] * n)
    even = next(e for e in study["break_evens"] if (e["a"], e["b"]) == (0, 1))
    verdict(even["batch"] == exact and even["without_start"] == exact,
            f"fits: device 1 is ahead from a batch of {even['batch']:g}, and from {even['without_start']:g} pictures on (exact: {exact})")


# ---- A slower stage -----------------------------------------------------------------------------------------------------------

def flagged(text):
    return re.findall(r"^  .*?, (\w+): .*: SLOWER$", text, re.M)


def check_against(seconds):
    old = os.path.join(folder, "old.json")
    how = ["bench", "--backend", "sim:threads=1", "--seconds", seconds, "--narrow", 1e-6]
    run("osprey-sim", *how, "--json", old, sim="0 0")
    with open(old) as file:
        layers = json.load(file)["columns"][0]["cells"][0]["layers"]
    for stage in ("body", "box_head"):
        nodes = [i for i, layer in enumerate(layers) if layer["stage"] == stage]
        done = run("osprey-sim", *how, "--against", old, sim=f"0 0 {nodes[0]} {nodes[-1]} 1.1", accept=(0, 1))
        named = flagged(done.stdout)
        print("".join(f"       {line}\n" for line in done.stdout.splitlines() if "times as long" in line), end="")
        verdict(done.returncode == 1 and [n for n in named if n != "total"] == [stage],
                f"against: {stage} takes 1.1 times as long: exit status {done.returncode}, slower: {', '.join(named) or 'none'}")
    repeats("osprey-sim", how, old, "the simulated device, unchanged", "0 0")
    how = ["bench", "--backend", "cpu", "--seconds", seconds, "--narrow", 1e-6]
    run("osprey", *how, "--json", old)
    repeats("osprey", how, old, "cpu, unchanged", None)


def repeats(program, how, old, what, sim):
    named = []
    for _ in range(5):
        done = run(program, *how, "--against", old, sim=sim, accept=(0, 1))
        named += flagged(done.stdout)
    verdict(not named, f"against: {what}: slower in 5 runs: {', '.join(named) or 'none'}")


def main():
    global build, folder
    parts = {"clock": lambda s: check_clock(max(3, round(5 * s))), "stages": lambda s: check_stages(2 * s),
             "self": lambda s: check_self(2 * s), "fits": lambda s: check_fits(8 * s), "against": lambda s: check_against(5 * s)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="where osprey and tests/osprey-sim are")
    parser.add_argument("--scale", type=float, default=1, help="times as long as usual")
    parser.add_argument("parts", metavar="PART", nargs="*", help=", ".join(parts))
    asked = parser.parse_args()
    build = asked.build
    for part in asked.parts:
        if part not in parts:
            parser.error(f"there is no part {part}")
    if subprocess.run(["chrt", "-f", "5", "true"], capture_output=True).returncode == 0:
        steady.extend(["chrt", "-f", "5"])
    with tempfile.TemporaryDirectory() as folder:
        for name, check in parts.items():
            if not asked.parts or name in asked.parts:
                check(asked.scale)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
