# SPDX-License-Identifier: Apache-2.0
"""One call of another model, named by the parameter STEP, whose answer is the model's own."""

import json

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.step = json.loads(args["model_config"])["parameters"]["STEP"]["string_value"]

    def execute(self, requests):
        responses = []
        for request in requests:
            tensor = pb_utils.get_input_tensor_by_name(request, "INPUT")
            call = pb_utils.InferenceRequest(
                model_name=self.step, requested_output_names=["OUTPUT"], inputs=[tensor]
            )
            answer = call.exec()
            if answer.has_error():
                raise pb_utils.TritonModelException(answer.error().message())
            output = pb_utils.get_output_tensor_by_name(answer, "OUTPUT")
            responses.append(pb_utils.InferenceResponse([output]))
        return responses
