# SPDX-License-Identifier: Apache-2.0
"""The numpy identity of python_backend, written the plain way, for comparison."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            tensor = pb_utils.get_input_tensor_by_name(request, "INPUT")
            output = pb_utils.Tensor("OUTPUT", tensor.as_numpy())
            responses.append(pb_utils.InferenceResponse([output]))
        return responses
