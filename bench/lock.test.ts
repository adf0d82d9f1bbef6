// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { takeTurn } from "./lock.ts";

describe("takeTurn", () => {
  it("lets the second wait, and tells it so, until the first is done", async () => {
    const name = `test-${randomUUID()}`;
    const events: string[] = [];
    const first = await takeTurn(() => events.push("first waits"), name);
    const second = takeTurn(() => {
      events.push("second waits");
      first.close(() => events.push("first is done"));
    }, name);
    (await second).close();
    expect(events).toEqual(["second waits", "first is done"]);
  });
});
