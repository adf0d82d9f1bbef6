# SPDX-License-Identifier: Apache-2.0
"""Sends two vectors of 16 numbers to the model `add_sub` and checks the sum and the difference that come back.

  python3 -m pip install "tritonclient[http,grpc]" numpy
  python client.py [--url localhost:8000] [--grpc]
"""

import argparse
import sys

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grpc", action="store_true", help="use gRPC instead of HTTP")
    parser.add_argument("--url", help="address of the server (default: localhost:8000, with --grpc localhost:8001)")
    arguments = parser.parse_args()
    if arguments.grpc:
        import tritonclient.grpc as triton
    else:
        import tritonclient.http as triton
    url = arguments.url or ("localhost:8001" if arguments.grpc else "localhost:8000")

    # The first dimension is the batch: the model has max_batch_size 8, this request holds one row.
    a = np.arange(16, dtype=np.float32).reshape(1, 16)
    b = np.full((1, 16), 2, dtype=np.float32)
    inputs = []
    for name, values in (("INPUT0", a), ("INPUT1", b)):
        tensor = triton.InferInput(name, values.shape, "FP32")
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)

    with triton.InferenceServerClient(url) as client:
        result = client.infer("add_sub", inputs)
    total, difference = result.as_numpy("OUTPUT0"), result.as_numpy("OUTPUT1")
    print("INPUT0 ", *a[0].astype(int))
    print("INPUT1 ", *b[0].astype(int))
    print("OUTPUT0", *total[0].astype(int))
    print("OUTPUT1", *difference[0].astype(int))
    if not (np.array_equal(total, a + b) and np.array_equal(difference, a - b)):
        sys.exit("FAIL: the answer is not the sum and the difference.")
    print("PASS")


if __name__ == "__main__":
    main()
