// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { endpointOf } from "./endpoint.ts";

const isEncrypted = (url: string) => endpointOf(url, undefined).credentials._isSecure();

describe("endpointOf", () => {
  it.each([
    ["127.0.0.1:9001", "127.0.0.1:9001"],
    ["localhost", "localhost:8001"],
    ["grpc://triton", "triton:8001"],
    ["http://triton:7/", "triton:7"],
    ["https://triton.example", "triton.example:8001"],
    ["[::1]:8001", "[::1]:8001"],
    ["[::1]", "[::1]:8001"],
    ["unix:/run/triton.sock", "unix:/run/triton.sock"],
    ["unix:///run/triton.sock", "unix:///run/triton.sock"],
  ])("%s is %s", (url, host) => {
    expect(endpointOf(url, undefined)).toMatchObject({ host, target: host });
  });

  it("encrypts when the address or the options say so", () => {
    expect(["grpcs://a", "https://a", "a", "grpc://a"].map(isEncrypted)).toEqual([true, true, false, false]);
    expect(endpointOf("a:1", {}).credentials._isSecure()).toBe(true);
    expect(() => endpointOf("a:1", { rootCertificates: "none" })).not.toThrow();
  });

  it("knows what is of this machine", () => {
    const local = ["localhost:1", "127.0.0.1:1", "[::1]:1", "unix:/a", "10.0.0.1:1", "127.example:1"];
    expect(local.map((url) => endpointOf(url, undefined).isLocal)).toEqual([true, true, true, true, false, false]);
  });

  it.each(["", "a b", "ftp://a", "http://", "http://a/b", "a:b:c", 8001, undefined])("refuses %j", (url) => {
    expect(() => endpointOf(url, undefined)).toThrow(/address such as 127.0.0.1:8001/);
  });
});
