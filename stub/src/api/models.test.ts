// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, it } from "vitest";
import { setModelServer } from "./model_server.ts";
import { models } from "./models.ts";

const asked: unknown[] = [];

beforeEach(() => {
  asked.length = 0;
  setModelServer({
    isReady: async (...all) => {
      asked.push(all);
      return true;
    },
  });
});

afterEach(() => setModelServer(undefined));

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

it.each([
  [undefined, "'name', but got undefined"],
  ["", "'name', but got an empty text"],
  [7, "'name', but got number"],
])("refuses the name %s at once", (name, text) => {
  expect(() => models.isReady(name as string)).toThrow(
    expect.objectContaining({ code: "INVALID_ARG", message: expect.stringContaining(text) }),
  );
});

it.each([1.5, -2, "x", "1.0", " 1", "9223372036854775808", 2 ** 53, Number.NaN, null, {}])(
  "refuses the version %s at once",
  (version) => {
    expect(() => models.isReady("m", version as number)).toThrow(
      expect.objectContaining({ code: "INVALID_ARG", message: expect.stringContaining("'version' of models.isReady") }),
    );
  },
);

it("needs a server", () => {
  setModelServer(undefined);
  expect(() => models.isReady("m")).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
});
