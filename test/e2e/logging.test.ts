// SPDX-License-Identifier: Apache-2.0
// What a model prints reaches the server's log, line by line.
import { beforeAll, describe, expect, test } from "vitest";
import { inferJson, type ModelSpec, startServer, type TestServer, until } from "./harness/index.ts";

const actions = `
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { InferenceResponse, Tensor, type InferenceRequest } from "triton-typescript";

console.log("at load");

let looks = 0;
/** Says how often somebody has formatted it. */
const looked = { [inspect.custom]: () => \`look \${++looks}\` };

const actions: Record<string, () => void> = {
  log: () => console.log("a log %d", 7, { nested: [1, 2] }),
  info: () => console.info("an info"),
  warn: () => console.warn("a warning"),
  error: () => console.error("an error"),
  debug: () => console.debug("a debug"),
  looks: () => { for (const method of ["debug", "log", "warn", "error"] as const) console[method]("%s of %o", method, looked); },
  ticking: () => void setInterval(() => console.debug("tick %o", looked), 20),
  table: () => console.table([{ a: 1 }]),
  group: () => { console.group("head"); console.log("indented"); console.groupEnd(); },
  lines: () => console.log("first\\nsecond\\n\\nfourth"),
  stdout: () => void process.stdout.write("to stdout\\n"),
  stderr: () => void process.stderr.write("to stderr\\n"),
  pieces: () => { for (const piece of ["in ", "three ", "pieces\\n"]) process.stdout.write(piece); },
  raw: () => void writeSync(2, "raw bytes \\xff\\n"),
  quotes: () => console.log('says "hi" and \\\\ back'),
  long: () => console.log("x".repeat(200_000) + " end of the long line"),
  flood: () => { for (let i = 0; i < 60_000; i++) console.log("flood line " + i + " " + "y".repeat(60)); },
};

export default class Printer {
  initialize() { console.log("in initialize"); }
  execute(requests: InferenceRequest[]) {
    return requests.map((request) => {
      actions[request.input("IN", "BYTES").strings()[0]!]!();
      return new InferenceResponse([new Tensor("OUT", [String(looks)], [1])]);
    });
  }
  finalize() { console.log("in finalize"); }
}`;

const printer = (name: string, more = ""): ModelSpec => ({
  name,
  config: `
backend: "typescript"
input [ { name: "IN", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "OUT", data_type: TYPE_STRING, dims: [ 1 ] } ]
${more}`,
  files: { "1/model.ts": actions },
});

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    models: [printer("printer"), printer("pair", "instance_group [ { count: 2, kind: KIND_CPU } ]")],
  });
});

/** Has a model print something. Returns how many values it has formatted so far to be counted. */
async function print(action: string): Promise<number> {
  const reply = await inferJson(server, "printer", {
    inputs: [{ name: "IN", datatype: "BYTES", shape: [1], data: [action] }],
  });
  expect(reply.status).toBe(200);
  return Number(reply.body.outputs[0].data[0]);
}

/** Changes what the server logs while it runs. */
async function logs(settings: Record<string, boolean | number>): Promise<void> {
  const reply = await fetch(`${server.url}/v2/logging`, { method: "POST", body: JSON.stringify(settings) });
  expect(reply.status).toBe(200);
}

/** The level letter of the only line that ends with `text`. */
async function levelOf(text: string): Promise<string | undefined> {
  await server.waitForLog(`[printer_0] ${text}"`);
  const lines = server.logLines(`[printer_0] ${text}"`);
  expect(lines).toHaveLength(1);
  return lines[0]![0];
}

