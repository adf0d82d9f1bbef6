# SPDX-License-Identifier: Apache-2.0
"""The reference pipeline of the benchmark's part `ocr`: rapidocr-onnxruntime in this process, as a Python user runs it.

  ocr_reference.py FOLDER_OF_NETWORKS FOLDER_OF_PICTURES OBJECTS THREADS NAME...

Makes the objects, with as many threads for each network of an object, and lets each read the pictures named, so that none
is cold. Writes one JSON object a line to stdout: at first {"versions": {...}, "lines": {NAME: [{"text", "confidence", "box"},
...]}}, then for each line {"shared", "callers", "count", "pictures": [NAME, ...]} on stdin {"seconds", "cpu_seconds"} for
`count` pictures, taken in turn. Callers are threads; they wait for each other only where there are more callers than objects
and `shared` is false.
"""

import json
import os
import queue
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

from rapidocr_onnxruntime import RapidOCR

NETWORKS, PICTURES = (Path(argument) for argument in sys.argv[1:3])
OBJECTS, THREADS = (int(argument) for argument in sys.argv[3:5])
PACKAGES = ("rapidocr-onnxruntime", "onnxruntime", "numpy", "opencv-python")

encoded = {path.name: path.read_bytes() for path in PICTURES.iterdir()}


def make_object():
    return RapidOCR(
        det_model_path=str(NETWORKS / "ch_PP-OCRv4_det_infer.onnx"),
        cls_model_path=str(NETWORKS / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        rec_model_path=str(NETWORKS / "ch_PP-OCRv4_rec_infer.onnx"),
        rec_keys_path=str(NETWORKS / "ppocr_keys_v1.txt"),
        intra_op_num_threads=THREADS,
    )


def read(engine, name):
    lines, _ = engine(encoded[name])
    return [
        {"text": text, "confidence": float(score), "box": [[float(value) for value in point] for point in box]}
        for box, text, score in lines or []
    ]


def run(engines, shared, callers, count, pictures):
    """Callers take pictures in turn, over and over; the clock stops when `count` are read, whatever is still under way."""
    free = queue.Queue()
    # Objects may be called by several threads at once: a shared one is lent as often as there are callers.
    for i in range(callers if shared else len(engines)):
        free.put(engines[i % len(engines)])
    lock = threading.Lock()
    taken = done = 0
    clock = lambda: (time.perf_counter(), time.process_time())
    end = None

    def call():
        nonlocal taken, done, end
        while True:
            with lock:
                if done >= count:
                    return
                name = pictures[taken % len(pictures)]
                taken += 1
            engine = free.get()
            engine(encoded[name])
            free.put(engine)
            with lock:
                done += 1
                if done == count:
                    end = clock()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    began = clock()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": end[0] - began[0], "cpu_seconds": end[1] - began[1]}


def main():
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    engines = [make_object() for _ in range(OBJECTS)]
    lines = [{name: read(engine, name) for name in sys.argv[5:]} for engine in engines][0]
    print(json.dumps({"versions": {name: version(name) for name in PACKAGES}, "lines": lines}), file=answers)
    for command in sys.stdin:
        print(json.dumps(run(engines, **json.loads(command))), file=answers)


if __name__ == "__main__":
    main()
