// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { explainEarlyEnd } from "./early_end.ts";

describe("explainEarlyEnd", () => {
  it("names a library that the system lacks", () => {
    const line = "tritonserver: error while loading shared libraries: libb64.so.0d: cannot open shared object file";
    expect(explainEarlyEnd({ code: 127, signal: null }, [line], [], "above").message).toContain("libb64.so.0d");
  });
  it("has a sentence when the server said nothing", () => {
    expect(explainEarlyEnd({ code: null, signal: "SIGSEGV" }, [], [], "above").message).toBe(
      "The Triton server was ended by SIGSEGV before it was ready. Its log is above.",
    );
  });
});
