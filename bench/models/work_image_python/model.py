# SPDX-License-Identifier: Apache-2.0
"""Encoded picture -> input of a network trained on ImageNet, with Pillow and numpy."""

import io

import numpy as np
import triton_python_backend_utils as pb_utils
from PIL import Image

SIDE = 224
SHORTER_SIDE = 256
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def prepare(encoded):
    """The shorter side becomes 256 pixels, the middle 224 x 224 are cut out. Gives FP32 [3, 224, 224]."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    scale = SHORTER_SIDE / min(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    picture = picture.crop((left, top, left + SIDE, top + SIDE))
    pixels = np.asarray(picture, dtype=np.float32) / 255.0
    pixels = (pixels - MEAN) / DEVIATION
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            encoded = pb_utils.get_input_tensor_by_name(request, "IMAGE").as_numpy()[0]
            output = pb_utils.Tensor("PIXELS", prepare(encoded))
            responses.append(pb_utils.InferenceResponse([output]))
        return responses
