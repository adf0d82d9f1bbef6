// SPDX-License-Identifier: Apache-2.0
// What a server is told of models to load, of its log and its traces, as messages.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  LogSettingsRequestSchema,
  LogSettingsResponse,
  ModelRepositoryParameterSchema,
  TraceSettingResponse,
} from "../../proto/gen/inference/grpc_service_pb.ts";
import { TritonError } from "../../stub/src/api/errors.ts";
import type { LoadModelOptions, LogSettings, TraceSettings } from "../server_info.ts";
import { boolParameter, stringParameter } from "./parameter_message.ts";

type RepositoryParameters = Record<string, MessageInitShape<typeof ModelRepositoryParameterSchema>>;

/** How a model is loaded. */
export function loadParameters(
  config: LoadModelOptions["config"],
  files: LoadModelOptions["files"] = {},
): RepositoryParameters {
  const parameters: RepositoryParameters = {};
  if (config !== undefined) {
    const value = typeof config === "string" ? config : JSON.stringify(config);
    parameters["config"] = stringParameter(value);
  }
  for (const [path, content] of Object.entries(files)) {
    const value = typeof content === "string" ? new TextEncoder().encode(content) : content;
    parameters[`file:${path}`] = { parameterChoice: { case: "bytesParam", value } };
  }
  return parameters;
}

/** How a model is unloaded. */
export function unloadParameters(unloadDependents: boolean | undefined): RepositoryParameters {
  if (unloadDependents === undefined) return {};
  return { unload_dependents: boolParameter(unloadDependents) };
}

type LogSettingInit = NonNullable<MessageInitShape<typeof LogSettingsRequestSchema>["settings"]>[string];

function logSetting(name: string, value: unknown): LogSettingInit {
  switch (typeof value) {
    case "boolean":
      return boolParameter(value);
    case "string":
      return stringParameter(value);
    case "number":
      return { parameterChoice: { case: "uint32Param", value } };
    default:
      throw new TritonError(`the log setting '${name}' must be a boolean, a number or a string.`, "INVALID_ARG");
  }
}

/** @throws TritonError INVALID_ARG when a setting has no value that can be sent */
export function logSettingsMessage(settings: LogSettings): MessageInitShape<typeof LogSettingsRequestSchema> {
  const entries = Object.entries(settings).map(([name, value]) => [name, logSetting(name, value)] as const);
  return { settings: Object.fromEntries(entries) };
}

/** The settings of a log as they came. */
export function logSettingsFrom({ settings }: LogSettingsResponse): LogSettings {
  const known: LogSettings = {};
  for (const [name, { parameterChoice }] of Object.entries(settings)) {
    if (parameterChoice.value !== undefined) known[name] = parameterChoice.value;
  }
  return known;
}

/** The settings of traces as they came: those with one value, and those with several. */
export function traceSettingsFrom({ settings }: TraceSettingResponse): TraceSettings {
  const known: TraceSettings = {};
  for (const [name, { value }] of Object.entries(settings)) known[name] = value.length === 1 ? value[0]! : value;
  return known;
}
