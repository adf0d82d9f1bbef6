// SPDX-License-Identifier: Apache-2.0
// docker/Dockerfile.cpu, built and used. Each container is as confined as one can be: read-only, without capabilities, as a user
// that is not root, with the /dev/shm that containers get.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { GrpcClient, HttpClient, Tensor } from "../../client/index.ts";
import { packageRoot } from "../../server/package_root.ts";
import { freePorts } from "../../server/ports.ts";
import { FakeRobot, ModuleProcess, until } from "../../viam-module/testing/robot.ts";
import { addModel } from "../e2e/harness/repository.ts";
import { fetchOnce } from "../e2e/harness/server.ts";
import { ensureBase } from "./debian_base.ts";
import {
  build,
  CONFINED,
  Container,
  podman,
  podmanCommand,
  podmanEnvironment,
  reasonToSkip,
  runOptions,
  work,
} from "./podman.ts";

const IMAGE = "localhost/triton-typescript:cpu";
const BUILD_STAGE = "localhost/triton-typescript:cpu-build";
const FLOATS = Float32Array.from({ length: 16 }, (_, i) => i);

const echo = {
  name: "echo",
  config: `backend: "typescript"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]
`,
  files: {
    "1/model.ts": `import { InferenceResponse } from "triton-typescript";
export default class Echo {
  execute(requests) {
    return requests.map((request) => new InferenceResponse([request.input("IN", "FP32").renamed("OUT")]));
  }
}
`,
  },
};

const reason = reasonToSkip();
if (reason !== undefined) console.error(`No image is built here: ${reason}`);

let folder: string;
let containers: Container[] = [];

function start(name: string, options: readonly string[], args: readonly string[]): Container {
  const container = new Container(name, IMAGE, options, args);
  containers.push(container);
  return container;
}

/** Arguments for ports that nobody has, and clients for them. */
async function endpoints() {
  const [http = 0, grpc = 0, metrics = 0] = await freePorts(3);
  return {
    args: ["--http-port", `${http}`, "--grpc-port", `${grpc}`, "--metrics-port", `${metrics}`],
    // A connection that is kept would hold up the stop for its whole time.
    http: new HttpClient({ url: `http://127.0.0.1:${http}`, fetch: fetchOnce }),
    grpc: new GrpcClient({ url: `127.0.0.1:${grpc}` }),
  };
}

beforeAll(async () => {
  if (reason !== undefined) return;
  podmanEnvironment();
  await ensureBase();
  // The stage has a name so that what it was made of is kept for the next time when the leftovers go.
  await build(BUILD_STAGE, "--file", "docker/Dockerfile.cpu", "--target", "build", ".");
  await build(IMAGE, "--file", "docker/Dockerfile.cpu", "--build-arg", "REVISION=test", ".");
  podman("image", "prune", "--force");
  folder = mkdtempSync(path.join(work, "models-"));
  chmodSync(folder, 0o777);
  for (const model of ["counter", echo]) addModel(folder, model);
}, 600_000);

afterEach(() => {
  for (const container of containers) container.remove();
  containers = [];
});

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function addSub(client: GrpcClient | HttpClient): Promise<void> {
  const inputs = ["INPUT0", "INPUT1"].map((name) => new Tensor(name, FLOATS, [1, 16]));
  const answer = await client.infer("add_sub", inputs);
  expect(answer.output("OUTPUT0", "FP32").data).toEqual(FLOATS.map((value) => 2 * value));
}

describe.skipIf(reason !== undefined)("the image", () => {
  test("says what it is, who it runs as and how its health is checked", () => {
    const { Config } = JSON.parse(podman("image", "inspect", "--format", "json", IMAGE))[0];
    expect(Config.User).toBe("1000:1000");
    expect(Config.Labels).toMatchObject({
      "org.opencontainers.image.title": "triton-typescript",
      "org.opencontainers.image.revision": "test",
    });
    expect(Object.keys(Config.ExposedPorts)).toEqual(["8000/tcp", "8001/tcp", "8002/tcp"]);
    expect(podman("image", "inspect", "--format", "{{.HealthCheck.Test}}", IMAGE)).toContain("healthcheck");
  });

  test("has no tools for building, and runs other programs, too", () => {
    const found = podman(
      "run",
      "--rm",
      ...CONFINED,
      IMAGE,
      "sh",
      "-c",
      "for name in gcc cmake npm python3 node; do command -v $name; done; exit 0",
    );
    expect(found.trim()).toBe("/usr/local/bin/node");
  });
});

