// SPDX-License-Identifier: Apache-2.0
// IMAGE BYTES [1], an encoded picture -> PIXELS FP32 [3, 224, 224], the input of a network trained on ImageNet.

import sharp from "sharp";
import { type InferenceRequest, InferenceResponse, type TritonModel } from "triton-typescript";

/** Width and height of the result in pixels. */
export const side = 224;

const shorterSide = 256;
const mean = [0.485, 0.456, 0.406] as const;
const deviation = [0.229, 0.224, 0.225] as const;

// Pictures are not met twice, and each request is one picture: neither a cache nor more threads for one of them help.
sharp.cache(false);
sharp.concurrency(1);

export default class Preprocess implements TritonModel {
  execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    return Promise.all(
      requests.map(async (request) => {
        const picture = await decode(request.input("IMAGE", "BYTES").bytes()[0]!);
        const output = request.allocateOutput("PIXELS", "FP32", [3, side, side]);
        normaliseMiddle(picture, output.data);
        return new InferenceResponse([output]);
      }),
    );
  }
}

/** Red, green, blue bytes of each pixel, row by row. */
interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

/** Decodes a picture and brings its shorter side to 256 pixels. */
export async function decode(encoded: Uint8Array): Promise<Picture> {
  const { data, info } = await sharp(encoded)
    .resize(shorterSide, shorterSide, { fit: "outside", kernel: "linear" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** What each of the 256 values of a byte becomes, for red, green and blue. */
const [red, green, blue] = [0, 1, 2].map((channel) =>
  Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean[channel]!) / deviation[channel]!),
) as [Float32Array, Float32Array, Float32Array];

/** Writes the middle of a picture as three planes (red, green, blue) with zero mean and unit deviation. */
export function normaliseMiddle({ data, width, height }: Picture, planes: Float32Array): void {
  const left = Math.floor((width - side) / 2);
  const top = Math.floor((height - side) / 2);
  const plane = side * side;
  for (let y = 0, to = 0; y < side; y++) {
    let from = ((top + y) * width + left) * 3;
    for (const end = to + side; to < end; to++, from += 3) {
      planes[to] = red[data[from]!]!;
      planes[plane + to] = green[data[from + 1]!]!;
      planes[2 * plane + to] = blue[data[from + 2]!]!;
    }
  }
}
