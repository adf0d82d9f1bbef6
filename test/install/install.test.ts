// SPDX-License-Identifier: Apache-2.0
// What `npm run pack:release` made, on a machine without a compiler: its programs find nothing on PATH but what a test puts there.
import { execFile, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureEmbeddedServer, unsupported } from "../../server/embedded_server.ts";
import { freePorts } from "../../server/ports.ts";
import { childrenOf } from "../../server/processes.ts";
import { ADD_SUB, askAddSub, type Served, serve } from "./served.ts";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "..", "..");
const PACKAGES = path.join(ROOT, "build", "release", "packages");
const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
const platform = `linux-${process.arch}`;

const scratch = realpathSync(mkdtempSync(path.join(os.tmpdir(), "triton-ts-install-")));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder with links to these programs, and no others. */
function pathWith(name: string, programs: Record<string, string>): string {
  const folder = path.join(scratch, name);
  mkdirSync(folder);
  for (const [program, target] of Object.entries(programs)) symlinkSync(target, path.join(folder, program));
  return folder;
}

/** The environment of a user who has these programs: npm's network and the server that was fetched before are where they are. */
function environment(PATH: string): NodeJS.ProcessEnv {
  const { CC: _, NODE_PATH: __, ...others } = process.env;
  return { ...others, PATH };
}

/** Names of what builds native code, as far as it is found. */
function builders(env: NodeJS.ProcessEnv): string[] {
  return ["cc", "gcc", "clang", "zig", "cmake", "make", "ninja"].filter(
    (name) => spawnSync("/bin/sh", ["-c", `command -v ${name}`], { env }).status === 0,
  );
}

test("a release has the package, two tarballs, and their sums", async () => {
  const files = [
    "SHA256SUMS",
    `triton-typescript-${version}-linux-arm64.tar.gz`,
    `triton-typescript-${version}-linux-x64.tar.gz`,
    `triton-typescript-${version}.tgz`,
  ];
  expect(readdirSync(PACKAGES).sort()).toEqual(files);
  await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: PACKAGES });
});

describe.skipIf(unsupported() !== undefined)(
  `the tarball of ${platform} (skipped where the embedded server does not run)`,
  () => {
    const backends = path.join(scratch, "backends");
    const runtime = path.join(backends, "typescript", "runtime");
    let served: Served;

    beforeAll(async () => {
      mkdirSync(backends);
      await run("tar", [
        "-xzf",
        path.join(PACKAGES, `triton-typescript-${version}-${platform}.tar.gz`),
        "-C",
        backends,
      ]);
      served = await serve({
        installation: await ensureEmbeddedServer(process.stderr),
        backends,
        repository: path.join(ROOT, "model_repository"),
        env: { PATH: path.join(scratch, "nothing") },
        timeoutMs: 120_000,
      });
    });
    afterAll(() => served?.stop());

    test("is a folder of Triton's backends, which serves without anything on PATH", async () => {
      expect(readdirSync(backends)).toEqual(["typescript"]);
      expect(await askAddSub(served.client)).toEqual(ADD_SUB);
    });

    test("loads its own parts, and runs its own Node", () => {
      const mapped = (pid: number) => readFileSync(`/proc/${pid}/maps`, "utf8");
      expect(mapped(served.pid)).toContain(path.join(backends, "typescript", "libtriton_typescript.so"));
      const own = childrenOf(served.pid).filter((pid) => readlinkSync(`/proc/${pid}/exe`).startsWith(runtime));
      expect(own.length).toBeGreaterThan(0);
      const addon = path.join(runtime, "prebuilds", platform, "triton_typescript_stub.node");
      for (const pid of own) expect(mapped(pid)).toContain(addon);
    });

    test("brings the command, and what it needs", async () => {
      const env = environment(`${path.join(runtime, "bin")}:${pathWith("env-only", { env: "/usr/bin/env" })}`);
      expect(builders(env)).toEqual([]);
      const { stdout } = await run("triton-ts", ["--version"], { env });
      expect(stdout.trim()).toBe(version);
      const doctor = spawnSync("triton-ts", ["doctor"], { env, encoding: "utf8" });
      expect(doctor.stdout).toMatch(/native parts +built/);
      expect(doctor.stdout).not.toMatch(/cmake|C compiler/);
    });

    test("has nothing for other machines", async () => {
      const found = await run("find", [runtime, "(", "-name", "*.node", "-o", "-name", "*.so*", ")", "-type", "f"]);
      const machineOf = (file: string) => readFileSync(file).readUInt16LE(18); // of the head of an ELF file
      const binaries = found.stdout.trim().split("\n");
      expect(binaries.length).toBeGreaterThan(3);
      for (const file of binaries) expect(machineOf(file), file).toBe(machineOf(process.execPath));
    });
  },
);

