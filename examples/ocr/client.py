# SPDX-License-Identifier: Apache-2.0
"""Sends a picture to the ensemble `ocr` and prints each line of text that it finds.

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

    # The file goes to the server as it is: the first step of the ensemble decodes it.
    encoded = np.fromfile(arguments.image, dtype=np.uint8)
    image = triton.InferInput("IMAGE", [len(encoded)], "UINT8")
    image.set_data_from_numpy(encoded)
    outputs = [triton.InferRequestedOutput(name) for name in ("TEXT", "CONFIDENCE", "BOX")]

    with triton.InferenceServerClient(arguments.url) as client:
        result = client.infer("ocr", [image], outputs=outputs)
    lines = zip(result.as_numpy("TEXT"), result.as_numpy("CONFIDENCE"), result.as_numpy("BOX"))
    for text, confidence, box in lines:
        corners = " ".join(f"{x:.0f},{y:.0f}" for x, y in box)
        print(f"{confidence:.3f}  {text.decode()}  [{corners}]")


if __name__ == "__main__":
    sys.exit(main())
