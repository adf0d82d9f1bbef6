// SPDX-License-Identifier: Apache-2.0
// Podman with images, containers and settings of its own below build/image, so that nothing of the user's is touched.
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../../server/package_root.ts";
import { until } from "../../viam-module/testing/robot.ts";

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
`;

export const BASE = "docker.io/library/debian:bookworm-slim";
const TOOLS = ["podman", "runc", "debootstrap"];

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

/** Why images cannot be built here; undefined where they can. */
export function reasonToSkip(): string | undefined {
  const missing = TOOLS.filter((tool) => !isOnPath(tool));
  if (missing.length > 0) {
    return `${missing.join(", ")} not found on PATH. On Debian: apt-get install --no-install-recommends ${TOOLS.join(" ")}`;
  }
  if (process.getuid?.() !== 0) return "debootstrap makes the base of Debian's packages as root only.";
  return undefined;
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
  await succeed(podmanCommand("build", ...options, ...args));
}

/** As little as a container can have: no capability, nothing to write on, the /dev/shm that every container gets. */
export const CONFINED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"];
const ALWAYS = ["--network", "host", "--security-opt", "no-new-privileges"];

/** The options of `podman run` for a container with a name. */
export function runOptions(name: string, ...options: string[]): string[] {
  return ["--name", name, ...ALWAYS, ...CONFINED, ...options];
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

  async untilHealthy(): Promise<void> {
    const healthy = () => {
      if (this.inspect("{{.State.Status}}") === "exited") throw new Error(`The container has ended:\n${this.logs()}`);
      return this.isHealthy();
    };
    await until(healthy, `the health check of ${this.name}`, 120_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.logs()}`);
    });
  }

  restart(): void {
    podman("restart", "--time", "60", this.name);
  }

  /** Asks it to stop, and gives its exit code: 137 when it had to be killed. */
  stop(): number {
    podman("stop", "--time", "60", this.name);
    return Number(this.inspect("{{.State.ExitCode}}"));
  }

  remove(): void {
    tryPodman("rm", "--force", "--time", "0", this.name);
  }
}
