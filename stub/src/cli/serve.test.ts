// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diesWithUs } from "../../../server/orphan_guard.ts";
import { freePorts } from "../../../server/ports.ts";
import { fakeServer, scratchFolder } from "../../../server/testing/scratch.ts";
import { until } from "../../../server/testing/until.ts";
import { chooseRepositories } from "./serve.ts";
import { type Run, runCli } from "./testing/run_cli.ts";

interface Record {
  pid: number;
  args: string[];
  env: { LD_LIBRARY_PATH?: string; TRITON_TYPESCRIPT_RUNTIME?: string; TRITON_TYPESCRIPT_NODE?: string };
}

describe("triton-ts serve with a fake server", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  let repository: string;
  let port: number;
  let otherPorts: number[];
  const runs: Run[] = [];

  beforeEach(async () => {
    scratch = scratchFolder();
    repository = path.join(scratch.folder, "models");
    mkdirSync(repository);
    [port = 0, ...otherPorts] = await freePorts(3);
  });
  afterEach(async () => {
    for (const run of runs.splice(0)) {
      run.child.kill("SIGKILL");
      await run.ended;
    }
    scratch.remove();
  });

  const start = (behaviour: string, ...extra: string[]) => startAs(undefined, behaviour, extra);
  function startAs(as: "npx" | undefined, behaviour: string, extra: readonly string[] = []): Run {
    const ports = ["--http-port", `${port}`, "--grpc-port", `${otherPorts[0]}`, "--metrics-port", `${otherPorts[1]}`];
    const env = {
      XDG_CACHE_HOME: path.join(scratch.folder, "cache"),
      FAKE_BEHAVIOUR: behaviour,
      FAKE_RECORD: path.join(scratch.folder, "record.json"),
      npm_command: as === "npx" ? "exec" : "test",
    };
    const run = runCli(["serve", repository, "--server", fakeServer, ...ports, ...extra], env, as);
    runs.push(run);
    return run;
  }
  const record = () => JSON.parse(readFileSync(path.join(scratch.folder, "record.json"), "utf8")) as Record;

  it("shows the models, their failures and the endpoints, and stops in order on SIGINT", async () => {
    const run = start("serve");
    await run.shows("Ctrl-C stops the server");
    expect(run.stdout()).toContain("Triton 9.9.9");
    expect(run.stdout()).toMatch(/good +1 +READY +typescript/);
    expect(run.stdout()).toMatch(/bad +1 +FAILED +-\n +SyntaxError in model\.ts/);
    expect(run.stdout()).toContain(`  Models   ${repository}\n  HTTP     http://127.0.0.1:${port}\n`);
    expect(run.stderr()).not.toContain("pinned system memory");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect(run.stderr()).toContain("fake: stopping with 0 open connections");
  });

  it("shows failures that only the log explains, and waits a while for models that are loading", async () => {
    const run = start("failing", "--model-control-mode", "explicit", "--load-model", "nosuch");
    await run.shows("Ctrl-C stops the server");
    expect(run.stdout()).toMatch(/unreadable +- +FAILED +-\n +failed to read text proto .*: 2:36: no FLOAT\n/);
    expect(run.stdout()).toMatch(/untouched +- +not loaded +-\n +versionless/);
    expect(run.stdout()).toMatch(/versionless +- +FAILED +-\n +at least one version must be available/);
    expect(run.stdout()).toMatch(/retried +1 +FAILED +-\n +it failed before/);
    expect(run.stdout()).toMatch(/slow +1 +READY/);
    expect(run.stdout()).toMatch(/nosuch +- +FAILED +-\n +Neither the server nor its log says why\./);
    expect(run.stdout()).toContain("is ready with 2 of 7 models\n");
  });

  it("hands the server its folders, its environment and what stands behind --", async () => {
    const run = start("serve", "--backend-config", "typescript,restart=no", "--", "--id=me");
    await run.shows("Ctrl-C stops the server");
    const { args, env } = record();
    expect(args).toContain(`--model-repository=${repository}`);
    expect(args).toContain("--backend-config=typescript,restart=no");
    expect(args).toContain("--exit-on-error=false");
    expect(args).toContain("--http-address=127.0.0.1");
    expect(args.at(-1)).toBe("--id=me");
    expect(env.TRITON_TYPESCRIPT_NODE).toBeTruthy();
    expect(existsSync(path.join(env.TRITON_TYPESCRIPT_RUNTIME ?? "", "package.json"))).toBe(true);
    const backends = args.find((argument) => argument.startsWith("--backend-directory="))?.split("=")[1] ?? "";
    expect(existsSync(path.join(backends, "typescript", "libtriton_typescript.so"))).toBe(true);
  });

  it("shows every line of the log with --verbose", async () => {
    const run = start("serve", "--verbose");
    await run.shows("Ctrl-C stops the server");
    expect(run.stderr()).toContain("pinned system memory");
  });

  it("stops in order when npx is gone, which hands no signal on", async () => {
    const run = startAs("npx", "serve");
    await run.shows("Ctrl-C stops the server");
    run.child.kill("SIGTERM");
    await run.ended; // of all that write to its output
    expect(run.stderr()).toContain("Stopping; once more ends the server at once ...");
  });

  it("ends when npx is gone while a server is fetched", async () => {
    const bin = path.join(scratch.folder, "bin");
    mkdirSync(bin);
    writeFileSync(path.join(bin, "python3"), "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const env = { XDG_CACHE_HOME: path.join(scratch.folder, "cache"), PATH: `${bin}:/usr/bin:/bin`, TRITON_SERVER: "" };
    const ports = ["--http-port", `${port}`, "--grpc-port", `${otherPorts[0]}`, "--metrics-port", `${otherPorts[1]}`];
    const run = runCli(["serve", repository, ...ports], { ...env, npm_command: "exec" }, "npx");
    runs.push(run);
    await until(() => run.stderr().includes("Fetching Triton"), "the fetch");
    run.child.kill("SIGTERM");
    await run.ended; // of all that write to its output
    expect(run.stderr()).toContain("Interrupted; what was fetched so far is removed.");
  });

  it("takes two signals at once for one, and a later second one as the order to end at once", async () => {
    const run = start("stop-never");
    await run.shows("Ctrl-C stops the server");
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    await sleep(1000);
    expect(run.child.exitCode).toBeNull();
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
  });

  it("says in one sentence that a port is taken, before it starts anything", async () => {
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    try {
      const run = start("serve");
      expect(await run.ended).toBe(1);
      expect(run.stderr()).toBe(
        `error: Port ${port} on 127.0.0.1 is in use by another program. Stop it, or choose another port with --http-port.\n`,
      );
      expect(existsSync(path.join(scratch.folder, "record.json"))).toBe(false);
    } finally {
      other.close();
    }
  });

  it.each([
    [["--model-control-mode", "pol"], /'pol' is invalid\. Allowed choices are none, poll, explicit\./],
    [["--repository-poll-secs", "5"], /has no effect without --model-control-mode poll\./],
    [["--backends", import.meta.filename], /serve\.test\.ts is a file\. Give a folder/],
  ])("says what is wrong with %j, before it starts anything", async (options, sentence) => {
    const run = start("serve", ...options);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(sentence);
    expect(existsSync(path.join(scratch.folder, "record.json"))).toBe(false);
  });

  it.each([
    ["port-taken", /Port \d+ on 127\.0\.0\.1 is in use/],
    ["die-early", /ended with code 1 before it was ready; its last error was: creating server: Internal/],
    ["wrong-option", /The Triton server refuses an argument: unrecognized option '--nonsense'\.\n/],
  ])("explains a server that ends before it is ready: %s", async (behaviour, sentence) => {
    const run = start(behaviour);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(sentence);
    expect(run.stderr()).not.toContain("--help");
  });

  it("ends with code 1 when the server ends by itself", async () => {
    const run = start("die-later");
    await run.shows("Ctrl-C stops the server");
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain("The Triton server ended by itself (SIGKILL)");
  });

  it.skipIf(!diesWithUs())("leaves no server behind when it is killed (skipped where setpriv is missing)", async () => {
    const run = start("serve");
    await run.shows("Ctrl-C stops the server");
    const { pid } = record();
    run.child.kill("SIGKILL");
    while (existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
      await sleep(50);
  });
});

describe("chooseRepositories", () => {
  it("takes ./model_repository, else the one that comes along, and refuses what is none", () => {
    const scratch = scratchFolder();
    try {
      expect(chooseRepositories([], scratch.folder)[0]).toMatch(/model_repository$/);
      expect(chooseRepositories([], scratch.folder)[0]).not.toContain(scratch.folder);
      mkdirSync(path.join(scratch.folder, "model_repository", "m"), { recursive: true });
      expect(chooseRepositories([], scratch.folder)).toEqual([path.join(scratch.folder, "model_repository")]);
      expect(() => chooseRepositories(["absent"], scratch.folder)).toThrow(/does not exist/);
      writeFileSync(path.join(scratch.folder, "model_repository", "m", "config.pbtxt"), "");
      expect(() => chooseRepositories(["model_repository/m"], scratch.folder)).toThrow(/is a model, not a repository/);
      expect(() => chooseRepositories(["model_repository/m/config.pbtxt"], scratch.folder)).toThrow(/is a file/);
      mkdirSync(path.join(scratch.folder, "closed"), { mode: 0 });
      if (process.getuid?.() === 0) return; // whom no rights stop
      expect(() => chooseRepositories(["closed"], scratch.folder)).toThrow(/may not read the model repository/);
    } finally {
      scratch.remove();
    }
  });
});
