// SPDX-License-Identifier: Apache-2.0
// Podman with images, containers and settings of its own below build/image, so that nothing of the user's is touched.
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { packageRoot } from "../../server/package_root.ts";
import { until } from "../../server/testing/until.ts";
import { lackIn, npmUnreachable, pipUnreachable } from "./network.ts";

export const work = path.join(packageRoot, "build", "image");
const settings = path.join(work, "containers.conf");

/** Limits that a container may have without CAP_SYS_RESOURCE, too; groups of processes without systemd. */
const settingsText = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[network]
network_config_dir = "${path.join(work, "networks")}"
`;

export const BASE = "docker.io/library/debian:bookworm-slim";
/** debootstrap fetches with wget. */
const TOOLS = ["podman", "runc", "debootstrap", "wget"];
/** A build that takes longer is given up. */
export const BUILD_LIMIT_MS = 600_000;

export function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

/** Which packages cannot be had; undefined when all can. Debian's are not asked for: what makes the base of them says so. */
export function unreachable(): string | undefined {
  const [npm, pip] = [npmUnreachable(), pipUnreachable()];
  return npm ?? pip;
}

/** Why images cannot be built here; undefined where they can. */
export function reasonToSkip(): string | undefined {
  const missing = TOOLS.filter((tool) => !isOnPath(tool));
  if (missing.length > 0) {
    return `${missing.join(", ")} not found on PATH. On Debian: apt-get install --no-install-recommends ${TOOLS.join(" ")}`;
  }
  if (process.getuid?.() !== 0) return "debootstrap makes the base of Debian's packages as root only.";
  const mount = finish("unshare", ["--mount", "true"]);
  if (mount.code !== 0) return `this root cannot mount, for want of CAP_SYS_ADMIN (${mount.output.trim()}).`;
  return unreachable();
}

export interface Finished {
  code: number;
  stdout: string;
  /** Standard output and standard error. */
  output: string;
}

/** Runs a program to its end. */
export function finish(program: string, args: readonly string[], options: SpawnSyncOptions = {}): Finished {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd: packageRoot,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    ...options,
  });
  if (error !== undefined) throw error;
  return {
    code: status ?? 128,
    stdout: String(stdout ?? ""),
    output: `${stdout ?? ""}${stderr ?? ""}${signal === null ? "" : `ended by ${signal}`}`,
  };
}

/** The command of podman with these arguments. */
export function podmanCommand(...args: string[]): string[] {
  return ["podman", "--root", path.join(work, "store"), "--runroot", path.join(work, "run"), ...args];
}

export function podmanEnvironment(): NodeJS.ProcessEnv {
  mkdirSync(work, { recursive: true });
  writeFileSync(settings, settingsText);
  return { ...process.env, CONTAINERS_CONF: settings };
}

/** Runs podman to its end, whatever that is. */
export function tryPodman(...args: string[]): Finished {
  const [program = "", ...rest] = podmanCommand(...args);
  return finish(program, rest, { env: podmanEnvironment() });
}

/** The standard output of podman, which says on the other that there is no systemd to ask for health. Throws when it fails. */
export function podman(...args: string[]): string {
  const { code, stdout, output } = tryPodman(...args);
  if (code !== 0) throw new Error(`podman ${args.join(" ")} ended with ${code}:\n${output}`);
  return stdout;
}

/** A program that failed for want of something that this machine, or its network, lacks. */
export class Lack extends Error {}

/** How long a build may take: no longer than until IMAGES_UNTIL, in seconds since 1970, where that is set. */
function buildTime(): number {
  const until = Number(process.env["IMAGES_UNTIL"] || Number.POSITIVE_INFINITY);
  return Math.min(BUILD_LIMIT_MS, until * 1000 - Date.now());
}

/** Runs a program that takes minutes, and needs packages. Throws Lack when there is no time or no network, else when it fails. */
export async function succeedInTime(command: readonly string[]): Promise<void> {
  const limit = buildTime();
  const late = `there was no time left for ${command.slice(0, 6).join(" ")} ...`;
  if (limit <= 0) throw new Lack(late);
  const signal = AbortSignal.timeout(limit);
  try {
    await succeed(command, signal);
  } catch (error) {
    if (signal.aborted) throw new Lack(late);
    const lack = lackIn(String(error));
    throw lack === undefined ? error : new Lack(lack);
  }
}

/** Runs a program that takes seconds or minutes. Throws when it fails, or is ended by the signal. */
export async function succeed(command: readonly string[], signal?: AbortSignal): Promise<void> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: packageRoot,
    env: podmanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal && { signal }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${output}`);
}

