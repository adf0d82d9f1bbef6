// SPDX-License-Identifier: Apache-2.0
// Says what this machine has and lacks for building and serving. Every check is one function that gives one line.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import os from "node:os";
import { cacheFolder, homeFolder } from "../../../server/cache.ts";
import { checkCache, embeddedFolder, unsupported } from "../../../server/embedded_server.ts";
import { checkEndpoints, endpointsOf } from "../../../server/endpoints.ts";
import { installedServer } from "../../../server/installed_server.ts";
import { diesWithUs } from "../../../server/orphan_guard.ts";
import { bundledNode, missingParts, packageRoot, stubNode } from "../../../server/package_root.ts";
import { sentenceOf } from "./error.ts";

export type Verdict = "ok" | "note" | "missing";

/** One line of the report. "missing" makes the command fail, "note" does not. */
export interface Finding {
  what: string;
  verdict: Verdict;
  /** What was found. */
  found: string;
  /** What to do about it. */
  fix?: string;
}

const ok = (what: string, found: string): Finding => ({ what, verdict: "ok", found });
const note = (what: string, found: string, fix: string): Finding => ({ what, verdict: "note", found, fix });
const missing = (what: string, found: string, fix: string): Finding => ({ what, verdict: "missing", found, fix });

/** The first line that a command prints, or undefined when it cannot be run. */
function firstLine(command: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? ((stdout || stderr).split("\n")[0] ?? "").trim() : undefined;
}

function checkSystem(): Finding {
  const found = `${process.platform} ${os.release()} on ${process.arch}`;
  const fits = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  return fits ? ok("system", found) : missing("system", found, "Use Linux on x86-64 or arm64.");
}

function checkNode(): Finding {
  const found = `${process.versions.node} (${process.execPath})`;
  const newEnough = Number.parseInt(process.versions.node, 10) >= 20;
  return newEnough ? ok("node", found) : missing("node", found, "Install Node 20 or newer.");
}

/** The packages of Debian and Ubuntu with what our Node needs besides glibc. */
const PACKAGES: Record<string, string> = {
  "libatomic.so.1": "libatomic1",
  "libstdc++.so.6": "libstdc++6",
  "libgcc_s.so.1": "libgcc-s1",
};

/** A Node that does not run: which library the dynamic linker did not find, where it says so. */
export function unusableNode(what: string, binary: string): Finding {
  const { stderr } = spawnSync(binary, ["--version"], { encoding: "utf8", timeout: 20_000 });
  const library = /error while loading shared libraries: ([^\s:]+): cannot open/.exec(stderr ?? "")?.[1];
  if (library === undefined) {
    const fix = 'Run "npm ci" again, or set TRITON_TYPESCRIPT_NODE to another Node.';
    return missing(what, `${binary} does not run`, fix);
  }
  const place = PACKAGES[library] ? `, of the package ${PACKAGES[library]} on Debian and Ubuntu` : "";
  const fix = `Install ${library}${place}, or set TRITON_TYPESCRIPT_NODE to another Node.`;
  return missing(what, `${binary} does not run: ${library} is not installed`, fix);
}

function checkStubNode(): Finding {
  const what = "node for models";
  try {
    const binary = stubNode();
    const version = firstLine(binary, "--version");
    if (version === undefined) return unusableNode(what, binary);
    const found = `${version.replace(/^v/, "")} (${binary})`;
    return bundledNode()
      ? ok(what, found)
      : note(what, `${found}, not the bundled one`, 'Run "npm install" without --omit=optional.');
  } catch (error) {
    return missing(what, "none", sentenceOf(error));
  }
}

function checkBuild(): Finding {
  const absent = missingParts();
  if (absent.length === 0) return ok("native parts", "built");
  return missing("native parts", `${absent.join(", ")} missing`, `Run "npm run setup" in ${packageRoot}.`);
}

/** A checkout is built on the machine; an installed package brings its binaries. */
function checkTools(): Finding[] {
  if (!existsSync(`${packageRoot}/CMakeLists.txt`)) return [];
  const cmake = firstLine("cmake", "--version");
  const compiler = [process.env["CC"] ?? "cc", "gcc", "clang"]
    .map((name) => firstLine(name, "--version"))
    .find(Boolean);
  return toolFindings(cmake, compiler, missingParts().length === 0);
}

/** What is built already serves without the tools that build it. */
export function toolFindings(cmake: string | undefined, compiler: string | undefined, built: boolean): Finding[] {
  const lacking = (what: string, install: string) =>
    built
      ? note(what, "none", `Only needed to build the native parts again. ${install}`)
      : missing(what, "none", install);
  return [
    cmake ? ok("cmake", cmake) : lacking("cmake", "Install CMake 3.20 or newer (package cmake)."),
    compiler ? ok("C compiler", compiler) : lacking("C compiler", "Install gcc or clang (package build-essential)."),
  ];
}

function checkPip(needed: boolean): Finding {
  const what = "python with pip";
  const python = firstLine("python3", "--version");
  const pip = python && firstLine("python3", "-m", "pip", "--version");
  if (pip) return ok(what, `${python}, ${pip.split(" from ")[0]}`);
  const found = python ? `${python} without pip` : "none";
  const fix =
    "Install python3 and python3-pip, or set TRITON_SERVER to the tritonserver binary of an installed Triton.";
  return needed ? missing(what, found, fix) : note(what, found, "Only needed to fetch the embedded server.");
}

