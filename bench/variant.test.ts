// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { checkVariant, tensorNames, variantConfig } from "./variant.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A fake server that answers each request body with what `answer` makes of it. */
async function fakeServer(answer: (body: string) => unknown): Promise<{ httpUrl: string }> {
  const server = createServer((request, reply) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => reply.end(JSON.stringify(answer(body))));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return { httpUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface Body {
  inputs: { name: string; data: number[] }[];
}

/** Answers as an identity does; `spoil` may change the outputs. */
function identity(spoil: (outputs: Body["inputs"]) => void = () => {}) {
  return (body: string) => {
    const outputs = (JSON.parse(body) as Body).inputs.map((t) => ({ ...t, name: t.name.replace("INPUT", "OUTPUT") }));
    spoil(outputs);
    return { outputs };
  };
}

const TWO = { name: "two", backend: "python", tensors: 2 };

test("one tensor has no number, several have", () => {
  expect(tensorNames("INPUT")).toEqual(["INPUT"]);
  expect(tensorNames("OUTPUT", 2)).toEqual(["OUTPUT0", "OUTPUT1"]);
});

test("the configuration says what the variant asks for, and nothing else", () => {
  expect(variantConfig({ name: "plain", backend: "python" })).toBe(
    [
      'backend: "python"',
      "max_batch_size: 0",
      'input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
      'output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]',
      "instance_group [ { kind: KIND_CPU count: 1 } ]",
      "",
    ].join("\n"),
  );
  const full = variantConfig({
    ...TWO,
    instances: 4,
    maxBatchSize: 8,
    dynamicBatching: true,
    decoupled: true,
    parameters: { KEY: "64" },
  });
  expect(full).toContain("max_batch_size: 8");
  expect(full).toContain("count: 4");
  expect(full).toContain("dynamic_batching { }");
  expect(full).toContain("decoupled: true");
  expect(full).toContain('parameters { key: "KEY" value { string_value: "64" } }');
  expect(full.match(/name: "OUTPUT\d"/g)).toEqual(['name: "OUTPUT0"', 'name: "OUTPUT1"']);
});

test("an identity passes, and swapped, changed or missing outputs do not", async () => {
  await checkVariant(await fakeServer(identity()), TWO);
  const swapped = await fakeServer(identity((outputs) => outputs[0]!.data.reverse()));
  await expect(checkVariant(swapped, TWO)).rejects.toThrow("must answer OUTPUT0 with the values of INPUT0");
  const mixed = await fakeServer(
    identity((outputs) => {
      [outputs[0]!.data, outputs[1]!.data] = [outputs[1]!.data, outputs[0]!.data];
    }),
  );
  await expect(checkVariant(mixed, TWO)).rejects.toThrow("OUTPUT0");
  const missing = await fakeServer(identity((outputs) => outputs.pop()));
  await expect(checkVariant(missing, TWO)).rejects.toThrow("OUTPUT1");
});

test("a decoupled model is asked at its own place", async () => {
  const decoupled = { name: "stream", backend: "python", decoupled: true };
  await checkVariant(
    await fakeServer((body) => ({ OUTPUT: (JSON.parse(body) as { INPUT: number[] }).INPUT })),
    decoupled,
  );
  await expect(checkVariant(await fakeServer(() => ({ OUTPUT: [1] })), decoupled)).rejects.toThrow(
    "must answer OUTPUT",
  );
});
