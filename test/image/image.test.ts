// SPDX-License-Identifier: Apache-2.0
// The image of docker/Dockerfile.cpu, used. Each container is as confined as one can be: read-only, without capabilities, as a
// user that is not root, with the /dev/shm that containers get.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { Tensor } from "../../client/index.ts";
import { packageRoot } from "../../server/package_root.ts";
import { until } from "../../server/testing/until.ts";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { addModel } from "../e2e/harness/repository.ts";
import { IMAGE } from "./images.ts";
import { CONFINED, Containers, podman, podmanCommand, podmanEnvironment, runOptions, work } from "./podman.ts";
import { endpoints, expectSum, SUM_ARGUMENTS, SUM_PRINTED } from "./served.ts";

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

const skipped = inject("noImages") !== "";
const containers = new Containers();
let folder: string;

const start = (name: string, options: readonly string[], args: readonly string[]) =>
  containers.start(name, IMAGE, options, args);

beforeAll(() => {
  if (skipped) return;
  folder = mkdtempSync(path.join(work, "models-"));
  chmodSync(folder, 0o777);
  for (const model of ["counter", echo]) addModel(folder, model);
});

afterEach(() => containers.removeAll());

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(skipped)("the image", () => {
  test("says what it is, who it runs as and how its health is checked", () => {
    const { Config } = JSON.parse(podman("image", "inspect", "--format", "json", IMAGE))[0];
    const { version } = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8"));
    expect(Config.User).toBe("1000:1000");
    expect(Config.Labels).toMatchObject({
      "org.opencontainers.image.title": "triton-typescript",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.revision": "test",
    });
    expect(Object.keys(Config.ExposedPorts)).toEqual(["8000/tcp", "8001/tcp", "8002/tcp"]);
    expect(podman("image", "inspect", "--format", "{{.HealthCheck.Test}}", IMAGE)).toContain("healthcheck");
  });

  test("has no tools for building, runs other programs, too, and has what was compiled while it was built", () => {
    const program = `for name in gcc cmake npm python3 node; do command -v $name; done
ls $XDG_CACHE_HOME/triton-typescript/compile
find $XDG_CACHE_HOME ! -user 0
exit 0`;
    const found = podman("run", "--rm", ...CONFINED, IMAGE, "sh", "-c", program)
      .trim()
      .split("\n");
    // The second folder is of Node itself, for the user that most containers run as.
    expect(found).toEqual(["/usr/local/bin/node", "ahead", expect.stringMatching(/^v\d.*-1000$/)]);
  });
});

describe.skipIf(skipped)("a container without arguments for models", () => {
  test("serves the examples, is restarted, and stops cleanly", async () => {
    const { args, http, grpc } = await endpoints();
    const container = start("examples", [], args);
    await container.untilHealthy();
    await expectSum(http);
    await expectSum(grpc);
    // sharp and onnxruntime-node, whose own libraries the image must have.
    const picture = readFileSync(path.join(packageRoot, "test", "pictures", "stop_sign.jpg"));
    const read = await http.infer("ocr", [new Tensor("IMAGE", picture, [picture.length])]);
    expect(read.output("TEXT", "BYTES").strings()).toContain("STOP");

    await container.restart();
    await container.untilHealthy();
    await expectSum(http);
    await expectSum(grpc);
    grpc.close();
    expect(await container.stop(), container.logs()).toBe(0);
  });

  test("needs no network, takes the children of others, and ends at Ctrl-C", async () => {
    const container = start("alone", ["--network", "none"], []);
    await container.untilHealthy();
    expect(container.exec("triton-ts", "infer", ...SUM_ARGUMENTS)).toContain(SUM_PRINTED);

    // A child whose parent has ended goes to the first process. When that does not ask how it ended, it stays, as a zombie.
    const orphan = container.exec("sh", "-c", "sleep 600 > /dev/null 2>&1 & echo $!");
    expect(container.processes().map(({ name }) => name)).toContain("sleep");
    container.exec("sh", "-c", `kill ${orphan}`);
    await container.until(() => !container.processes().some(({ name }) => name === "sleep"), "the child to be gone");

    podman("kill", "--signal", "INT", container.name);
    await until(() => container.hasEnded(), "the container to end", 60_000);
    expect(container.exitCode(), container.logs()).toBe(0);
  });
});

describe.skipIf(skipped)("a container with the user's models", () => {
  test("serves them as a user without a name, home or place to write", async () => {
    const { args, http, grpc } = await endpoints();
    const user = ["--user", "54321:54321", "--env", "HOME=/nonexistent", "--volume", `${folder}:/models:ro`];
    const container = start("models", user, args);
    await container.untilHealthy();
    expect(container.exec("id", "-u")).toBe("54321");
    const places =
      "for place in / /tmp /workspace /models $XDG_CACHE_HOME $HOME; do test -w $place && echo $place; done; exit 0";
    expect(container.exec("sh", "-c", places)).toBe("");
    expect((await grpc.repositoryIndex()).map(({ name }) => name).sort()).toEqual(["counter", "echo"]);

    // More than the whole /dev/shm of a container.
    const shm = container.exec("df", "--output=size", "--block-size=1", "/dev/shm");
    const large = new Float32Array(24 * 1024 * 1024).fill(3);
    expect(large.byteLength).toBeGreaterThan(Number(shm.split("\n").at(-1)));
    const { data } = (await http.infer("echo", [new Tensor("IN", large, [large.length])])).output("OUT", "FP32");
    expect(data.length).toBe(large.length);
    expect(data.every((value) => value === 3)).toBe(true);
    grpc.close();
    expect(await container.stop(), container.logs()).toBe(0);
  });

  test("ends when the server is killed, and starts again without zombies", async () => {
    const { args, grpc } = await endpoints();
    const container = start("killed", ["--volume", `${folder}:/models:ro`], args);
    await container.untilHealthy();
    const server = container.processes().find(({ name }) => name.startsWith("tritonserver"));
    expect(server).toBeDefined();
    // The server itself: what it leaves behind goes to the first process of the container.
    process.kill(server!.host, "SIGKILL");
    await until(() => container.hasEnded(), "the container to end", 60_000);
    expect(container.exitCode()).not.toBe(0);
    expect(container.logs()).toContain("The Triton server ended by itself (SIGKILL)");

    podman("start", container.name);
    await container.untilHealthy();
    expect((await grpc.repositoryIndex()).every(({ state }) => state === "READY")).toBe(true);
    expect(container.processes().filter(({ state }) => state === "Z")).toEqual([]);
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
      await container.until(() => container.logs().includes("on purpose"), "the model to fail");
      await container.until(() => grpc.isLive().catch(() => false), "the server to answer");
      expect(container.isHealthy()).toBe(false);
      grpc.close();
      expect(await container.stop(), container.logs()).toBe(0);
    } finally {
      rmSync(broken, { recursive: true, force: true });
    }
  });
});

describe.skipIf(skipped)("a container with the address of a robot", () => {
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
