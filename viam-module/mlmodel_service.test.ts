// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { giveUpMessage } from "./mlmodel_service.ts";

const large = 1024 * 1024;

describe("giveUpMessage", () => {
  test("frees a large message that has its memory for itself", () => {
    const message = Buffer.allocUnsafe(large + 5).subarray(5);
    const tensor = message.subarray(100, 200);
    giveUpMessage(message);
    expect([message.byteLength, tensor.byteLength]).toEqual([0, 0]);
  });

  test("leaves memory that others have a part of", () => {
    const shared = new Uint8Array(2 * large).fill(7);
    for (const part of [shared.subarray(0, large), shared.subarray(large), Buffer.allocUnsafe(100), Buffer.from("a")]) {
      const { byteLength } = part;
      giveUpMessage(part);
      expect(part.byteLength).toBe(byteLength);
    }
    expect(shared.at(-1)).toBe(7);
  });
});
