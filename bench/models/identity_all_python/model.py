# SPDX-License-Identifier: Apache-2.0
"""An identity of any number of tensors: INPUT<x> is answered as OUTPUT<x>."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            outputs = [
                pb_utils.Tensor(
                    tensor.name().replace("INPUT", "OUTPUT"), tensor.as_numpy()
                )
                for tensor in request.inputs()
            ]
            responses.append(pb_utils.InferenceResponse(outputs))
        return responses
