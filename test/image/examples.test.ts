// SPDX-License-Identifier: Apache-2.0
// docker/examples on top of the image, and docker/Dockerfile on top of a stand-in for NVIDIA's image.
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, inject, test } from "vitest";
import { Tensor } from "../../client/index.ts";
import { packageRoot } from "../../server/package_root.ts";
import { buildExistingTriton, EXISTING_TRITON } from "./existing_triton.ts";
import { IMAGE, TOOLS } from "./images.ts";
import { BUILD_LIMIT_MS, buildOrSkip, Containers, orSkip, podman, tryPodman } from "./podman.ts";
import { endpoints, expectSum } from "./served.ts";

const skipped = inject("noImages") !== "";
const examples = "docker/examples";
/** Builds are part of these tests. */
const LONG = { timeout: 2 * BUILD_LIMIT_MS + 300_000 };
const containers = new Containers();

afterEach(() => containers.removeAll());

describe.skipIf(skipped)("a project of its own on top of the image", () => {
  const PROJECT = "localhost/my-models:latest";

  test("serves its models with the packages that they import", LONG, async (context) => {
    await buildOrSkip(
      context,
      PROJECT,
      "--build-arg",
      `IMAGE=${IMAGE}`,
      "--build-arg",
      `TOOLS=${TOOLS}`,
      `${examples}/project`,
    );
    const { args, http, grpc } = await endpoints();
    const container = containers.start("project", PROJECT, ["--user", "54321:54321"], args);
    await container.untilHealthy();
    const texts = ["The house stands at the end of a long street", "Das Haus steht am Ende einer langen Straße"];
    const answer = await http.infer("language", [new Tensor("TEXT", texts, [2, 1])]);
    expect(answer.output("LANGUAGE", "BYTES").strings()).toEqual(["eng", "deu"]);
    expect(container.exec("ls", "node_modules").split("\n")).not.toContain("@types");
    grpc.close();
    expect(await container.stop(), container.logs()).toBe(0);
  });
});

describe.skipIf(skipped)("an image with a Triton that is there already", () => {
  const WITH_BACKEND = "localhost/my-triton:latest";
  const OURS = "localhost/triton-typescript:on-existing";
  const headers = process.env["TRITON_INCLUDE_DIR"];

  test("serves models in TypeScript once it has the backend", LONG, async (context) => {
    await orSkip(context, buildExistingTriton);
    const options = ["--build-arg", `IMAGE=${EXISTING_TRITON}`, "--build-arg", `TRITON_TYPESCRIPT=${IMAGE}`];
    await buildOrSkip(context, WITH_BACKEND, ...options, `${examples}/backend`);
    const { args, http, grpc } = await endpoints();
    const models = path.join(packageRoot, "model_repository", "add_sub");
    const mounted = ["--user", "1000:1000", "--volume", `${models}:/models/add_sub:ro`];
    const command = ["tritonserver", "--model-repository=/models", ...args];
    const container = containers.start("backend", WITH_BACKEND, mounted, command);
    await container.until(() => http.isReady().catch(() => false), "the server to be ready");
    await expectSum(http);
    await expectSum(grpc);
    grpc.close();
    expect(await container.stop(), container.logs()).toBe(0);
  });

  test("is what docker/Dockerfile starts from, with the official headers in it", LONG, async (context) => {
    context.skip(!headers, "TRITON_INCLUDE_DIR names no folder with Triton's official headers");
    await orSkip(context, buildExistingTriton);
    await buildOrSkip(context, OURS, "--file", "docker/Dockerfile", "--build-arg", `TRITON=${EXISTING_TRITON}`, ".");
    const { args, http, grpc } = await endpoints();
    const container = containers.start("nvidia", OURS, [], args);
    await container.untilHealthy();
    await expectSum(http);
    await expectSum(grpc);
    grpc.close();
    expect(await container.stop(), container.logs()).toBe(0);
  });
});

/** What the test needs of docker/examples/network/compose.yaml, read line by line: no reader of YAML comes with Node. */
function compose() {
  const text = readFileSync(path.join(packageRoot, examples, "network", "compose.yaml"), "utf8");
  const command = [...text.slice(text.indexOf("    command:")).matchAll(/^ {6}- (.*)$/gm)].map(([, part = ""]) => part);
  const services = [...text.slice(0, text.indexOf("\nnetworks:")).matchAll(/^ {2}(\w+):$/gm)].map(
    ([, name = ""]) => name,
  );
  return { command, services, network: /^ {2}models: \{ name: ([\w-]+) \}$/m.exec(text)?.[1] };
}

describe.skipIf(skipped)("a network of several containers", () => {
  const { command, services, network } = compose();
  afterAll(() => {
    if (!skipped && network !== undefined) tryPodman("network", "rm", "--force", network);
  });

  test("another container reaches the server by its name", async (context) => {
    expect(services).toEqual(["triton", "client"]);
    if (network === undefined) throw new Error("The network of compose.yaml has no name.");
    tryPodman("network", "rm", "--force", network);
    const made = tryPodman("network", "create", network);
    if (made.code !== 0) context.skip(`podman makes no network here: ${made.output}`);
    const models = path.join(packageRoot, "model_repository");
    const options = ["--network", network, "--volume", `${models}:/models:ro`];
    const server = containers.start("triton", IMAGE, options, []);
    await server.untilHealthy();
    // Docker has names on its networks, and so has podman with aardvark-dns; here the name is written down.
    const address = server.inspect(`{{(index .NetworkSettings.Networks "${network}").IPAddress}}`);
    const client = [
      "--rm",
      "--network",
      network,
      "--add-host",
      `triton:${address}`,
      "--read-only",
      "--cap-drop",
      "ALL",
    ];
    const sums = Array.from({ length: 16 }, (_, i) => i + 2).join(", ");
    expect(podman("run", ...client, IMAGE, ...command)).toContain(`OUTPUT0 FP32 [1, 16]: ${sums}`);
    expect(await server.stop(), server.logs()).toBe(0);
  });
});
