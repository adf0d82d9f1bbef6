// SPDX-License-Identifier: Apache-2.0
// The module asked by Viam's own SDKs: the Python one at its socket, and the TypeScript one through what viam-server does for
// clients of HTTP/1.1.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { MLModelClient, RobotClient } from "@viamrobotics/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeRepository as makeExamples } from "../../examples/viam/make.ts";
import { packageRoot, stubNode } from "../../server/package_root.ts";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { picturesFolder } from "../ocr/accuracy.ts";
import { type GrpcWebBridge, grpcWebBridge } from "./harness/grpc_web.ts";
import { makeRepository } from "./harness/index.ts";
import { ensurePython, viamPackages } from "./harness/python_environment.ts";
import { pictureModel } from "./harness/viam_models.ts";

const run = promisify(execFile);
const repository = makeRepository(["identity", pictureModel]);
const examples = mkdtempSync(path.join(os.tmpdir(), "viam-examples-"));
let robot: FakeRobot;
let module: ModuleProcess;
let bridge: GrpcWebBridge;

beforeAll(async () => {
  makeExamples(examples);
  robot = new FakeRobot();
  await robot.listen();
  module = new ModuleProcess(path.join(robot.folder, "m.sock"));
  await module.untilReady(robot.address);
  const models: [string, string, string][] = [
    ["all", "identity", repository],
    ["picture", "picture", repository],
    ["sign-reader", "sign_reader", examples],
  ];
  for (const [name, model, folder] of models) {
    await module.client.add(name, { model_name: model, model_repository_path: folder, bytes_outputs: "json" });
  }
  bridge = await grpcWebBridge(`unix:${module.address}`);
});

afterAll(async () => {
  bridge.close();
  await module.stop();
  robot.close();
  for (const folder of [repository, examples]) rmSync(folder, { recursive: true });
});

test("Python: all kinds of tensors, a large picture, metadata, status, and a mistake", async () => {
  await module.client.reconfigure("all", { model_name: "identity", model_repository_path: repository });
  const python = await ensurePython(viamPackages);
  const driver = path.join(packageRoot, "test", "e2e", "python", "viam_client.py");
  const { stdout } = await run(python, [driver, module.address, "all", "picture"]);
  expect(JSON.parse(stdout)).toEqual({
    kinds: [
      ...["INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "FP32", "FP64"],
      ...["BOOL", "FP16", "BF16"],
    ],
    picture: true,
    mistake: ["INVALID_ARGUMENT", expect.stringContaining('Did you mean "image"?')],
    inputs: [["image", "uint8", [1, -1, -1, 3]]],
    status: expect.objectContaining({ model: "picture", calls: 2 }),
  });
});

describe("TypeScript", () => {
  test("metadata and a picture", async () => {
    const client = new RobotClient();
    await client.dial({ host: bridge.url, disableSessions: true, noReconnect: true });
    const model = new MLModelClient(client, "picture");
    const { metadata } = await model.metadata();
    expect(metadata?.inputInfo[0]).toMatchObject({ name: "image", dataType: "uint8", shape: [1, -1, -1, 3] });
    const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => i);
    const tensors = { image: { shape: [1n, 4n, 2n, 3n], tensor: { case: "uint8Tensor", value: { data } } } };
    const { outputTensors } = await model.infer({ tensors } as unknown as Parameters<typeof model.infer>[0]);
    expect([...outputTensors!.tensors["copy"]!.tensor.value!.data]).toEqual([...data]);
    await expect(model.infer({ tensors: {} } as never)).rejects.toThrow(/"image" is missing/);
    await client.disconnect();
  });

  test("the example's client reads a sign", async () => {
    const script = path.join(packageRoot, "examples", "viam", "client.ts");
    const { stdout } = await run(stubNode(), [script, bridge.url, path.join(picturesFolder, "stop_sign.jpg")]);
    expect(stdout).toMatch(/^\d+ % {2}STOP {2}\[\d+, \d+, \d+, \d+\]$/m);
  });
});
