# SPDX-License-Identifier: Apache-2.0
"""The same wait in python_backend's default mode: a batch's requests wait together, batches one after the other."""

import asyncio

import triton_python_backend_utils as pb_utils

WAIT_S = 0.010


async def answer(request):
    await asyncio.sleep(WAIT_S)
    tensor = pb_utils.get_input_tensor_by_name(request, "INPUT")
    output = pb_utils.Tensor("OUTPUT", tensor.as_numpy())
    return pb_utils.InferenceResponse([output])


class TritonPythonModel:
    async def execute(self, requests):
        return await asyncio.gather(*(answer(request) for request in requests))
