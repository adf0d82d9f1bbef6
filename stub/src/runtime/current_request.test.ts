// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { RequestLife } from "../ipc/request_life.ts";
import { currentRequest, runFor } from "./current_request.ts";

const [a, b] = [{}, {}] as RequestLife[];

test("the request is known where code runs for it, and in what was begun there", async () => {
  let first: Promise<unknown> | undefined;
  // The first one asks before anything is awaited, as models do that begin with a call.
  runFor(a, () => {
    first = (async () => [currentRequest(), await null, currentRequest()])();
  });
  expect(currentRequest()).toBeUndefined();
  const found: unknown[] = [];
  runFor(b, () => {
    setTimeout(() => found.push(currentRequest()), 1);
    runFor(undefined, () => found.push(currentRequest()));
    found.push(currentRequest());
  });
  expect(currentRequest()).toBeUndefined();
  expect(await first).toEqual([a, null, a]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(found).toEqual([undefined, b, b]);
  expect(() =>
    runFor(a, () => {
      throw new Error("x");
    }),
  ).toThrow("x");
  expect(currentRequest()).toBeUndefined();
});