async function checkServer(): Promise<Finding[]> {
  const place = process.env["TRITON_SERVER"];
  if (place) {
    try {
      return [ok("Triton server", `${installedServer(place).binary} (TRITON_SERVER)`), checkPip(false)];
    } catch (error) {
      return [missing("Triton server", `TRITON_SERVER=${place}`, sentenceOf(error)), checkPip(false)];
    }
  }
  const reason = unsupported();
  if (reason !== undefined) return [missing("Triton server", "no embedded one", sentenceOf(reason)), checkPip(false)];
  const folder = placed("Triton server", embeddedFolder);
  if (typeof folder !== "string") return [folder, checkPip(true)];
  const cache = await checkCache(folder);
  if (cache.state === "sound") return [ok("Triton server", `cached and whole in ${folder}`), checkPip(false)];
  if (cache.state === "absent")
    return [note("Triton server", "not fetched yet", 'It comes with the first "triton-ts serve".'), checkPip(true)];
  return [
    note("Triton server", `${cache.file} is ${cache.what}`, '"triton-ts serve" fetches it again.'),
    checkPip(true),
  ];
}

function nearestFolder(folder: string): string {
  return existsSync(folder) ? folder : nearestFolder(folder.replace(/\/[^/]*$/, "") || "/");
}

/** A folder of the cache, or the finding that there is no place for one. */
function placed(what: string, place: () => string): string | Finding {
  try {
    return place();
  } catch (error) {
    return missing(what, "no place for it", sentenceOf(error));
  }
}

function checkDisk(): Finding {
  const folder = placed("cache folder", cacheFolder);
  if (typeof folder !== "string") return folder;
  const { bavail, bsize } = statfsSync(nearestFolder(folder));
  const free = Math.round((bavail * bsize) / 1e6);
  const found = `${folder}, ${free} MB free`;
  return free >= 400
    ? ok("cache folder", found)
    : note("cache folder", found, "The embedded server needs 400 MB; set XDG_CACHE_HOME to another disk.");
}

/** Model instances get their memory from memfd; clients on this machine may share theirs through /dev/shm. */
function checkSharedMemory(): Finding {
  if (!existsSync("/dev/shm")) {
    return note(
      "/dev/shm",
      "none",
      "Only clients that pass tensors in system shared memory need it; mount a tmpfs there.",
    );
  }
  const { bavail, bsize } = statfsSync("/dev/shm");
  const free = Math.round((bavail * bsize) / 1e6);
  if (free >= 64) return ok("/dev/shm", `${free} MB free`);
  return note(
    "/dev/shm",
    `${free} MB free`,
    "Clients that use system shared memory need more; in a container use --shm-size.",
  );
}

/** memfd_create came with Linux 3.17, pidfd_open with 5.3, PROCMAP_QUERY with 6.11. */
export function checkKernel(release = os.release()): Finding {
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  const isAtLeast = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  const found = `Linux ${release}`;
  if (!isAtLeast(5, 3)) return missing("kernel", found, "Linux 5.3 or newer is needed (pidfd_open).");
  if (isAtLeast(6, 11)) return ok("kernel", `${found} has memfd, pidfd and PROCMAP_QUERY`);
  return ok("kernel", `${found} has memfd and pidfd; inputs in clients' shared memory are copied before Linux 6.11`);
}

function checkMemoryLimit(): Finding[] {
  try {
    const text = readFileSync("/sys/fs/cgroup/memory.max", "utf8").trim();
    if (text === "max" || Number(text) >= 1e9) return [];
    return [
      note(
        "memory",
        `limited to ${Math.round(Number(text) / 1e6)} MB`,
        "Each model instance takes about 80 MB; allow 1 GB or more.",
      ),
    ];
  } catch {
    return [];
  }
}

function checkGuard(): Finding {
  if (diesWithUs()) return ok("setpriv", "the server ends with triton-ts, however that ends");
  return note(
    "setpriv",
    "none",
    "Install util-linux, so that the server also ends when triton-ts is killed with SIGKILL.",
  );
}

async function checkPorts(): Promise<Finding[]> {
  return Promise.all(
    endpointsOf([]).map(async (endpoint) => {
      const what = `port ${endpoint.port}`;
      try {
        await checkEndpoints([endpoint]);
        return ok(what, `free for ${endpoint.name}`);
      } catch (error) {
        return note(what, "taken", sentenceOf(error));
      }
    }),
  );
}

function checkFonts(): Finding {
  const has = ["/usr/share/fonts", "/usr/local/share/fonts", `${homeFolder()}/.fonts`].some(
    (folder) => existsSync(folder) && statSync(folder).isDirectory(),
  );
  return has
    ? ok("fonts", "found")
    : note("fonts", "none", "infer --save draws boxes without text; install a font (package fonts-dejavu-core).");
}

/** Everything there is to say about this machine, in the order of the report. */
export async function examine(): Promise<Finding[]> {
  return [
    checkSystem(),
    checkKernel(),
    checkNode(),
    checkStubNode(),
    ...checkTools(),
    checkBuild(),
    ...(await checkServer()),
    checkDisk(),
    checkSharedMemory(),
    ...checkMemoryLimit(),
    checkGuard(),
    checkFonts(),
    ...(await checkPorts()),
  ];
}
