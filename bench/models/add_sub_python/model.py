# SPDX-License-Identifier: Apache-2.0
"""Adds and subtracts two vectors. The benchmark counts REVISION up to see which edition of this file answers."""

import numpy as np
import triton_python_backend_utils as pb_utils

REVISION = 0


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            a = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
            b = pb_utils.get_input_tensor_by_name(request, "INPUT1").as_numpy()
            total = pb_utils.Tensor("OUTPUT0", a + b + np.float32(REVISION))
            difference = pb_utils.Tensor("OUTPUT1", a - b)
            responses.append(pb_utils.InferenceResponse([total, difference]))
        return responses
