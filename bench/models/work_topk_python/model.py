# SPDX-License-Identifier: Apache-2.0
"""Softmax over the classes, and the five best of them, with numpy."""

import numpy as np
import triton_python_backend_utils as pb_utils

K = 5


def top_classes(logits):
    """FP32 [classes] -> the K best, best first: scores FP32 [K], indices INT64 [K]."""
    exponentials = np.exp(logits - logits.max())
    scores = exponentials / exponentials.sum()
    best = np.argpartition(scores, -K)[-K:]
    best = best[np.argsort(-scores[best])]
    return scores[best], best.astype(np.int64)


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            logits = pb_utils.get_input_tensor_by_name(request, "LOGITS").as_numpy()
            scores, indices = top_classes(logits)
            outputs = [pb_utils.Tensor("SCORES", scores), pb_utils.Tensor("INDICES", indices)]
            responses.append(pb_utils.InferenceResponse(outputs))
        return responses
