// SPDX-License-Identifier: Apache-2.0
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { scratchFolder } from "../../../server/testing/scratch.ts";
import { checkKernel, toolFindings, unusableNode } from "./doctor.ts";
import { reportLines } from "./doctor_command.ts";
import { runCli } from "./testing/run_cli.ts";

const plain = (_style: string, text: string) => text;

describe("triton-ts doctor", () => {
  it("puts the fix below what is missing", () => {
    const lines = reportLines(
      [
        { what: "node", verdict: "ok", found: "26" },
        { what: "cmake", verdict: "missing", found: "none", fix: "Install it." },
      ],
      plain,
    );
    expect(lines).toEqual(["ok       node   26", "missing  cmake  none", "                -> Install it."]);
  });

  it("asks for build tools only where something is still to be built", () => {
    const verdicts = (built: boolean) => toolFindings(undefined, undefined, built).map(({ verdict }) => verdict);
    expect(verdicts(true)).toEqual(["note", "note"]);
    expect(verdicts(false)).toEqual(["missing", "missing"]);
    expect(toolFindings("cmake 3.25", "gcc 12", false).map(({ verdict }) => verdict)).toEqual(["ok", "ok"]);
  });

  it.each([
    ["4.19.0", "missing", "Linux 4.19.0"],
    ["5.2.21", "missing", "Linux 5.2.21"],
    ["5.3.0-generic", "ok", "copied before Linux 6.11"],
    ["6.8.0-49-generic", "ok", "copied before Linux 6.11"],
    ["6.11.0", "ok", "PROCMAP_QUERY"],
    ["7.0.1", "ok", "PROCMAP_QUERY"],
  ])("knows what Linux %s has", (release, verdict, part) => {
    expect(checkKernel(release)).toMatchObject({ verdict, found: expect.stringContaining(part) });
  });

  it("names the library that a Node lacks, and its package", () => {
    const scratch = scratchFolder();
    /** A program that needs a library of this name, of nine characters as "libc.so.6" has. */
    const programThatNeeds = (library: string) => {
      const binary = path.join(scratch.folder, library);
      const text = readFileSync("/bin/true", "latin1").replaceAll("libc.so.6", library);
      writeFileSync(binary, text, "latin1");
      chmodSync(binary, 0o755);
      return binary;
    };
    try {
      const binary = programThatNeeds("libq.so.6");
      expect(unusableNode("node", binary)).toEqual({
        what: "node",
        verdict: "missing",
        found: `${binary} does not run: libq.so.6 is not installed`,
        fix: "Install libq.so.6, or set TRITON_TYPESCRIPT_NODE to another Node.",
      });
      // A fake of a machine without libatomic.
      const fake = path.join(scratch.folder, "fake");
      const line = "node: error while loading shared libraries: libatomic.so.1: cannot open shared object file";
      writeFileSync(fake, `#!/bin/sh\necho "${line}" >&2\nexit 127\n`, { mode: 0o755 });
      expect(unusableNode("node", fake).fix).toMatch(/^Install libatomic\.so\.1, of the package libatomic1 on Debian/);
      expect(unusableNode("node", "/absent/node").found).toBe("/absent/node does not run");
    } finally {
      scratch.remove();
    }
  });

  it("names what this machine has, and fails when something needed is missing", async () => {
    const scratch = scratchFolder();
    try {
      const XDG_CACHE_HOME = path.join(scratch.folder, "cache");
      const run = runCli(["doctor"], { XDG_CACHE_HOME, TRITON_SERVER: "/absent/tritonserver" });
      expect(await run.ended).toBe(1);
      expect(run.stdout()).toMatch(/ok +node +\d+\.\d+/);
      expect(run.stdout()).toMatch(/missing +Triton server +TRITON_SERVER=\/absent\/tritonserver/);
      expect(run.stdout()).toContain(path.join(XDG_CACHE_HOME, "triton-typescript"));
    } finally {
      scratch.remove();
    }
  });
});

describe("triton-ts", () => {
  const run = async (...args: string[]) => {
    const started = runCli(args, {});
    return { code: await started.ended, stdout: started.stdout(), stderr: started.stderr() };
  };

  it("prints its version and its help", async () => {
    expect((await run("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await run("serve", "--help");
    expect(help.code).toBe(0);
    for (const option of ["--http-port", "--model-control-mode", "--server", "--backends"]) {
      expect(help.stdout).toContain(option);
    }
  });

  it("refuses what it does not know", async () => {
    expect((await run("serve", "--nonsense")).code).toBe(1);
    expect((await run("dance")).stderr).toContain("unknown command 'dance'");
    expect((await run("doctor", "--", "x")).stderr).toContain('Only "triton-ts serve" takes arguments behind "--"');
  });
});
