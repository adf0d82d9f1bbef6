# SPDX-License-Identifier: Apache-2.0
"""An identity that computes for 20 ms before it answers."""

import time

import triton_python_backend_utils as pb_utils

BUSY_S = 0.020


def work(steps):
    state = 1
    for _ in range(steps):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
    return state


def steps_for(seconds):
    """How many steps take that long here; the fastest of several tries, since others may want the core too."""
    tried = 50_000
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        work(tried)
        best = min(best, time.perf_counter() - start)
    return round(tried * seconds / best)


class TritonPythonModel:
    def initialize(self, args):
        self.steps = steps_for(BUSY_S)

    def execute(self, requests):
        responses = []
        for request in requests:
            work(self.steps)
            tensor = pb_utils.get_input_tensor_by_name(request, "INPUT")
            output = pb_utils.Tensor("OUTPUT", tensor.as_numpy())
            responses.append(pb_utils.InferenceResponse([output]))
        return responses
