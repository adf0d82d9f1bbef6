// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { decodeResponse, KServeClient } from "./kserve.ts";

describe("an answer", () => {
  it("must be complete", () => {
    const header = JSON.stringify({
      model_name: "m",
      model_version: "1",
      outputs: [{ name: "y", datatype: "UINT8", shape: [4], parameters: { binary_data_size: 4 } }],
    });
    const body = new TextEncoder().encode(`${header}abc`);
    expect(() => decodeResponse(body, header.length)).toThrow(/data of output y is missing/);
  });
});

describe("a client", () => {
  it("has an address of HTTP", () => {
    expect(new KServeClient("localhost:8000/").url).toBe("http://localhost:8000");
    expect(() => new KServeClient("grpc://localhost")).toThrow(/has an address such as .*, not "grpc:/);
  });
});
