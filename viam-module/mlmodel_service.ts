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

export function mlmodelHandlers(resources: Resources): UntypedServiceImplementation {
  const infer = unary<Buffer, Buffer>(async (call, signal) => {
    const request = decodeInferRequest(call.request);
    const limits = { signal, deadline: deadlineOf(call.getDeadline()) };
    return encodeInferResponse(await resources.get(request.name).infer(request, limits));
  });
  const handlers: Omit<GrpcHandlers<typeof MLModelService>, "infer"> = {
    metadata: unary(({ request }) => ({ metadata: resources.get(request.name).metadata })),
    getStatus: unary(async ({ request }) => ({ result: await resources.get(request.name).status() })),
  };
  return { ...handlers, infer };
}