/** Builds an image in the way of a machine that has no registry. Throws Lack when it is no fault of the image. */
export async function build(tag: string, ...args: string[]): Promise<void> {
  const options = ["--format", "docker", "--pull-never", "--isolation", "chroot", "--tag", tag];
  const started = Date.now();
  await succeedInTime(podmanCommand("build", ...options, ...args));
  console.error(`${tag} built in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** The same in a test, which is skipped for a lack. */
export async function buildOrSkip(
  context: { skip(note: string): never },
  tag: string,
  ...args: string[]
): Promise<void> {
  await orSkip(context, () => build(tag, ...args));
}

/** Skips a test for a lack of what is done. */
export async function orSkip(context: { skip(note: string): never }, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Lack)) throw error;
    console.error(`No image is built here: ${error.message}`);
    context.skip(error.message);
  }
}

/** Removes all containers, images, layers and what else lies below build/image, but for what is named. */
export async function removeAll(...kept: string[]): Promise<void> {
  if (!existsSync(work)) return;
  tryPodman("rm", "--force", "--all", "--time", "0");
  // What an interrupted run has left mounted cannot be removed.
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const ours = mounts.map((line) => line.split(" ")[1] ?? "").filter((place) => place.startsWith(`${work}/`));
  for (const place of ours.reverse()) finish("umount", [place]);
  const names = readdirSync(work).filter((name) => !kept.includes(name));
  await Promise.all(names.map((name) => rm(path.join(work, name), { recursive: true, force: true })));
}

/** As little as a container can have: no capability, nothing to write on, the /dev/shm that every container gets. */
export const CONFINED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"];

/** The options of `podman run` for a container with a name; on the host's network unless they name another. */
export function runOptions(name: string, ...options: string[]): string[] {
  const network = options.includes("--network") ? [] : ["--network", "host"];
  return ["--name", name, ...network, "--security-opt", "no-new-privileges", ...CONFINED, ...options];
}

/** A container in the background. */
export class Container {
  readonly name: string;

  constructor(name: string, image: string, options: readonly string[], args: readonly string[]) {
    this.name = name;
    podman("run", "--detach", ...runOptions(name, ...options), image, ...args);
  }

  logs(): string {
    return tryPodman("logs", this.name).output;
  }

  /** One value of `podman inspect`. */
  inspect(format: string): string {
    return podman("inspect", "--format", format, this.name).trim();
  }

  /** What a program inside prints. */
  exec(...command: string[]): string {
    return podman("exec", this.name, ...command).trim();
  }

  isHealthy(): boolean {
    return tryPodman("healthcheck", "run", this.name).code === 0;
  }

  untilHealthy(): Promise<void> {
    return this.until(() => this.isHealthy(), "its health check");
  }

  /** Waits for a condition, with the container's log in the error. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const holds = () => {
      if (this.hasEnded()) throw new Error("It has ended.");
      return condition();
    };
    await until(holds, what, 120_000).catch((error: Error) => {
      throw new Error(`The container ${this.name}: ${error.message}\n${this.logs()}`);
    });
  }

  hasEnded(): boolean {
    return this.inspect("{{.State.Status}}") === "exited";
  }

  /** Its processes: number on the host, state and name of each. */
  processes(): { host: number; state: string; name: string }[] {
    const [, ...lines] = podman("top", this.name, "hpid", "state", "comm").trim().split("\n");
    return lines.map((line) => {
      const [host, state = "", name = ""] = line.trim().split(/\s+/);
      return { host: Number(host), state, name };
    });
  }

  // While these two wait, the connections of clients in this process are closed, for which the server waits.
  async restart(): Promise<void> {
    await succeed(podmanCommand("restart", "--time", "60", this.name));
  }

  /** Asks it to stop, and gives its exit code: 137 when it had to be killed. */
  async stop(): Promise<number> {
    await succeed(podmanCommand("stop", "--time", "60", this.name));
    return this.exitCode();
  }

  exitCode(): number {
    return Number(this.inspect("{{.State.ExitCode}}"));
  }

  remove(): void {
    tryPodman("rm", "--force", "--time", "0", this.name);
  }
}

/** Containers of one test, which are removed after it. */
export class Containers {
  #all: Container[] = [];

  start(name: string, image: string, options: readonly string[], args: readonly string[]): Container {
    const container = new Container(name, image, options, args);
    this.#all.push(container);
    return container;
  }

  removeAll(): void {
    for (const container of this.#all) container.remove();
    this.#all = [];
  }
}
