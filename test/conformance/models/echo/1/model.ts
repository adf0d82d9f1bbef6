// SPDX-License-Identifier: Apache-2.0
// Sends every input INn back as output OUTn, and what it saw of the request as response parameters. The parameter `how`
// chooses the way to make an output: a view of the input, a copy, or memory allocated for it.
import { setTimeout as sleep } from "node:timers/promises";
import { type InferenceRequest, InferenceResponse, Tensor, type TritonModel } from "triton-typescript";

function output(request: InferenceRequest, input: Tensor): Tensor {
  const name = input.name.replace("IN", "OUT");
  const { how } = request.parameters;
  if (how === "copy") {
    const data = input.datatype === "BYTES" ? input.bytes().map((element) => element.slice()) : input.clone().data;
    return new Tensor(name, data, input.shape, input.datatype);
  }
  if (how === "allocate" && input.datatype !== "BYTES") {
    const allocated = request.allocateOutput(name, input.datatype, input.shape);
    new Uint8Array(allocated.data.buffer, allocated.data.byteOffset, allocated.data.byteLength).set(
      new Uint8Array(input.data.buffer, input.data.byteOffset, input.data.byteLength),
    );
    return allocated;
  }
  return new Tensor(name, input.data, input.shape, input.datatype);
}

function answer(request: InferenceRequest): InferenceResponse {
  const outputs = request.inputs.filter((input) => input.name.startsWith("IN")).map((input) => output(request, input));
  const others = request.inputs.filter((input) => !input.name.startsWith("IN"));
  const seen = {
    id: request.id,
    correlation: String(request.correlationId),
    flags: request.flags,
    timeout: request.timeoutUs,
    others: others.map((input) => `${input.name}=${input.data.join("/")}`).join(","),
  };
  return new InferenceResponse(outputs, { parameters: { ...request.parameters, ...seen } });
}

export default class Echo implements TritonModel {
  async execute(requests: InferenceRequest[]): Promise<InferenceResponse[]> {
    const wait = Number(requests[0]?.parameters["wait"] ?? -1);
    if (wait >= 0) await sleep(wait);
    return requests.map(answer);
  }
}
