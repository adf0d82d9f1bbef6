// SPDX-License-Identifier: Apache-2.0
// What the tests of bad models share: their fixtures, a short way to call them, and looks at processes.
import { readFileSync } from "node:fs";
import {
  childrenOf,
  commandLine,
  inferJson,
  isAlive,
  type ModelSpec,
  control as requestControl,
  requestJson,
  type TestServer,
  until,
} from "../harness/index.ts";

const fixtures = new URL("../../fixtures/bad_models/", import.meta.url);

/** A model of test/fixtures/bad_models, under another name if one is given, with `more` at the end of its config.pbtxt. */
export function bad(fixture: string, more = "", name = fixture): ModelSpec {
  const config = `${readFileSync(new URL(`${fixture}/config.pbtxt`, fixtures), "utf8")}${more}\n`;
  return { name, fixture: `../bad_models/${fixture}`, config };
}

export interface Answer {
  status: number;
  /** What the client reads as the reason of a failure; empty when the inference succeeded. */
  error: string;
  /** The values of the first output. */
  values: number[];
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into replies of many forms
  body: any;
}

/** Sends the FP32 values as input IN. */
export async function infer(
  server: TestServer,
  model: string,
  values: readonly number[] = [1, 2],
  parameters: Record<string, unknown> = {},
  shape: readonly number[] = [values.length],
  outputs?: readonly string[],
): Promise<Answer> {
  const inputs = [{ name: "IN", datatype: "FP32", shape, data: values }];
  const wanted = outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) };
  const { status, body } = await inferJson(server, model, { inputs, parameters, ...wanted });
  return { status, error: body.error ?? "", values: body.outputs?.[0]?.data ?? [], body };
}

/** Sends a request whose parameter `case` says what the model is to do. Left out, all outputs are wanted. */
export function inferCase(
  server: TestServer,
  model: string,
  name: string,
  more: object = {},
  outputs?: readonly string[],
): Promise<Answer> {
  return infer(server, model, [1, 2], { case: name, ...more }, [2], outputs);
}

/** Loads or unloads a model. Gives the reason when that fails, else an empty string. */
export async function control(server: TestServer, verb: "load" | "unload", model: string): Promise<string> {
  const { status, body } = await requestControl(server, verb, model);
  return status === 200 ? "" : body.error;
}

/** Unloads a model and waits until it is gone. */
export async function unload(server: TestServer, model: string): Promise<void> {
  const reason = await control(server, "unload", model);
  if (reason !== "") throw new Error(reason);
  await until(
    async () => (await stateOf(server, model)).state === "UNAVAILABLE",
    `${model} to be unloaded`,
    60_000,
    server,
  );
}

/** State and reason of a model, as the repository index says it; one whose configuration was refused has neither. */
export async function stateOf(server: TestServer, model: string): Promise<{ state: string; reason: string }> {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  const { state = "UNAVAILABLE", reason = "" } = body.find((entry: { name: string }) => entry.name === model) ?? {};
  return { state, reason };
}

/** The process of a model's instance; undefined while it has none. */
export function stubOf(server: Pick<TestServer, "pid">, model: string, instance = 0): number | undefined {
  // The server names the instances of a group MODEL_GROUP_NUMBER, and MODEL_NUMBER without a group.
  const title = new RegExp(`^triton-typescript ${model}(_0)?_${instance}$`);
  return childrenOf(server.pid).find((pid) => isAlive(pid) && title.test(commandLine(pid)[0] ?? ""));
}

/** Waits for the process of an instance, another one than `not`. */
export async function waitForStub(server: TestServer, model: string, not?: number, instance = 0): Promise<number> {
  let found: number | undefined;
  await until(
    () => {
      found = stubOf(server, model, instance);
      return found !== undefined && found !== not;
    },
    `a process of instance ${instance} of ${model}`,
    60_000,
    server,
  );
  return found!;
}

/** Waits until none of the processes is left. */
export function gone(pids: readonly number[]): Promise<void> {
  return until(() => !pids.some(isAlive), `the end of the processes ${pids.join(", ")}`);
}

/** A number of /proc/PID/status in its own unit: KiB for VmRSS, a count for Threads. */
export function statusOf(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}
