// SPDX-License-Identifier: Apache-2.0
// Whether packages can be had here. The tools themselves are asked, with the mirrors, proxies and certificates that they are set to.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** For a tool that does not come to an end; what it asks may take 15 s of it. */
const LIMIT_MS = 60_000;

/** Why a command cannot be carried out; undefined when it can. */
function whyNot(program: string, args: readonly string[]): string | undefined {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd: os.tmpdir(),
    encoding: "utf8",
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  if (status === 0) return undefined;
  if (error !== undefined) return `${program}: ${error.message}`;
  const output = `${stdout}\n${stderr}`.trim();
  return `${program} ended with ${status ?? signal}: ${lackIn(output) ?? output.split("\n").at(-1)}`;
}

/** Why npm gets no packages; undefined when it does. */
export function npmUnreachable(): string | undefined {
  return whyNot("npm", ["ping", "--fetch-retries=0", "--fetch-timeout=15000"]);
}

/** Why pip gets no packages; undefined when it does. */
export function pipUnreachable(): string | undefined {
  const folder = mkdtempSync(path.join(os.tmpdir(), "pip-"));
  try {
    const quick = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--retries", "0", "--timeout", "15"];
    // A small one without parts to compile.
    return whyNot("python3", ["-m", "pip", "download", ...quick, "--no-deps", "--dest", folder, "six==1.17.0"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What apt, pip, npm, Node and podman say when it is the network, or the place on the disk, that failed them. */
const LACKS = [
  /temporary failure (in name resolution|resolving)|could not resolve|name or service not known|network is unreachable/i,
  /connection (timed out|refused|reset|broken|aborted)|could not connect|unable to connect|read timed out|max retries exceeded/i,
  /\b(ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|UND_ERR_\w+)\b/,
  /npm (error|ERR!) (network|code E(429|5\d\d))|\bE: (failed to fetch|unable to fetch)|\bfetch failed\b/i,
  /certificate verify failed|unable to get local issuer certificate|SELF_SIGNED_CERT_IN_CHAIN/i,
  /HTTP error (429|5\d\d)|no space left on device/i,
];
/** A failure is at the end; before it are warnings of what was tried again. */
const LINES = 40;

/** The line of a build's output that tells of a lack of network or space; undefined when there is none. */
export function lackIn(output: string): string | undefined {
  const lines = output.trim().split("\n").slice(-LINES);
  return lines.find((line) => LACKS.some((lack) => lack.test(line)))?.trim();
}
