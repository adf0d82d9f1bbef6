// SPDX-License-Identifier: Apache-2.0
import net from "node:net";
import { describe, expect, it } from "vitest";
import { type ServerOptions, tritonArguments } from "./arguments.ts";
import { checkEndpoints, endpointsOf, hostAndPort, parsePort, portSentence } from "./endpoints.ts";

const argumentsFor = (options: ServerOptions, extra: string[] = []) =>
  tritonArguments({ repositories: ["/r"], options, extra, backendDirectory: "/b" });

describe("endpointsOf", () => {
  it("has Triton's ports on loopback by default", () => {
    expect(endpointsOf(argumentsFor({})).map(hostAndPort)).toEqual([
      "127.0.0.1:8000",
      "127.0.0.1:8001",
      "127.0.0.1:8002",
    ]);
  });

  it("follows options, and arguments behind -- in both notations", () => {
    const args = argumentsFor({ httpPort: "9000" }, [
      "--grpc-port",
      "9001",
      "--allow-metrics=false",
      "--http-address=0.0.0.0",
    ]);
    expect(endpointsOf(args)).toEqual([
      { name: "http", address: "0.0.0.0", port: 9000 },
      { name: "grpc", address: "127.0.0.1", port: 9001 },
    ]);
    expect(endpointsOf(args).map(hostAndPort)[0]).toBe("127.0.0.1:9000");
  });

  it("refuses twins", () => {
    expect(() => endpointsOf(["--http-port=9000", "--metrics-port=9000"])).toThrow(/both 9000/);
  });
});

describe("ports", () => {
  it("reads numbers from 1 to 65535", () => {
    expect(parsePort("65535", "--http-port")).toBe(65535);
    for (const text of ["0", "65536", "-1", "80x", "", "1e3"]) {
      expect(() => parsePort(text, "--http-port")).toThrow(/--http-port needs a port number/);
    }
  });

  it("finds a port that is taken and lets a free one pass", async () => {
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as net.AddressInfo;
    const endpoint = { name: "grpc", address: "127.0.0.1", port } as const;
    await expect(checkEndpoints([endpoint])).rejects.toThrow(`Port ${port} on 127.0.0.1 is in use`);
    await new Promise((resolve) => other.close(resolve));
    await expect(checkEndpoints([endpoint])).resolves.toBeUndefined();
  });

  it("has a sentence with the option to change for each failure", () => {
    const endpoint = { name: "metrics", address: "10.9.9.9", port: 80 } as const;
    expect(portSentence(endpoint, "EACCES")).toContain("--metrics-port");
    expect(portSentence(endpoint, "EADDRNOTAVAIL")).toContain("--metrics-address");
    expect(portSentence(endpoint, "EWHATEVER")).toContain("EWHATEVER");
  });
});
