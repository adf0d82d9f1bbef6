# SPDX-License-Identifier: Apache-2.0
"""The same wait in python_backend's decoupled mode, where coroutines run in the background and clients must stream."""

import asyncio

import triton_python_backend_utils as pb_utils

WAIT_S = 0.010


async def answer(request):
    sender = request.get_response_sender()
    await asyncio.sleep(WAIT_S)
    tensor = pb_utils.get_input_tensor_by_name(request, "INPUT")
    output = pb_utils.Tensor("OUTPUT", tensor.as_numpy())
    sender.send(
        pb_utils.InferenceResponse([output]),
        flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL,
    )


class TritonPythonModel:
    async def execute(self, requests):
        await asyncio.gather(*(answer(request) for request in requests))
