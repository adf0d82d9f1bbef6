# SPDX-License-Identifier: Apache-2.0
"""Sends a picture to the model `image_preprocess` and prints what a classification network would get.

  python3 -m pip install "tritonclient[http]" numpy
  python3 client.py photo.jpg [--url localhost:8000]
"""

import argparse
import sys

import numpy as np
import tritonclient.http as triton


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("image", help="a JPEG, PNG or WebP file")
    parser.add_argument("--url", default="localhost:8000", help="HTTP address of the server")
    arguments = parser.parse_args()

    encoded = np.fromfile(arguments.image, dtype=np.uint8)
    image = triton.InferInput("IMAGE", [len(encoded)], "UINT8")
    image.set_data_from_numpy(encoded)

    with triton.InferenceServerClient(arguments.url) as client:
        pixels = client.infer("image_preprocess", [image]).as_numpy("PIXELS")
    print(f"PIXELS {pixels.dtype} {list(pixels.shape)}")
    for name, plane in zip(("red", "green", "blue"), pixels):
        print(f"  {name:5}  mean {plane.mean():+.3f}  deviation {plane.std():.3f}  from {plane.min():+.3f} to {plane.max():+.3f}")


if __name__ == "__main__":
    sys.exit(main())
