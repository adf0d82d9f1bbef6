// SPDX-License-Identifier: Apache-2.0
// What a robot asks of a model.
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { MLModelService } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { type GrpcHandlers, serviceDefinition } from "../proto/service_definition.ts";
import { unary } from "./module_service.ts";
import type { Resources } from "./resources.ts";
import { decodeInferRequest, encodeInferResponse } from "./tensor_wire.ts";

const definition = serviceDefinition(MLModelService);
const asItIs = (bytes: Buffer): Buffer => bytes;

/** The service with the messages of Infer as bytes: `tensor_wire` reads and writes those. */
export const mlmodelDefinition: ServiceDefinition = {
  ...definition,
  infer: { ...definition.infer, requestDeserialize: asItIs, responseSerialize: asItIs },
} as ServiceDefinition;

/** When a call must be answered, in milliseconds since 1970; undefined for as long as it takes. */
function deadlineOf(deadline: Date | number): number | undefined {
  const time = Number(deadline);
  return Number.isFinite(time) ? time : undefined;
}

/** Node has smaller Buffers in memory that others share. */
const leastOwnBytes = 128 * 1024;
/** What gRPC puts before a message: whether it is compressed, and its length. */
const frameHeadBytes = 5;

/**
 * Frees the memory of a large message that nobody reads any more, tensors that are views on it included. The garbage collector
 * would do so, but each few megabytes of such memory make it look through the whole heap, in the middle of calls.
 */
export function giveUpMessage({ buffer, byteOffset, byteLength }: Uint8Array): void {
  const isAlone = byteOffset <= frameHeadBytes && byteOffset + byteLength === buffer.byteLength;
  if (!isAlone || byteLength < leastOwnBytes || !(buffer instanceof ArrayBuffer)) return;
  // Node 20 cannot, and leaves it to the collector.
  (buffer as { transfer?: ArrayBuffer["transfer"] }).transfer?.(0);
}

export function mlmodelHandlers(resources: Resources): UntypedServiceImplementation {
  const infer = unary<Buffer, Buffer>(async (call, signal) => {
    const request = decodeInferRequest(call.request);
    const limits = { signal, deadline: deadlineOf(call.getDeadline()) };
    try {
      return encodeInferResponse(await resources.get(request.name).infer(request, limits));
    } finally {
      giveUpMessage(call.request);
    }
  });
  const handlers: Omit<GrpcHandlers<typeof MLModelService>, "infer"> = {
    metadata: unary(({ request }) => ({ metadata: resources.get(request.name).metadata })),
    getStatus: unary(async ({ request }) => ({ result: await resources.get(request.name).status() })),
  };
  return { ...handlers, infer };
}
