// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, InferenceResponse, type InitializeArgs, type TritonModel } from "triton-typescript";

const CLASSES = 1000;

/** Looks at the kind of its instance, as a model does that puts its network on a GPU or a processor. There is no network here. */
export default class InstanceKind implements TritonModel {
  #device = "";
  #instance = "";

  initialize(args: InitializeArgs) {
    const kind = args.modelInstanceKind;
    // The process sees its own GPU only, so libraries number it 0 whatever it is in the machine.
    this.#device = kind === "GPU" ? "cuda:0" : "cpu";
    this.#instance = args.modelInstanceName;
    const where = kind === "GPU" ? `GPU ${args.modelInstanceDeviceId}` : "the processor";
    console.info(`an instance of kind ${kind}, so a network would run on ${where}`);
  }

  execute(requests: InferenceRequest[]) {
    const parameters = { device: this.#device, instance: this.#instance };
    return requests.map((request) => {
      const pictures = request.input("INPUT", "FP32");
      const rows = pictures.shape[0]!;
      const pixels = pictures.data.length / rows;
      const scores = request.allocateOutput("OUTPUT", "FP32", [rows, CLASSES]);
      // In place of a network: a score is the mean of a stretch of the picture's numbers.
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < CLASSES; i++) {
          const from = row * pixels + Math.floor((i * pixels) / CLASSES);
          const to = row * pixels + Math.floor(((i + 1) * pixels) / CLASSES);
          let sum = 0;
          for (let at = from; at < to; at++) sum += pictures.data[at]!;
          scores.data[row * CLASSES + i] = sum / (to - from);
        }
      }
      return new InferenceResponse([scores], { parameters });
    });
  }
}
