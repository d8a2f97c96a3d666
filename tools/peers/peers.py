"""python3 tools/peers/peers.py: osprey beside PyTorch, ONNX Runtime, OpenVINO and ncnn, on the same network, picture and threads.

Makes its own virtual environment (build/peers-venv, versions in requirements.txt), converts one set of weights for every program, and runs
them in turn, round by round: what slows the machine down slows all of them. Checks that the detections agree, prints a table for each
network, and writes build/peers/NETWORK.json for `osprey compare --with`. A program that cannot be installed, opened or run is a row that
says why. Exit 0: all that ran agree; 1: some do not; 2: nothing could be measured.
"""
import argparse
import datetime
import json
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build")
VENV, FOLDER = os.path.join(BUILD, "peers-venv"), os.path.join(BUILD, "peers")
PYTHON = os.path.join(VENV, "bin", "python")
NETWORKS = ["demo", "mobilenet_320", "r50"]
PROGRAMS = ["osprey", "osprey-onednn", "pytorch", "onnxruntime", "openvino", "ncnn"]
NAMES = {"osprey": "osprey", "osprey-onednn": "osprey, `--backend onednn`", "pytorch": "PyTorch", "onnxruntime": "ONNX Runtime",
         "openvino": "OpenVINO", "ncnn": "ncnn, body + FPN + RPN head only"}
# What osprey's time may be at most, as a share of the other's.
GOALS = {("r50", "openvino"): .70, ("r50", "onnxruntime"): .62, ("r50", "pytorch"): .42, ("r50", "ncnn"): .92,
         ("mobilenet_320", "openvino"): .92, ("demo", "openvino"): .92}
PART = ("body", "fpn", "rpn")  # osprey's stages that ncnn runs too
PIXELS, SCORE, MAPS = 1e-2, 1e-4, 1e-3
PATIENCE = 300  # seconds without an answer
PAUSE = .1  # seconds before a turn: the threads of the program before stop waiting busily
QUICK, REPEATS = .2, 5  # seconds; a run below it is repeated so often in a turn


# ---- Environment ------------------------------------------------------------------------------------------------------------------

def install():
    """Each requirement by itself, so that one that fails spoils nothing; says what failed."""
    if not os.path.exists(PYTHON):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    for requirement in open(os.path.join(HERE, "requirements.txt")).read().split():
        name, version = requirement.split("==")
        probe = f"import importlib.metadata as m, sys; sys.exit(m.version({name!r}) != {version!r})"
        if subprocess.run([PYTHON, "-c", probe], stderr=subprocess.DEVNULL).returncode:
            print(f"installing {requirement}", file=sys.stderr, flush=True)
            done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", requirement], stderr=subprocess.PIPE, text=True)
            if done.returncode:
                print(f"{requirement} cannot be installed: {last_line(done.stderr)}", file=sys.stderr)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    return dict(host=platform.node(), cpu=cpu.group(1) if cpu else platform.machine(), os=platform.platform(),
                cores=len(os.sched_getaffinity(0)))


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + (" with changes" if git("status", "--porcelain", "-uno") else "")


# ---- Programs ---------------------------------------------------------------------------------------------------------------------

