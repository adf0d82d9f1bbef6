# SPDX-License-Identifier: Apache-2.0
"""Asks models of the module at a socket with Viam's own SDK: viam_client.py SOCKET ALL PICTURE BATCHES. Prints what it saw as JSON."""
import asyncio
import json
import sys

import numpy as np
from grpclib.client import Channel
from grpclib.exceptions import GRPCError
from viam.services.mlmodel import MLModelClient


def samples():
    """A tensor of each kind, with the edges of its values."""
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
        limits = np.iinfo(dtype)
        yield dtype, np.array([limits.min, 0, limits.max], dtype)
    for dtype in ("float32", "float64"):
        limits = np.finfo(dtype)
        yield dtype, np.array([limits.min, 0.1, limits.max], dtype)


async def kinds(client):
    """The names of kinds that come back as they were sent."""
    short = {"float32": "FP32", "float64": "FP64"}
    sent = {short.get(name, name.upper()): data for name, data in samples()}
    # BOOL and 16-bit floats go as what stands for them.
    sent["BOOL"] = np.array([0, 1, 1], "uint8")
    sent["FP16"] = sent["BF16"] = np.array([1, -0.5, 2], "float32")
    outputs = await client.infer({f"INPUT_{name}": data for name, data in sent.items()})
    return [
        name
        for name, data in sent.items()
        if outputs[f"OUTPUT_{name}"].dtype == data.dtype and np.array_equal(outputs[f"OUTPUT_{name}"], data)
    ]


async def picture(client):
    """A picture of 1920x1080, there and back."""
    pixels = np.random.default_rng(7).integers(0, 256, (1, 1080, 1920, 3), "uint8")
    outputs = await client.infer({"image": pixels})
    return bool(np.array_equal(outputs["copy"].reshape(pixels.shape), pixels))


async def mistake(client):
    try:
        await client.infer({"imgae": np.zeros((1, 5, 5, 3), "uint8")})
    except GRPCError as error:
        return [error.status.name, error.message]
    return []


async def main(socket, all_name, picture_name):
    channel = Channel(path=socket)
    try:
        everything, image = MLModelClient(all_name, channel), MLModelClient(picture_name, channel)
        metadata = await image.metadata()
        seen = {
            "kinds": await kinds(everything),
            "picture": await picture(image),
            "mistake": await mistake(image),
            "inputs": [[info.name, info.data_type, list(info.shape)] for info in metadata.input_info],
            "status": dict(await image.get_status()),
        }
        print(json.dumps(seen))
    finally:
        channel.close()


asyncio.run(main(*sys.argv[1:]))