describe.skipIf(reason !== undefined)("a container without arguments for models", () => {
  test("serves the examples, is restarted, and stops cleanly", async () => {
    const { args, http, grpc } = await endpoints();
    const container = start("examples", [], args);
    await container.untilHealthy();
    await addSub(http);
    await addSub(grpc);
    // sharp and onnxruntime-node, whose own libraries the image must have.
    const picture = readFileSync(path.join(packageRoot, "test", "pictures", "stop_sign.jpg"));
    const read = await http.infer("ocr", [new Tensor("IMAGE", picture, [picture.length])]);
    expect(read.output("TEXT", "BYTES").strings()).toContain("STOP");

    container.restart();
    await container.untilHealthy();
    await addSub(http);
    await addSub(grpc);
    grpc.close();
    expect(container.stop(), container.logs()).toBe(0);
  });
});

describe.skipIf(reason !== undefined)("a container with the user's models", () => {
  test("serves them as a user without a name, home or place to write", async () => {
    const { args, http, grpc } = await endpoints();
    const user = ["--user", "54321:54321", "--volume", `${folder}:/models:ro`];
    const container = start("models", user, args);
    await container.untilHealthy();
    expect(container.exec("id", "-u")).toBe("54321");
    expect((await grpc.repositoryIndex()).map(({ name }) => name).sort()).toEqual(["counter", "echo"]);

    // More than the whole /dev/shm of a container.
    const shm = container.exec("df", "--output=size", "--block-size=1", "/dev/shm");
    const large = new Float32Array(24 * 1024 * 1024).fill(3);
    expect(large.byteLength).toBeGreaterThan(Number(shm.split("\n").at(-1)));
    const { data } = (await http.infer("echo", [new Tensor("IN", large, [large.length])])).output("OUT", "FP32");
    expect(data.length).toBe(large.length);
    expect(data.every((value) => value === 3)).toBe(true);
    grpc.close();
    expect(container.stop(), container.logs()).toBe(0);
  });

  test("ends when the server is killed, and starts again without zombies", async () => {
    const { args, grpc } = await endpoints();
    const container = start("killed", ["--volume", `${folder}:/models:ro`], args);
    await container.untilHealthy();
    const processes = () =>
      podman("top", container.name, "hpid", "pid", "state", "comm")
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.trim().split(/\s+/));
    const before = processes();
    const server = before.find(([, , , name]) => name?.startsWith("tritonserver"));
    expect(server).toBeDefined();
    // The server itself: what it leaves behind goes to the first process of the container.
    process.kill(Number(server![0]), "SIGKILL");
    await until(() => container.inspect("{{.State.Status}}") === "exited", "the container to end", 60_000);
    expect(Number(container.inspect("{{.State.ExitCode}}"))).not.toBe(0);
    expect(container.logs()).toContain("The Triton server ended by itself (SIGKILL)");

    podman("start", container.name);
    await container.untilHealthy();
    expect((await grpc.repositoryIndex()).every(({ state }) => state === "READY")).toBe(true);
    expect(processes().filter(([, , state]) => state === "Z")).toEqual([]);
    grpc.close();
  });

  test("is not healthy while a model does not load", async () => {
    const broken = mkdtempSync(path.join(work, "broken-"));
    try {
      chmodSync(broken, 0o755);
      addModel(broken, {
        name: "broken",
        config: echo.config,
        files: { "1/model.ts": "throw new Error('on purpose');" },
      });
      const { args, grpc } = await endpoints();
      const container = start("broken", ["--volume", `${broken}:/models:ro`], args);
      await until(() => container.logs().includes("on purpose"), "the model to fail", 120_000);
      await until(() => grpc.isLive().catch(() => false), "the server to answer", 60_000);
      expect(container.isHealthy()).toBe(false);
      grpc.close();
      expect(container.stop(), container.logs()).toBe(0);
    } finally {
      rmSync(broken, { recursive: true, force: true });
    }
  });
});

describe.skipIf(reason !== undefined)("a container with the address of a robot", () => {
  test("is the Viam module", async () => {
    const robot = new FakeRobot();
    await robot.listen();
    for (const place of [robot.folder, robot.address]) chmodSync(place, 0o777);
    const name = "viam";
    const address = path.join(robot.folder, "module.sock");
    const options = ["--volume", `${robot.folder}:${robot.folder}`, "--volume", `${folder}:/models:ro`];
    const command = podmanCommand("run", "--rm", ...runOptions(name, ...options), IMAGE);
    const module = new ModuleProcess(address, { command, env: podmanEnvironment() });
    try {
      await module.untilReady(robot.address);
      await module.client.add("numbers", { model_name: "echo", model_repository_path: "/models" });
      const value = { shape: [2n], tensor: { case: "floatTensor" as const, value: { data: [1, 2] } } };
      const answer = await module.client.infer("numbers", { IN: value });
      expect(answer["OUT"]?.tensor.value).toMatchObject({ data: [1, 2] });
      expect(podman("healthcheck", "run", name).trim()).toBe("");
      // As a robot ends it, which reaches the container through podman.
      expect(await module.stop()).toEqual({ code: 0, signal: null });
    } finally {
      module.child.kill("SIGKILL");
      podman("rm", "--force", "--ignore", name);
      robot.close();
    }
  });
});