class Program:
    """A process that runs once when it is told to."""

    def __init__(self, name, network, threads, prefix):
        base = os.path.join(FOLDER, network)
        if name.startswith("osprey"):
            command = [os.path.join(BUILD, "peers-loop"), base + ".safetensors", base + ".png",
                       "onednn" if name == "osprey-onednn" else "cpu", str(threads)]
        else:
            command = [PYTHON, os.path.join(HERE, "worker.py"), name, network, FOLDER, str(threads)]
        self.name, self.seconds, self.stages, self.answer, self.failure = name, [], [], None, None
        self.log = open(f"{base}.{name}.log", "w+")
        self.process = subprocess.Popen(prefix + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
        self.opened = self.read()
        self.first = self.run()
        self.warm = self.run()

    def read(self):
        """The next answer; None, and `failure` says why, when there is none."""
        line = self.process.stdout.readline() if select.select([self.process.stdout], [], [], PATIENCE)[0] else None
        if line:
            return json.loads(line)
        if line is None:
            self.process.kill()
        self.process.wait()
        self.log.seek(0)
        self.failure = f"no answer in {PATIENCE} seconds" if line is None else last_line(self.log.read())
        return None

    def run(self):
        """Seconds of one run; None when it failed."""
        if self.failure:
            return None
        try:
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.read()
        if answer:
            self.answer = answer
        return answer and answer["seconds"]

    def measure(self):
        """One turn: a run, or for a quick program the middle one of several, of which the first does not count."""
        time.sleep(PAUSE)
        quick = self.opened and not self.failure and self.warm is not None and self.warm < QUICK
        runs = []
        for i in range(1 + REPEATS if quick else 1):
            seconds = self.run()
            if seconds is None:
                return
            if i or not quick:
                runs.append((seconds, i, self.answer.get("stages", {})))
        seconds, _, stages = sorted(runs)[len(runs) // 2]
        self.seconds.append(seconds)
        self.stages.append(stages)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def measure(network, names, threads, rounds, prefix):
    """Opens every program and runs it twice to warm up, then all in turn; the one that begins changes with each round."""
    programs = []
    for name in names:
        if name != "ncnn" or os.path.exists(os.path.join(FOLDER, network + ".ncnn.bin")):
            print(f"{network}: opening {name}", file=sys.stderr, flush=True)
            programs.append(Program(name, network, threads, prefix))
    for i in range(rounds):
        print(f"{network}: round {i + 1} of {rounds}", file=sys.stderr, flush=True)
        for program in programs[i % len(programs):] + programs[:i % len(programs)]:
            program.measure()
    for program in programs:
        program.close()
    return programs


# ---- Results ----------------------------------------------------------------------------------------------------------------------

def worst(wanted, found):
    """(largest difference of a coordinate, of a score) over pairs of one label and nearest place; None where labels differ."""
    if sorted(d["label"] for d in wanted) != sorted(d["label"] for d in found):
        return None
    left, pixels, score = list(found), 0., 0.
    for d in wanted:
        def distance(other):
            return max(abs(a - b) for a, b in zip(other["box"], d["box"]))
        nearest = min((other for other in left if other["label"] == d["label"]), key=distance)
        left.remove(nearest)
        pixels, score = max(pixels, distance(nearest)), max(score, abs(nearest["score"] - d["score"]))
    return pixels, score


def agreement(program, osprey):
    """What a cell says of the results beside osprey's, and whether they agree."""
    if "difference" in program.answer:
        return f"maps differ by {program.answer['difference']:.1e} (relative L2)", program.answer["difference"] <= MAPS
    found = program.answer["detections"]
    if program is osprey:
        return f"{len(found)} boxes", True
    difference = worst(osprey.answer["detections"], found)
    if difference is None:
        return f"{len(found)} boxes, **labels differ**", False
    agrees = difference[0] <= PIXELS and difference[1] <= SCORE
    return f"{len(found)} boxes, {difference[0]:.1e} px, {difference[1]:.1e}" + ("" if agrees else " **(too much)**"), agrees


def ratios(program, osprey):
    """osprey's time over the program's, round by round; over ncnn's, that of the same part."""
    if "difference" in program.answer:
        ours = [sum(stages.get(stage, 0) for stage in PART) for stages in osprey.stages]
    else:
        ours = osprey.seconds
    return [a / b for a, b in zip(ours, program.seconds)]


def row(network, program, osprey):
    """A line of the table, and whether the program agrees with osprey."""
    if program.failure or not program.seconds:
        return f"| {NAMES[program.name]} | | cannot run: {program.failure} | | | | |", True
    cells, agrees = ["", "", ""], True
    if osprey and osprey.seconds:
        said, agrees = agreement(program, osprey)
        goal, pairs = GOALS.get((network, program.name)), ratios(program, osprey)
        cells[2] = said
        if program is not osprey:
            cells[0] = f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
        if goal:
            cells[1] = f"{goal:.2f}: " + ("reached" if statistics.median(pairs) <= goal else "not reached")
    milliseconds = [1e3 * s for s in program.seconds]
    return (f"| {NAMES[program.name]} | {program.opened['version']} | {statistics.median(milliseconds):.1f} | {min(milliseconds):.1f} | "
            + " | ".join(cells) + " |"), agrees


def table(network, title, programs):
    """Markdown, and whether all that ran agree."""
    osprey = next((p for p in programs if p.name == "osprey"), None)
    rows = [row(network, program, osprey) for program in programs]
    lines = [f"**{title}**", "", "| program | version | median, ms | best, ms | osprey's time / its (range) | asked: at most | results |",
             "|---|---|---:|---:|---|---|---|", *[line for line, _ in rows]]
    if osprey and osprey.seconds and osprey.stages[0]:
        part = [1e3 * sum(stages[stage] for stage in PART) for stages in osprey.stages]
        lines += ["", f"osprey's body, FPN and RPN head: {statistics.median(part):.1f} ms median, {min(part):.1f} ms best."]
    return "\n".join(lines) + "\n", all(agrees for _, agrees in rows)


def peers_json(size, programs, threads, sha256):
    """The other programs, as peers.schema.json has it."""
    entries = []
    for program in programs:
        if program.name.startswith("osprey"):
            continue
        entry = dict(name=program.name, version="unknown", device="CPU", precision="f32", threads=threads, gpu=False, work=[])
        if program.opened:
            entry |= dict(version=program.opened["version"], open_model=program.opened["open"])
        if program.failure:
            entry["failure"] = program.failure
        elif "difference" in program.answer:
            entry["failure"] = (f"cannot run the whole detector; body, FPN and RPN head take {statistics.median(program.seconds):.3f} s")
        else:
            entry["first_run"] = max(0, program.first - statistics.median(program.seconds))
            entry["work"] = [dict(batch=1, height=size[0], width=size[1], covers="network", seconds=program.seconds,
                                  pictures=[program.answer["detections"]])]
        entries.append(entry)
    return dict(schema=1, kind="peers", model_sha256=sha256, date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                machine=machine(), programs=entries)


def write_between_markers(path, text):
    content = open(path).read()
    marked = re.compile(r"(<!-- results: peers -->\n).*?(<!-- /results -->)", re.S)
    if not marked.search(content):
        sys.exit(f"{path} has no place for results")
    with open(path + ".new", "w") as file:
        file.write(marked.sub(lambda m: m.group(1) + text + m.group(2), content))
    os.replace(path + ".new", path)


def main(arguments):
    subprocess.run(["make", "--no-print-directory", "-C", ROOT, "build/osprey", "build/peers-loop"], check=True, stdout=sys.stderr)
    prefix = ["chrt", "-f", "5"] if arguments.priority else []
    here = machine()
    text = (f"{here['cpu']}, {here['cores']} cores, {arguments.threads} threads; osprey at commit {commit()}; "
            f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC; {arguments.rounds} rounds in turn"
            + (", at real-time priority" if prefix else "") + ". Results are beside osprey's.\n")
    print(text)
    good = measured = True
    for network in arguments.networks:
        done = subprocess.run([PYTHON, os.path.join(HERE, "models.py"), network, FOLDER, os.path.join(BUILD, "osprey")],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{network}: the models could not be made", file=sys.stderr)
            measured = False
            continue
        made = json.loads(last_line(done.stdout))
        for suffix, why in made["failed"].items():
            print(f"{network}{suffix} could not be made: {why}", file=sys.stderr)
        programs = measure(network, arguments.programs, arguments.threads, arguments.rounds, prefix)
        part, agrees = table(network, made["title"], programs)
        print(part)
        text += "\n" + part
        good &= agrees
        sha256 = next((p.opened["model_sha256"] for p in programs if p.opened and "model_sha256" in p.opened), None)
        others = peers_json(made["size"], programs, arguments.threads, sha256)
        if sha256 and others["programs"]:
            with open(os.path.join(FOLDER, network + ".json"), "w") as file:
                json.dump(others, file, indent=1)
    if arguments.readme and measured:
        write_between_markers(os.path.join(HERE, "README.md"), text)
    return 2 if not measured else 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=PROGRAMS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--priority", action="store_true", help="run at real-time priority (chrt -f 5; needs the right to)")
    parser.add_argument("--readme", action="store_true", help="write the tables into tools/peers/README.md")
    options = parser.parse_args()
    install()
    sys.exit(main(options))
