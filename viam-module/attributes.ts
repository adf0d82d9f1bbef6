// SPDX-License-Identifier: Apache-2.0
// What a robot's configuration says about one model. It comes as JSON in which every number is a double.
import { didYouMean, nearest } from "./resemblance.ts";

/** Any JSON value, as the attributes of a resource are made of. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export const memoryTypes = ["cpu", "cpu-pinned", "gpu"] as const;
export const logLevels = ["debug", "info", "warning", "error"] as const;
export const streamingChoices = ["first_response", "refuse"] as const;
export const bytesChoices = ["leave_out", "json"] as const;

export type MemoryType = (typeof memoryTypes)[number];
export type LogLevel = (typeof logLevels)[number];
export type StreamingChoice = (typeof streamingChoices)[number];
export type BytesChoice = (typeof bytesChoices)[number];
export type ModelParameters = Readonly<Record<string, string | number | boolean>>;

/** The names of tensors: from those of the model to those that Viam sees. */
export interface Remappings {
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

/** The attributes of one resource, checked, with their defaults. */
export interface Attributes {
  readonly modelName: string;
  /** Undefined only where there is a server's address. */
  readonly modelRepositoryPath: string | undefined;
  readonly backendDirectory: string | undefined;
  /** Undefined stands for the newest one. */
  readonly modelVersion: number | undefined;
  readonly preferredInputMemoryType: MemoryType;
  readonly preferredInputMemoryTypeId: number;
  readonly remappings: Remappings;
  /** Host and port of the gRPC endpoint of a Triton that runs elsewhere. */
  readonly serverUrl: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly labelPath: string | undefined;
  readonly startTimeoutMs: number;
  /** Undefined when the attributes do not say. */
  readonly logLevel: LogLevel | undefined;
  readonly modelParameters: ModelParameters;
  readonly streaming: StreamingChoice;
  readonly bytesOutputs: BytesChoice;
}

/** Reads one value; throws a `Mistake` whose text goes on after the name of the attribute. */
type Reader<T> = (value: Json) => T;

class Mistake extends Error {}

/** A value as it stands in a message: not longer than a line. */
function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const text: Reader<string> = (value) => {
  if (typeof value !== "string") throw new Mistake(`must be a string, not ${shown(value)}`);
  if (value.trim() === "") throw new Mistake("must not be empty");
  return value;
};

function whole(least: number): Reader<number> {
  return (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    throw new Mistake(`must be a whole number of at least ${least}, not ${shown(value)}`);
  };
}

/** Two minutes is what viam-server gives a resource, and whoever wants longer is told so by it. */
const seconds: Reader<number> = (value) => {
  if (typeof value === "number" && value > 0 && value <= 86_400) return value;
  throw new Mistake(`must be a number of seconds above 0, not ${shown(value)}`);
};

function oneOf<T extends string>(choices: readonly T[]): Reader<T> {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const meant = typeof value === "string" ? nearest(value, choices) : undefined;
    const hint = meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`;
    const all = choices.map((choice) => JSON.stringify(choice)).join(", ");
    throw new Mistake(`must be one of ${all}, not ${shown(value)}${hint}`);
  };
}

const texts: Reader<string[]> = (value) => {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Mistake(`must be a list of strings with at least one in it, not ${shown(value)}`);
  }
  return value.map((entry: Json, at) => {
    if (typeof entry === "string" && entry.trim() !== "" && !/[\r\n]/.test(entry)) return entry;
    throw new Mistake(`must hold strings of one line each that are not empty, but entry ${at} is ${shown(entry)}`);
  });
};

function entriesOf(value: Json): [string, Json][] {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Mistake(`must be an object, not ${shown(value)}`);
  }
  return Object.entries(value as Record<string, Json>);
}

const names: Reader<Record<string, string>> = (value) => {
  const entries = entriesOf(value).map(([key, entry]): [string, string] => {
    if (typeof entry === "string" && entry !== "") return [key, entry];
    throw new Mistake(`must give each tensor a name, but ${JSON.stringify(key)} has ${shown(entry)}`);
  });
  const taken = new Map<string, string>();
  for (const [key, entry] of entries) {
    const other = taken.get(entry);
    if (other !== undefined) {
      throw new Mistake(`gives both ${JSON.stringify(other)} and ${JSON.stringify(key)} the name ${shown(entry)}`);
    }
    taken.set(entry, key);
  }
  return Object.fromEntries(entries);
};

const parameters: Reader<Record<string, string | number | boolean>> = (value) =>
  Object.fromEntries(
    entriesOf(value).map(([key, entry]) => {
      if (typeof entry === "string" || typeof entry === "number" || typeof entry === "boolean") return [key, entry];
      throw new Mistake(`may hold strings, numbers and booleans, but ${JSON.stringify(key)} is ${shown(entry)}`);
    }),
  );

/** The address of a gRPC endpoint: host and port, with grpc:// before it or without. */
const address: Reader<string> = (value) => {
  const given = text(value);
  const example = "must be the address of Triton's gRPC endpoint such as 192.168.1.20:8001";
  const [, scheme, rest = ""] = /^(?:([a-z]+):\/\/)?(.*?)\/?$/i.exec(given.trim()) ?? [];
  if (scheme !== undefined && scheme.toLowerCase() !== "grpc") {
    throw new Mistake(`${example}, not ${shown(given)}: the module speaks gRPC, not ${scheme}`);
  }
  const port = /^(?:\[[0-9a-f:.%]+\]|[^\s:/?#@]+):(\d{1,5})$/i.exec(rest)?.[1];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new Mistake(`${example}, not ${shown(given)}`);
  return rest;
};

const remappings: Reader<Remappings> = (value) => {
  const sides = ["inputs", "outputs"];
  const given = new Map(entriesOf(value));
  for (const key of given.keys()) {
    if (sides.includes(key)) continue;
    const hint = didYouMean(key, sides);
    throw new Mistake(`has "inputs" and "outputs" only, but ${JSON.stringify(key)} was given.${hint}`);
  }
  const side = (key: string) => {
    try {
      return names(given.get(key) ?? {});
    } catch (error) {
      if (error instanceof Mistake) throw new Mistake(`is wrong in ${JSON.stringify(key)}: it ${error.message}`);
      throw error;
    }
  };
  return { inputs: side("inputs"), outputs: side("outputs") };
};

/** How each attribute is read. */
const readers = {
  model_name: text,
  model_repository_path: text,
  backend_directory: text,
  model_version: whole(1),
  preferred_input_memory_type: oneOf(memoryTypes),
  preferred_input_memory_type_id: whole(0),
  tensor_name_remappings: remappings,
  server_url: address,
  labels: texts,
  label_path: text,
  start_timeout_seconds: seconds,
  log_level: oneOf(logLevels),
  model_parameters: parameters,
  streaming: oneOf(streamingChoices),
  bytes_outputs: oneOf(bytesChoices),
};

type Readers = typeof readers;
type Given = { [Name in keyof Readers]?: ReturnType<Readers[Name]> };

/** The names of all attributes. */
export const attributeNames = Object.keys(readers) as (keyof Readers)[];

/** viam-server gives a resource two minutes; a server that is late is stopped and said so before that. */
const defaultStartSeconds = 100;

/** Thrown for attributes that cannot be used: each mistake in a sentence. */
export class AttributeError extends Error {
  override readonly name = "AttributeError";
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join(" "));
    this.mistakes = mistakes;
  }
}

function readAll(given: { readonly [key: string]: Json }, mistakes: string[]): Given {
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(readers, name)) {
      mistakes.push(`There is no attribute ${JSON.stringify(name)}.${didYouMean(name, attributeNames)}`);
    } else if (value !== null) {
      try {
        read[name] = readers[name as keyof Readers](value);
      } catch (error) {
        if (!(error instanceof Mistake)) throw error;
        mistakes.push(`The attribute "${name}" ${error.message}${/[.?]$/.test(error.message) ? "" : "."}`);
      }
    }
  }
  return read as Given;
}

/** What is wrong about attributes that are each right: missing ones, and ones that have no effect beside another. */
function combinationMistakes(given: { readonly [key: string]: Json }): string[] {
  const has = (name: string) => Object.hasOwn(given, name) && given[name] !== null;
  const mistakes: string[] = [];
  if (!has("model_name")) {
    mistakes.push('The attribute "model_name" is missing: it names the model, which is a folder of the repository.');
  }
  if (!has("server_url") && !has("model_repository_path")) {
    mistakes.push(
      'The attribute "model_repository_path" is missing: it names the folder that holds the models. ' +
        '("server_url" instead of it uses a Triton that runs elsewhere.)',
    );
  }
  for (const name of ["model_repository_path", "backend_directory"]) {
    if (!has("server_url") || !has(name)) continue;
    mistakes.push(
      `The attribute "${name}" has no effect beside "server_url", whose Triton has its own. Leave one of them out.`,
    );
  }
  if (has("labels") && has("label_path")) {
    mistakes.push('The attributes "labels" and "label_path" say the same thing. Leave one of them out.');
  }
  return mistakes;
}

/**
 * Reads the attributes of a resource.
 *
 * @throws AttributeError with all mistakes, when there are some
 */
export function readAttributes(given: { readonly [key: string]: Json }): Attributes {
  const mistakes: string[] = [];
  const read = readAll(given, mistakes);
  mistakes.push(...combinationMistakes(given));
  if (mistakes.length > 0) throw new AttributeError(mistakes);
  return {
    modelName: read.model_name!,
    modelRepositoryPath: read.model_repository_path,
    backendDirectory: read.backend_directory,
    modelVersion: read.model_version,
    preferredInputMemoryType: read.preferred_input_memory_type ?? "cpu",
    preferredInputMemoryTypeId: read.preferred_input_memory_type_id ?? 0,
    remappings: read.tensor_name_remappings ?? { inputs: {}, outputs: {} },
    serverUrl: read.server_url,
    labels: read.labels,
    labelPath: read.label_path,
    startTimeoutMs: (read.start_timeout_seconds ?? defaultStartSeconds) * 1000,
    logLevel: read.log_level,
    modelParameters: read.model_parameters ?? {},
    streaming: read.streaming ?? "first_response",
    bytesOutputs: read.bytes_outputs ?? "leave_out",
  };
}
