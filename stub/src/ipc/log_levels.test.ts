// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import * as L from "../protocol/layout.gen.ts";
import { LogLevels } from "./log_levels.ts";

const BITS = { I: L.LOG_LEVEL_INFO, W: L.LOG_LEVEL_WARN, E: L.LOG_LEVEL_ERROR, V: L.LOG_LEVEL_VERBOSE } as const;

test("each level has its bit, whenever the server changes it", () => {
  const word = Uint32Array.of(0);
  const levels = new LogLevels(word, () => {});
  const names = ["I", "W", "E", "V"] as const;
  for (const on of names) {
    word[0] = BITS[on];
    expect(names.filter((level) => levels.has(level))).toEqual([on]);
  }
});

test("who leaves lines out asks the server, once a second; who leaves none out does not", () => {
  let now = 5000;
  let asked = 0;
  const word = Uint32Array.of(L.LOG_LEVEL_INFO);
  const levels = new LogLevels(
    word,
    () => asked++,
    () => now,
  );
  levels.has("I");
  expect(asked).toBe(0);
  for (let i = 0; i < 10; i++) levels.has("V");
  expect(asked).toBe(1);
  now += 999;
  levels.has("V");
  expect(asked).toBe(1);
  now += 1;
  levels.has("W");
  expect(asked).toBe(2);
});
