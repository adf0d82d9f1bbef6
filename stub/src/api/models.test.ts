// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setModelServer } from "./model_server.ts";
import { type LoadOptions, models, type UnloadOptions } from "./models.ts";

const asked: unknown[] = [];

beforeEach(() => {
  asked.length = 0;
  setModelServer({
    isReady: async (...all) => {
      asked.push(all);
      return true;
    },
    load: async (...all) => {
      asked.push(all);
    },
    unload: async (...all) => {
      asked.push(all);
    },
  });
});

afterEach(() => setModelServer(undefined));

const refusal = (text: string) => expect.objectContaining({ code: "INTERNAL", message: expect.stringContaining(text) });

it("asks whether a model is ready, with a version or without", async () => {
  expect(await models.isReady("m")).toBe(true);
  await models.isReady("m", 3);
  await models.isReady("m", "9223372036854775807");
  await models.isReady("m", "");
  await models.isReady("m", -1);
  expect(asked).toEqual([
    ["m", "-1"],
    ["m", "3"],
    ["m", "9223372036854775807"],
    ["m", "-1"],
    ["m", "-1"],
  ]);
});

it("loads, with a configuration and files", async () => {
  const [a, b] = [Uint8Array.of(1), Buffer.from("x")];
  expect(await models.load("m")).toBe(undefined);
  await models.load("m", {});
  await models.load("m", { config: { max_batch_size: 8 }, files: { "1/model.ts": a, "file:1/x/y.bin": b } });
  await models.load("m", { config: {}, files: { "1/model.ts": "// é" } });
  await models.load("m", { config: ' {"backend":"typescript"}', files: {} });
  await models.load("m", { config: undefined, files: undefined });
  expect(asked).toEqual([
    ["m", undefined, []],
    ["m", undefined, []],
    [
      "m",
      '{"max_batch_size":8}',
      [
        { path: "1/model.ts", data: a },
        { path: "1/x/y.bin", data: b },
      ],
    ],
    ["m", "{}", [{ path: "1/model.ts", data: new TextEncoder().encode("// é") }]],
    ["m", ' {"backend":"typescript"}', []],
    ["m", undefined, []],
  ]);
});

it("unloads", async () => {
  expect(await models.unload("m")).toBe(undefined);
  await models.unload("m", { unloadDependents: true });
  await models.unload("m", { wait: true, unloadDependents: false });
  expect(asked).toEqual([
    ["m", false, false],
    ["m", true, false],
    ["m", false, true],
  ]);
});

describe.each(["isReady", "load", "unload"] as const)("%s", (method) => {
  it.each([
    [undefined, "but is undefined."],
    ["", "but is an empty string."],
    [7, "but is 7."],
    ["a\0b", "must be the name of a model"],
    [["m"], "but is Array."],
  ])("refuses the name %j at once", (name, text) => {
    const start = `The argument 'name' of models.${method} must be the name of a model`;
    expect(() => models[method](name as string)).toThrow(refusal(start));
    expect(() => models[method](name as string)).toThrow(refusal(text));
  });

  it("needs a server", () => {
    setModelServer(undefined);
    expect(() => models[method]("m")).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
  });
});

it.each([1.5, -2, "x", "1.0", " 1", "9223372036854775808", 2 ** 53, Number.NaN, null, {}])(
  "refuses the version %s at once",
  (version) => {
    expect(() => models.isReady("m", version as number)).toThrow(refusal("'version' of models.isReady"));
  },
);

const circle: Record<string, unknown> = {};
circle.self = circle;

it.each<[unknown, string]>([
  [7, "The argument 'options' of models.load must be an object with config and files, but is 7."],
  [null, "but is null."],
  ["{}", "but is '{}'."],
  [[], "but is Array."],
  [{ configuration: {} }, "models.load knows the options 'config' and 'files', but got 'configuration'."],
  [{ config: 7 }, "The argument 'config' of models.load must be an object with the fields of a configuration"],
  [{ config: null }, "but is null."],
  [{ config: "" }, "The argument 'config' of models.load must be"],
  [{ config: "backend: 7" }, "or the JSON text of one: "],
  [{ config: "[]" }, "but is '[]'."],
  [{ config: [] }, "but is Array."],
  [{ config: () => 7 }, "but is a function."],
  [{ config: circle }, "or the JSON text of one: "],
  [
    { files: [] },
    "The argument 'files' of models.load must be an object with a Uint8Array or text for each path, but is Array.",
  ],
  [{ files: Uint8Array.of(1) }, "but is Uint8Array."],
  [{ files: null }, "but is null."],
  [{ files: { a: Uint8Array.of(1) } }, "models.load with 'files' needs 'config' beside them"],
  [{ files: { a: 5 } }, "The argument 'files['a']' of models.load must be a Uint8Array or text, but is 5."],
  [{ files: { a: new ArrayBuffer(1) } }, "but is ArrayBuffer."],
  ...["", "/a", "a/", "../a", "a/../../b", "./a", "a//b", "file:", "file:/a", "a\0b"].map((path): [unknown, string] => [
    { files: { [path]: Uint8Array.of(1) } },
    `The argument 'files' of models.load has the path '${path}', which is none in a model's folder.`,
  ]),
])("refuses the options %j of a load at once", (options, text) => {
  expect(() => models.load("m", options as LoadOptions)).toThrow(refusal(text));
  expect(asked).toEqual([]);
});

it.each<[unknown, string]>([
  [true, "The argument 'options' of models.unload must be an object"],
  [{ dependents: true }, "models.unload knows the options 'unloadDependents' and 'wait', but got 'dependents'."],
  [{ wait: 1 }, "The argument 'wait' of models.unload must be true or false, but is 1."],
  [{ unloadDependents: "no" }, "The argument 'unloadDependents' of models.unload must be true or false, but is 'no'."],
])("refuses the options %j of an unload at once", (options, text) => {
  expect(() => models.unload("m", options as UnloadOptions)).toThrow(refusal(text));
  expect(asked).toEqual([]);
});
