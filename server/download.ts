// SPDX-License-Identifier: Apache-2.0
// Fetches the server's wheel with the machine's own pip, so that the user's pip settings (index, proxy, certificates)
// decide where it comes from.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { SingleBar } from "cli-progress";
import { codeOf, ServerError } from "./error.ts";
import { type ServerWheel, serverWheel } from "./versions.ts";

function pipArguments(destination: string, wheel: ServerWheel): string[] {
  return [
    ...["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"],
    // pip's own five retries keep a machine without a network waiting for half a minute.
    ...["--retries", "2"],
    ...["--no-deps", "--only-binary", ":all:"],
    ...["--platform", wheel.platform, "--python-version", wheel.pythonVersion],
    ...["--dest", destination, `${wheel.package}==${wheel.version}`],
  ];
}

/** Bytes in files under a folder; files that vanish meanwhile count as nothing. */
function bytesUnder(folder: string): number {
  let sum = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const full = path.join(folder, entry.name);
      sum += entry.isDirectory() ? bytesUnder(full) : statSync(full).size;
    }
  } catch {
    return sum;
  }
  return sum;
}

/** Shows how much of the known size is there, by looking at pip's temporary files. */
function showProgress(folder: string, stream: NodeJS.WriteStream, wheel: ServerWheel): () => void {
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
  const bar = new SingleBar({
    stream,
    format: "Triton server [{bar}] {percentage}% of {total} MB",
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: true,
  });
  bar.start(megabytes(wheel.bytes), 0);
  const timer = setInterval(() => {
    bar.update(Math.min(megabytes(bytesUnder(folder)), megabytes(wheel.bytes)));
  }, 150);
  return () => {
    clearInterval(timer);
    bar.stop();
  };
}

async function ended(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString("utf8") }));
  });
}

/** What pip could not do, in one sentence. */
export function explainPipFailure(output: string, wheel = serverWheel): ServerError {
  if (/No space left on device/i.test(output)) {
    return new ServerError(
      "CACHE",
      "The disk is full: the Triton server needs about 400 MB in the cache folder. Make room, or set XDG_CACHE_HOME to another disk.",
    );
  }
  return new ServerError("PIP", pipSentence(output, wheel));
}

function pipSentence(output: string, wheel: ServerWheel): string {
  const wanted = `${wheel.package} ${wheel.version}`;
  if (/No module named pip/.test(output)) {
    return "Python's pip is missing; it fetches the Triton server. Install it (package python3-pip on Debian and Ubuntu).";
  }
  if (
    /NewConnectionError|ConnectTimeout|Temporary failure in name resolution|Name or service not known|Network is unreachable|Connection refused|ProxyError|Max retries exceeded/i.test(
      output,
    )
  ) {
    return `pip could not reach its package index to fetch ${wanted}. Check the network and pip's settings ("python3 -m pip config list").`;
  }
  if (/CERTIFICATE_VERIFY_FAILED|SSLError/i.test(output)) {
    return `pip does not trust the certificate of its package index. Set pip's "cert" option to your certificate file.`;
  }
  if (/No matching distribution found|Could not find a version/i.test(output)) {
    return `pip's package index does not offer ${wanted} for ${wheel.platform}. Check pip's settings ("python3 -m pip config list").`;
  }
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const last = lines.findLast((line) => /^ERROR/.test(line)) ?? lines.at(-1) ?? "it printed nothing";
  return `pip could not fetch ${wanted}: ${last.replace(/^ERROR:\s*/, "").trim()}. Mend that.`;
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/**
 * Downloads the pinned wheel below `folder` and gives its path. Throws ServerError when Python or pip is missing, the
 * index cannot be reached, or the file is not the pinned one. After `interrupt` it throws once pip has ended.
 */
export async function downloadWheel(
  folder: string,
  stream: NodeJS.WriteStream,
  interrupt: AbortSignal = new AbortController().signal,
  wheel = serverWheel,
): Promise<string> {
  const destination = path.join(folder, "wheel");
  const scratch = path.join(folder, "pip");
  mkdirSync(destination, { recursive: true });
  mkdirSync(scratch, { recursive: true });
  const child = spawn("python3", pipArguments(destination, wheel), {
    cwd: scratch, // Python looks for modules in its folder first: not in one that the user happens to be in
    env: { ...process.env, TMPDIR: scratch, PYTHONUNBUFFERED: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killPip = () => child.kill("SIGKILL");
  interrupt.addEventListener("abort", killPip);
  const finish = stream.isTTY ? showProgress(folder, stream, wheel) : () => {};
  try {
    const { code, output } = await ended(child);
    interrupt.throwIfAborted();
    if (code !== 0) throw explainPipFailure(output, wheel);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    throw new ServerError(
      "PIP",
      "Python 3 was not found on PATH: it fetches the Triton server. Install python3 with pip, or set TRITON_SERVER to the tritonserver binary of an installed Triton.",
    );
  } finally {
    finish();
    interrupt.removeEventListener("abort", killPip);
  }
  return checkWheel(path.join(destination, wheel.fileName), wheel);
}

async function checkWheel(file: string, wheel: ServerWheel): Promise<string> {
  if (!existsSync(file)) {
    throw new ServerError(
      "PIP",
      `pip ended well but did not bring ${wheel.fileName}. Check pip's settings ("python3 -m pip config list").`,
    );
  }
  const found = await sha256(file);
  if (found !== wheel.sha256) {
    throw new ServerError(
      "ARCHIVE",
      `The downloaded ${wheel.fileName} is not the expected file: its SHA-256 is ${found}, expected ${wheel.sha256}. It was not used; check the package index that pip is set to.`,
    );
  }
  return file;
}