describe("a line of a model", () => {
  test.each([
    ["log", "a log 7 { nested: [ 1, 2 ] }", "I"],
    ["info", "an info", "I"],
    ["warn", "a warning", "W"],
    ["error", "an error", "E"],
    ["stdout", "to stdout", "I"],
    ["stderr", "to stderr", "W"],
    ["pieces", "in three pieces", "I"],
  ])("of %s has its level", async (action, text, level) => {
    await print(action);
    expect(await levelOf(text)).toBe(level);
  });

  test("of console.debug is only in a verbose log", async () => {
    await print("debug");
    await print("info");
    expect(server.log()).not.toContain("a debug");
    await logs({ log_verbose_level: 1 });
    await print("debug");
    await server.waitForLog('[printer_0] a debug"');
    await logs({ log_verbose_level: 0 });
  });

  test("may be one of several", async () => {
    await print("lines");
    for (const text of ["first", "second", "fourth"]) expect(await levelOf(text)).toBe("I");
  });

  test("keeps its indentation", async () => {
    await print("group");
    expect(await levelOf("  indented")).toBe("I");
  });

  test("may have any content", async () => {
    await print("quotes");
    await print("raw");
    await print("table");
    await server.waitForLog(/\[printer_0\] raw bytes /);
    await server.waitForLog(/\[printer_0\] │ 0 {7}│ 1 │"/);
    await server.waitForLog(/\[printer_0\] says \\?"hi\\?" and \\{1,2} back/);
  });

  test("may be very long", async () => {
    await print("long");
    await server.waitForLog("end of the long line");
    await print("stdout");
  });
});

describe("live settings", () => {
  test.each([
    ["log_verbose_level", "debug", 0, 1],
    ["log_info", "log", false, true],
    ["log_warning", "warn", false, true],
    ["log_error", "error", false, true],
  ])(
    "%s decides whether console.%s formats a line at all, from the next request on",
    async (setting, method, off, on) => {
      const all = { log_verbose_level: 1, log_info: true, log_warning: true, log_error: true };
      await logs(all);
      const before = await print("looks");
      await server.waitForLog(`[printer_0] error of look ${before}"`);
      await logs({ [setting]: off });
      expect(await print("looks")).toBe(before + 3);
      expect(await print("looks")).toBe(before + 6);
      await logs({ [setting]: on });
      expect(await print("looks")).toBe(before + 10);
      await server.waitForLog(`[printer_0] error of look ${before + 10}"`);
      const looks = () =>
        server
          .logLines(`[printer_0] ${method} of look `)
          .map((line) => Number(/look (\d+)/.exec(line)![1]))
          .filter((look) => look > before && look <= before + 10);
      // Two of the methods write to another stream than the one whose line is here.
      await until(() => looks().length > 0, `a line of ${method}`, 60_000, server);
      expect(looks()).toHaveLength(1);
      await logs({ ...all, log_verbose_level: 0 });
    },
  );

  test("reach a model that has no requests, and prints by itself", async () => {
    await print("ticking");
    for (let i = 0; i < 2; i++) {
      const seen = server.logLines("[printer_0] tick look").length;
      await logs({ log_verbose_level: 1 });
      await until(() => server.logLines("[printer_0] tick look").length > seen, "a line", 60_000, server);
      await logs({ log_verbose_level: 0 });
    }
  });
});

test("loading and initializing are heard, with the instance's name", async () => {
  for (const instance of ["printer_0", "pair_0_0", "pair_0_1"]) {
    await server.waitForLog(`[${instance}] in initialize`);
  }
  // The first process of a model reads the file before it is given an instance.
  for (const name of ["printer", "pair"]) await server.waitForLog(`[${name}] at load`);
  expect(server.logLines("] at load")).toHaveLength(3);
});

test("megabytes of output are all there, in order, and the model goes on", async () => {
  await print("flood");
  await server.waitForLog("flood line 59999 ", 240_000);
  const numbers = [...server.log().matchAll(/\[printer_0\] flood line (\d+) /g)].map((match) => Number(match[1]));
  expect(numbers).toHaveLength(60_000);
  expect(numbers.every((number, i) => number === i)).toBe(true);
  await print("info");
});

test("finalize is heard when the server stops", async () => {
  await server.stop();
  expect(server.logLines("in finalize").length).toBe(3);
});