describe("the package, installed by npm without scripts and without a compiler", () => {
  const project = path.join(scratch, "project");
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    mkdirSync(project);
    const npm = realpathSync((await run("sh", ["-c", "command -v npm"])).stdout.trim());
    env = environment(pathWith("node-and-npm", { node: process.execPath, npm, sh: "/bin/sh", env: "/usr/bin/env" }));
    await run("npm", ["init", "--yes"], { cwd: project, env });
    const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", [...install, path.join(PACKAGES, `triton-typescript-${version}.tgz`)], { cwd: project, env });
  });

  test("nothing could have been compiled", () => {
    expect(builders(env)).toEqual([]);
    expect(existsSync(path.join(project, "node_modules/triton-typescript/build"))).toBe(false);
  });

  test.skipIf(unsupported() !== undefined)("serves, and shares memory with the server", async () => {
    await ensureEmbeddedServer(process.stderr);
    const program = `
      import { spawn } from "node:child_process";
      import { once } from "node:events";
      import { HttpClient, Tensor } from "triton-typescript/client/http";
      import { SharedMemory } from "triton-typescript/client";
      const ports = process.argv.slice(1);
      const options = ["http", "grpc", "metrics"].flatMap((name, i) => ["--" + name + "-port", ports[i]]);
      const args = ["node_modules/.bin/triton-ts", "serve", ${JSON.stringify(path.join(ROOT, "model_repository"))}, ...options];
      const server = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
      const ended = once(server, "exit");
      try {
        const client = new HttpClient({ url: "http://127.0.0.1:" + ports[0] });
        while (server.exitCode === null && !(await client.isModelReady("add_sub").catch(() => false))) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        const memory = SharedMemory.create({ byteSize: 64 });
        await client.registerSystemSharedMemory(memory);
        const input = memory.tensor("INPUT0", "FP32", [1, 16]);
        input.data.set(Array.from({ length: 16 }, (_, i) => i));
        const one = new Tensor("INPUT1", new Float32Array(16).fill(1), [1, 16]);
        const result = await client.infer("add_sub", [input, one]);
        console.log(JSON.stringify(Array.from(result.output("OUTPUT0", "FP32").data)));
        await client.unregisterSystemSharedMemory();
        memory.close();
      } finally {
        server.kill();
        await ended;
      }`;
    const ports = (await freePorts(3)).map(String);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program, ...ports], {
      cwd: project,
      env,
    });
    expect(JSON.parse(stdout)).toEqual(ADD_SUB[0]);
  });
});

describe("a checkout with prebuilt parts, without a compiler", () => {
  const checkout = path.join(scratch, "checkout");
  let env: NodeJS.ProcessEnv;
  const setup = () =>
    spawnSync(process.execPath, [path.join(checkout, "scripts/setup.mjs")], { env, encoding: "utf8" });

  beforeAll(async () => {
    mkdirSync(checkout);
    const copy = 'cd "$0" && git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$1" && cp -R prebuilds "$1"';
    await run("sh", ["-c", copy, ROOT, checkout]);
    symlinkSync(path.join(ROOT, "node_modules"), path.join(checkout, "node_modules"));
    // An installed Triton, so that nobody asks for Python.
    env = { ...environment(pathWith("node-only", { node: process.execPath })), TRITON_SERVER: "/nowhere" };
  });

  test("takes them, and says so", () => {
    expect(builders(env)).toEqual([]);
    const { status, stdout, stderr } = setup();
    expect(stdout).toContain(`setup: taking the prebuilt native parts of prebuilds/${platform}\n`);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const name = "triton_typescript_stub.node";
    const taken = readFileSync(path.join(checkout, "build", "lib", name));
    expect(taken.equals(readFileSync(path.join(checkout, "prebuilds", platform, name)))).toBe(true);
  });

  test("leaves those that were made of other sources", () => {
    appendFileSync(path.join(checkout, "client/native/shared_memory.c"), "// another source\n");
    const { status, stdout, stderr } = setup();
    expect(stdout).toContain("the native parts in prebuilds/ do not serve here: they were made of other sources");
    expect(stderr).toContain("cmake was not found on PATH");
    expect(status).toBe(1);
  });
});
