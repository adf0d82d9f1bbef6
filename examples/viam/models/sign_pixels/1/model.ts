// SPDX-License-Identifier: Apache-2.0
import sharp from "sharp";
import { type InferenceRequest, InferenceResponse, Tensor, TritonError, type TritonModel } from "triton-typescript";

/** A frame of a camera has fewer. */
const maxPixels = 100_000_000;

/** PIXELS, red, green and blue of each, become a JPEG; SIZE is its height and width. */
export default class SignPixels implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return Promise.all(requests.map((request) => this.#encode(request)));
  }

  async #encode(request: InferenceRequest): Promise<InferenceResponse | TritonError> {
    const { data, shape } = request.input("PIXELS", "UINT8");
    const [height = 0, width = 0] = shape;
    if (height < 1 || width < 1 || height * width > maxPixels) {
      return new TritonError(`A picture of ${width}x${height} pixels cannot be read.`, "INVALID_ARG");
    }
    // Hardly compressed, so that letters keep their edges.
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
      .toBuffer();
    return new InferenceResponse([
      new Tensor("IMAGE", new Uint8Array(jpeg), [jpeg.length]),
      new Tensor("SIZE", Int32Array.of(height, width), [2]),
    ]);
  }
}
