// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { lackIn, npmUnreachable, pipUnreachable } from "../image/network.ts";

/** A port at which nobody answers any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

afterEach(() => vi.unstubAllEnvs());

describe("the tools are asked with the user's settings", () => {
  test("npm, whose registry is not there", async () => {
    vi.stubEnv("npm_config_registry", `http://127.0.0.1:${await closedPort()}/`);
    expect(npmUnreachable()).toMatch(/^npm ended with 1: .*ECONNREFUSED/);
  });

  test("pip, whose index is not there", async () => {
    vi.stubEnv("PIP_INDEX_URL", `http://127.0.0.1:${await closedPort()}/`);
    vi.stubEnv("PIP_CONFIG_FILE", "/dev/null");
    vi.stubEnv("PIP_FIND_LINKS", "");
    expect(pipUnreachable()).toMatch(/^python3 ended with 1: /);
  });

  test("a tool that is not there", () => {
    vi.stubEnv("PATH", "/nonexistent");
    expect(npmUnreachable()).toContain("ENOENT");
    expect(pipUnreachable()).toContain("ENOENT");
  });
});

describe("of a build that failed, a lack of network is told from a fault", () => {
  test.each([
    "E: Failed to fetch http://mirror/debian/pool/main/t/tini/tini_0.19.0-1_amd64.deb  Connection failed",
    "Err:1 http://mirror/debian bookworm InRelease  Temporary failure resolving 'mirror'",
    "npm error code ECONNRESET",
    "npm error code E503",
    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='mirror', port=443): Read timed out.",
    "TypeError: fetch failed",
    "write /build/image/store/overlay: no space left on device",
  ])("%s", (line) => {
    expect(lackIn(`STEP 3/9: RUN something\n${line}\nError: building at STEP: exit status 1\n`)).toBe(line);
  });

  test.each([
    "/src/backend-shim/src/ring.c:12:3: error: expected expression",
    "npm error code ELIFECYCLE",
    "E: Unable to locate package tiny",
    "stub/src/main.ts(1,1): error TS2304: Cannot find name 'x'.",
  ])("but not %s", (line) => {
    expect(lackIn(`STEP 3/9: RUN something\n${line}\nError: building at STEP: exit status 1\n`)).toBeUndefined();
  });

  test("nor what was tried again, long before", () => {
    expect(lackIn(`npm warn ECONNRESET\n${"line\n".repeat(60)}error: expected expression`)).toBeUndefined();
  });
});
