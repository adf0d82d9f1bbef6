# SPDX-License-Identifier: Apache-2.0
"""Strings that are decoded and encoded again."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            elements = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()
            strings = [element.decode("utf-8") for element in elements]
            output = np.array([string.encode("utf-8") for string in strings], dtype=np.object_)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT", output)]))
        return responses
