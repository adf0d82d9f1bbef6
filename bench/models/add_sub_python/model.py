# SPDX-License-Identifier: Apache-2.0
"""Adds and subtracts two vectors. The benchmark counts REVISION up to see which edition of this file answers."""

import numpy as np
import triton_python_backend_utils as pb_utils

REVISION = 0


def answer(request):
    a, b = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("INPUT0", "INPUT1"))
    outputs = {"OUTPUT0": a + b + np.float32(REVISION), "OUTPUT1": a - b}
    return pb_utils.InferenceResponse([pb_utils.Tensor(*output) for output in outputs.items()])


class TritonPythonModel:
    def execute(self, requests):
        return [answer(request) for request in requests]
