# SPDX-License-Identifier: Apache-2.0
"""The reference pipeline of the benchmark's part `ocr`: rapidocr-onnxruntime in this process, as a Python user runs it.

  ocr_reference.py FOLDER_OF_NETWORKS FOLDER_OF_PICTURES

Takes one JSON object a line on stdin and answers each with one on stdout:
  {"do": "versions"}                                      -> {"onnxruntime": "1.30.0", ...}
  {"do": "read", "picture": NAME, "threads": T}           -> {"lines": [{"text", "confidence", "box"}, ...]}
  {"do": "warm", "objects": N, "threads": T, "pictures": [NAME, ...]}
                                                          -> {}: makes the objects and lets each read the pictures
  {"do": "run", "objects": N, "threads": T, "shared": BOOL, "callers": C, "pictures": [NAME, ...], "count": K}
                                                          -> {"seconds", "cpu_seconds"} for K pictures, taken in turn
`threads` is what each network of an object gets. Callers are threads; they wait for each other only where there are more
callers than objects and `shared` is false.
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

NETWORKS = Path(sys.argv[1])
PICTURES = Path(sys.argv[2])

pools = {}
encoded = {}


def picture(name):
    if name not in encoded:
        encoded[name] = (PICTURES / name).read_bytes()
    return encoded[name]


def objects_of(count, threads):
    """The same objects for the same numbers, so that none is made, or is cold, while the clock runs."""
    made = pools.setdefault(threads, [])
    while len(made) < count:
        made.append(
            RapidOCR(
                det_model_path=str(NETWORKS / "ch_PP-OCRv4_det_infer.onnx"),
                cls_model_path=str(NETWORKS / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
                rec_model_path=str(NETWORKS / "ch_PP-OCRv4_rec_infer.onnx"),
                rec_keys_path=str(NETWORKS / "ppocr_keys_v1.txt"),
                intra_op_num_threads=threads,
            )
        )
    return made[:count]


def versions(_):
    return {name: version(name) for name in ("rapidocr-onnxruntime", "onnxruntime", "numpy", "opencv-python")}


def read(command):
    lines, _ = objects_of(1, command["threads"])[0](picture(command["picture"]))
    return {
        "lines": [
            {"text": text, "confidence": float(score), "box": [[float(value) for value in point] for point in box]}
            for box, text, score in lines or []
        ]
    }


def warm(command):
    for engine in objects_of(command["objects"], command["threads"]):
        for name in command["pictures"]:
            engine(picture(name))
    return {}


def run(command):
    """Callers take pictures in turn, over and over; the clock stops when `count` are read, whatever is still under way."""
    names = command["pictures"]
    count = command["count"]
    engines = objects_of(command["objects"], command["threads"])
    free = queue.Queue()
    # Objects may be called by several threads at once: a shared one is lent as often as there are callers.
    for i in range(command["callers"] if command["shared"] else len(engines)):
        free.put(engines[i % len(engines)])
    lock = threading.Lock()
    state = {"taken": 0, "done": 0, "end": None}

    def call():
        while True:
            with lock:
                if state["done"] >= count:
                    return
                name = names[state["taken"] % len(names)]
                state["taken"] += 1
            engine = free.get()
            engine(picture(name))
            free.put(engine)
            with lock:
                state["done"] += 1
                if state["done"] == count:
                    state["end"] = (time.perf_counter(), time.process_time())

    threads = [threading.Thread(target=call) for _ in range(command["callers"])]
    began = (time.perf_counter(), time.process_time())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": state["end"][0] - began[0], "cpu_seconds": state["end"][1] - began[1]}


def main():
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        do = {"versions": versions, "read": read, "warm": warm, "run": run}[command["do"]]
        answers.write(json.dumps(do(command)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
