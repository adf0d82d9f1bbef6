# SPDX-License-Identifier: Apache-2.0
"""Non-maximum suppression of detected boxes, with numpy."""

import numpy as np
import triton_python_backend_utils as pb_utils

SCORE_THRESHOLD = 0.25
IOU_THRESHOLD = 0.5


def suppress(boxes, scores):
    """Boxes [n, 4] as left, top, right, bottom, scores [n] -> the boxes and scores that stay, best first."""
    confident = scores >= SCORE_THRESHOLD
    boxes, scores = boxes[confident], scores[confident]
    left, top, right, bottom = boxes.T
    areas = (right - left) * (bottom - top)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while order.size > 0:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest])
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        iou = shared / (areas[best] + areas[rest] - shared)
        order = rest[iou <= IOU_THRESHOLD]
    return boxes[kept], scores[kept]


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            boxes = pb_utils.get_input_tensor_by_name(request, "BOXES").as_numpy()
            scores = pb_utils.get_input_tensor_by_name(request, "SCORES").as_numpy()
            kept_boxes, kept_scores = suppress(boxes, scores)
            outputs = [pb_utils.Tensor("KEPT_BOXES", kept_boxes), pb_utils.Tensor("KEPT_SCORES", kept_scores)]
            responses.append(pb_utils.InferenceResponse(outputs))
        return responses
