"""python worker.py PROGRAM NETWORK FOLDER THREADS: one program, opened once and run once for each line of its input.

The first line of output is {"version", "device", "open"}; each run is answered by {"seconds", "detections"}: bytes of the picture in
memory to boxes. ncnn runs body, FPN and RPN head only and answers {"seconds", "difference"}, the relative L2 distance from torch's maps.
What libraries print goes to stderr.
"""
import json
import os
import sys
import time

import numpy as np


def detections(boxes, labels, scores):
    return [dict(label=int(label), score=float(score), box=[float(x) for x in box]) for box, label, score in zip(boxes, labels, scores)]


def bytes_of(base):
    from PIL import Image
    return np.array(Image.open(base + ".png"))


def pytorch(name, base, threads):
    import torch
    import torchvision

    import models
    torchvision.ops.boxes.batched_nms = models.nms_by_default
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    model, pixels = models.FromBytes(models.build(name)), torch.from_numpy(bytes_of(base))
    return f"{torch.__version__}, torchvision {torchvision.__version__}", lambda: model(pixels), lambda found: dict(
        detections=detections(*[x.tolist() for x in found]))


def onnxruntime(name, base, threads):
    import onnxruntime as library
    options = library.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = library.InferenceSession(base + ".onnx", options, providers=["CPUExecutionProvider"])
    pixels = bytes_of(base)
    return library.__version__, lambda: session.run(None, {"pixels": pixels}), lambda found: dict(detections=detections(*found))


def openvino(name, base, threads):
    import openvino as library
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = library.Core().compile_model(base + ".onnx", "CPU", settings)
    request, pixels = compiled.create_infer_request(), bytes_of(base)

    def run():
        request.infer({"pixels": pixels})
        return [request.get_tensor(name).data for name in ("boxes", "labels", "scores")]
    return library.__version__.split("-")[0], run, lambda found: dict(detections=detections(*found))


def ncnn(name, base, threads):
    import ncnn as library
    net = library.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    if net.load_param(base + ".ncnn.param") or net.load_model(base + ".ncnn.bin"):
        raise RuntimeError("the files that pnnx wrote cannot be read")
    pixels = np.load(base + ".input.npy")[0]
    batch = library.Mat(pixels).clone()  # a Mat does not keep the array alive that it is made from
    wanted = list(np.load(base + ".heads.npz").values())

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", batch)
        return [extractor.extract(f"out{i}")[1] for i in range(len(wanted))]

    def difference(maps):
        found = [np.array(map).reshape(want.shape) for map, want in zip(maps, wanted)]
        return dict(difference=max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(found, wanted)))
    return library.__version__, run, difference


PROGRAMS = {f.__name__: f for f in (pytorch, onnxruntime, openvino, ncnn)}

if __name__ == "__main__":
    program, name, folder, threads = sys.argv[1:5]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    start = time.perf_counter()
    version, run, result = PROGRAMS[program](name, os.path.join(folder, name), int(threads))
    print(json.dumps(dict(version=version, device="CPU", open=time.perf_counter() - start)), file=answers)
    for _ in sys.stdin:
        start = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - start
        print(json.dumps(dict(seconds=seconds, **result(found))), file=answers)
