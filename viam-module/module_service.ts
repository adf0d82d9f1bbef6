// SPDX-License-Identifier: Apache-2.0
// What a robot asks of the module itself.
import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import type { ComponentConfig } from "../proto/gen/viam/app/v1/robot_pb.ts";
import type { ModuleService } from "../proto/gen/viam/module/v1/module_pb.ts";
import type { GrpcHandlers } from "../proto/service_definition.ts";
import { AttributeError, type Json, readAttributes } from "./attributes.ts";
import { ModuleError, serviceError } from "./errors.ts";
import { parseLevel } from "./log.ts";
import type { ResourceConfig, Resources } from "./resources.ts";

export const modelTriplet = "viam:mlmodelservice:triton";
const subtype = { namespace: "rdk", type: "service", subtype: "mlmodel" };
const protoService = "viam.service.mlmodel.v1.MLModelService";

/** An async function as grpc-js wants it. Its signal is aborted when nobody waits for the answer any more. */
export function unary<I, O>(
  work: (call: ServerUnaryCall<I, O>, signal: AbortSignal) => Promise<O> | O,
): handleUnaryCall<I, O> {
  return (call, answer) => {
    const gone = new AbortController();
    let answered = false;
    // grpc-js emits it at the end of every call, also of one that was answered.
    call.on("cancelled", () => {
      if (!answered) gone.abort(new ModuleError("CANCELLED", "Nobody waits for the answer any more."));
    });
    Promise.resolve()
      .then(() => work(call, gone.signal))
      .then(
        (reply) => {
          answered = true;
          answer(null, reply);
        },
        (error: unknown) => {
          answered = true;
          answer(serviceError(error));
        },
      );
  };
}

/** @throws ModuleError INVALID_ARGUMENT with all that is wrong */
function resourceConfig(config: ComponentConfig | undefined): ResourceConfig {
  if (config === undefined || config.name === "") {
    throw new ModuleError("INVALID_ARGUMENT", "There is no configuration with a name in this call.");
  }
  if (config.model !== "" && config.model !== modelTriplet) {
    throw new ModuleError("INVALID_ARGUMENT", `This module has the model ${modelTriplet} only, not ${config.model}.`);
  }
  try {
    const attributes = readAttributes((config.attributes ?? {}) as { [key: string]: Json });
    const logLevel = parseLevel(config.logConfiguration?.level ?? "");
    return { name: config.name, attributes, logLevel };
  } catch (error) {
    if (!(error instanceof AttributeError)) throw error;
    throw new ModuleError("INVALID_ARGUMENT", error.message, { cause: error });
  }
}

/** The name at the end of "rdk:service:mlmodel/NAME", which may have further slashes. */
export const bareName = (name: string): string => name.replace(/^[^/]*:[^/]*:[^/]*\//, "");

export interface ModuleHooks {
  /** The robot has said where it can be reached. */
  onReady(parentAddress: string): void;
}

export function moduleHandlers(resources: Resources, { onReady }: ModuleHooks): GrpcHandlers<typeof ModuleService> {
  const put = async ({ config }: { config?: ComponentConfig | undefined }, signal: AbortSignal) => {
    await resources.put(resourceConfig(config), signal);
    return {};
  };
  return {
    ready: unary(({ request }) => {
      onReady(request.rawParentAddress || request.parentAddress);
      const handlers = [{ subtype: { subtype, protoService }, models: [modelTriplet] }];
      return { ready: true, handlermap: { handlers } };
    }),
    validateConfig: unary(({ request }) => {
      resourceConfig(request.config);
      return { dependencies: [], optionalDependencies: [] };
    }),
    addResource: unary(({ request }, signal) => put(request, signal)),
    reconfigureResource: unary(({ request }, signal) => put(request, signal)),
    removeResource: unary(async ({ request }) => {
      await resources.remove(bareName(request.name));
      return {};
    }),
  };
}
