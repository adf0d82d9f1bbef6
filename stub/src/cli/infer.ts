// SPDX-License-Identifier: Apache-2.0

import { ClientError, HttpClient, type InferenceResult } from "../../../client/http/index.ts";
import { type BinaryTensor, binaryTensor, inferBinary } from "../../../server/binary_infer.ts";
import { canBeAddressed, plainFetch } from "../../../server/plain_fetch.ts";
import { type DataType, isDataType } from "../api/datatype.ts";
import { annotate } from "./annotate.ts";
import { CliError } from "./error.ts";
import { type InputOptions, makeInputs, readUserFile } from "./infer_inputs.ts";
import { decodeElements, type Element, nest } from "./tensor_values.ts";
import { type Paint, painter } from "./terminal.ts";
import { readTextLines, type TextLine } from "./text_lines.ts";

export interface InferOptions extends InputOptions {
  url: string;
  modelVersion?: string;
  save?: string;
  json?: boolean;
}

const shownElements = 32;
const shownModels = 20;
const notAddressed =
  "Triton's HTTP takes no model name with a blank, a slash or a question mark in it: rename the model's folder, or use a gRPC client.";

function elementsOf({ name, datatype, bytes }: BinaryTensor): Element[] {
  if (!isDataType(datatype))
    throw new CliError(`Output ${name} has the datatype ${datatype}, which is not known here.`);
  return decodeElements(bytes, datatype satisfies DataType);
}

function elementText(element: Element): string {
  if (element instanceof Uint8Array) return `<${element.byteLength} bytes>`;
  if (typeof element === "string") return JSON.stringify(element);
  // FP32 values are shown with the digits that they have, not with those of their 64-bit form.
  return typeof element === "number" && !Number.isInteger(element)
    ? String(Number(element.toPrecision(7)))
    : String(element);
}

/** One line for an output: its name, datatype, shape and first elements. */
export function outputLine(output: BinaryTensor): string {
  const elements = elementsOf(output);
  const shown = elements.slice(0, shownElements).map(elementText).join(", ");
  const more = elements.length > shownElements ? `, ... (${elements.length - shownElements} more)` : "";
  return `${output.name} ${output.datatype} [${output.shape.join(", ")}]: ${shown}${more}`;
}

/** The lines of a text answer with how sure the model is of each. */
function textOutput(lines: readonly TextLine[], paint: Paint): string[] {
  if (lines.length === 0) return ["no text was found"];
  return lines.map(({ text, confidence }) => `${paint("dim", confidence.toFixed(3))}  ${text}`);
}

function jsonOf(result: InferenceResult, tensors: readonly BinaryTensor[]): string {
  const outputs = Object.fromEntries(
    tensors.map((output) => {
      const { name, datatype, shape } = output;
      return [name, { datatype, shape, data: nest(elementsOf(output), shape) }];
    }),
  );
  // What the server did not send is left out.
  const id = result.id === "" ? undefined : result.id;
  const parameters = Object.keys(result.parameters).length === 0 ? undefined : result.parameters;
  const { modelName, modelVersion } = result;
  return JSON.stringify({ model: modelName, version: modelVersion, id, parameters, outputs }, null, 2);
}

function print(result: InferenceResult, options: InferOptions): readonly TextLine[] | undefined {
  const outputs = result.outputs.map(binaryTensor);
  const lines = readTextLines(outputs);
  if (options.json) {
    process.stdout.write(`${jsonOf(result, outputs)}\n`);
  } else {
    const text = lines ? textOutput(lines, painter(process.stdout)) : outputs.map(outputLine);
    process.stdout.write(`${text.join("\n")}\n`);
  }
  return lines;
}

/** The client of the address that was named; name and password in it go along with each question. */
function clientOf(url: string): HttpClient {
  try {
    const { username, password } = new URL(/^[a-z]+:\/\//i.test(url) ? url : `http://${url}`);
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
    const headers: Record<string, string> = username === "" ? {} : { Authorization: `Basic ${login}` };
    return new HttpClient({ url: url.replace(/^([a-z]+:\/\/)?[^/@]*@/i, "$1"), headers, fetch: plainFetch });
  } catch {
    throw new CliError(`--url needs an address such as http://127.0.0.1:8000, not ${JSON.stringify(url)}.`);
  }
}

/** The server says only that it has no such model. */
async function explained(error: unknown, client: HttpClient, model: string): Promise<unknown> {
  if (!(error instanceof ClientError) || error.reason !== "ANSWER") return error;
  const index = await client.repositoryIndex().catch(() => []);
  const failed = index.find(
    ({ name, state, reason }) => name === model && state === "UNAVAILABLE" && reason && reason !== "unloaded",
  );
  if (failed) return new CliError(`The server could not load the model ${model}: ${failed.reason}`);
  const names = [...new Set(index.map(({ name }) => name))].filter((name) => name !== "").sort();
  if (names.length === 0 || names.includes(model)) return error;
  const more = names.length > shownModels ? `, and ${names.length - shownModels} more` : "";
  return new CliError(`The server has no model ${model}. It has ${names.slice(0, shownModels).join(", ")}${more}.`);
}

/** Triton's `/infer` takes no model with `decoupled: true`. */
const streams = (error: unknown): boolean =>
  error instanceof ClientError && error.serverMessage?.includes("decoupled transaction") === true;

const streamingAdvice = (model: string, host: string): string =>
  `The model ${model} streams its answers (decoupled: true), and this command asks for a single one. ` +
  `Ask ${host}/v2/models/${model}/generate_stream with curl -N, or use a client over gRPC.`;

/** triton-ts infer: sends one request to a model and prints the answer. */
export async function infer(model: string, options: InferOptions): Promise<void> {
  if (model === "") throw new CliError("The name of the model is empty. Give one that the server has.");
  const client = clientOf(options.url);
  if (!canBeAddressed(model)) throw new CliError(notAddressed);
  if (options.modelVersion !== undefined && !/^\d+$/.test(options.modelVersion)) {
    throw new CliError(`--model-version needs a number such as 1, not ${JSON.stringify(options.modelVersion)}.`);
  }
  const picture = options.image === undefined ? undefined : readUserFile(options.image, "picture");
  if (options.save !== undefined && picture === undefined) {
    throw new CliError("--save draws into the picture of --image, and none is given. Add --image FILE.");
  }
  const metadata = await client
    .modelMetadata(model, { modelVersion: options.modelVersion })
    .catch(async (error: unknown) => {
      throw await explained(error, client, model);
    });
  const inputs = makeInputs(metadata, options);
  const result = await inferBinary(client, model, options.modelVersion, inputs).catch((error: unknown) => {
    throw streams(error) ? new CliError(streamingAdvice(model, client.host)) : error;
  });
  const lines = print(result, options);
  if (options.save === undefined || picture === undefined) return;
  if (lines === undefined) {
    throw new CliError(`--save needs the outputs TEXT, CONFIDENCE and BOX, which the model ${model} does not give.`);
  }
  await annotate(picture, lines, options.save);
  process.stderr.write(`saved ${options.save}\n`);
}
