// SPDX-License-Identifier: Apache-2.0
// The module as a robot starts it, with a fake robot as its parent. No Triton is needed for any of this.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { serviceDefinition } from "../proto/service_definition.ts";
import { packageRoot } from "../server/package_root.ts";
import { freePorts } from "../server/ports.ts";
import { descendants } from "../server/processes.ts";
import { until } from "../server/testing/until.ts";
import { FakeRobot, ModuleProcess, type ModuleProcessOptions } from "./testing/robot.ts";

// Each test starts programs, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let robot: FakeRobot;
const modules: ModuleProcess[] = [];

function start(options?: ModuleProcessOptions, address = path.join(robot.folder, "module.sock")): ModuleProcess {
  const module = new ModuleProcess(address, options);
  modules.push(module);
  return module;
}

beforeEach(async () => {
  robot = new FakeRobot();
  await robot.listen();
});

afterEach(async () => {
  for (const module of modules.splice(0)) {
    module.client.close();
    if (module.child.exitCode === null) module.child.kill("SIGKILL");
    await module.ended;
  }
  robot.close();
});

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

/** Asks one thing of the reflection service, on a stream of its own. */
async function reflect(
  module: ModuleProcess,
  messageRequest: Question,
): Promise<ServerReflectionResponse["messageResponse"]> {
  const {
    path: method,
    requestSerialize,
    responseDeserialize,
  } = serviceDefinition(ServerReflection).serverReflectionInfo;
  const call = module.client.grpc.makeBidiStreamRequest(method, requestSerialize, responseDeserialize);
  call.write({ messageRequest });
  call.end();
  const [answer] = (await once(call, "data")) as [ServerReflectionResponse];
  call.resume();
  return answer.messageResponse;
}

test("Ready names the model and its service; the log goes to the robot, an entry each", async () => {
  const module = start({ args: ["--log-level=debug"] });
  await module.untilReady();
  const { ready, handlermap } = await module.client.ready(robot.address);
  expect(ready).toBe(true);
  expect(handlermap!.handlers).toMatchObject([
    {
      subtype: {
        subtype: { namespace: "rdk", type: "service", subtype: "mlmodel" },
        protoService: "viam.service.mlmodel.v1.MLModelService",
      },
      models: ["viam:mlmodelservice:triton"],
    },
  ]);
  expect(await module.stop()).toEqual({ code: 0, signal: null });
  const stops = robot.entries.find(({ message }) => message === "The module stops: SIGTERM.");
  expect(stops).toMatchObject({ level: "info", loggerName: "triton-typescript" });
  expect(Number(stops!.time!.seconds)).toBeGreaterThan(1.7e9);
  expect(module.output()).not.toContain("The module stops");
  expect(module.output()).toContain("DEBUG triton-typescript: The module listens at"); // before it knew the robot
});

describe("a module that runs", () => {
  let module: ModuleProcess;
  beforeAll(async () => {
    module = new ModuleProcess(path.join(mkdtempSync(path.join(os.tmpdir(), "module-")), "module.sock"));
    await module.untilReady();
  });
  afterAll(async () => {
    await module.stop();
    rmSync(path.dirname(module.address), { recursive: true });
  });

  test("a large message need not wait for leave at every 64 KiB", async () => {
    const session = connect("http://module", { createConnection: () => net.connect(module.address) });
    try {
      const headers = { ":method": "POST", ":path": "/viam.module.v1.ModuleService/Ready", te: "trailers" };
      session.request({ ...headers, "content-type": "application/grpc" });
      await until(() => (session.remoteSettings.initialWindowSize ?? 0) > 2 ** 22, "a larger window for each call");
      await until(() => (session.state.remoteWindowSize ?? 0) > 2 ** 22, "a larger window for the connection");
    } finally {
      session.destroy();
    }
  });

  test("ValidateConfig names what is wrong with the nearest right name", async () => {
    const { dependencies, optionalDependencies } = await module.client.validate("m", {
      model_name: "m",
      model_repository_path: "/nowhere",
    });
    expect({ dependencies, optionalDependencies }).toEqual({ dependencies: [], optionalDependencies: [] });
    await expect(module.client.validate("m", { modelname: "m", model_repository_path: "/r" })).rejects.toMatchObject({
      code: 3,
      details: expect.stringContaining('There is no attribute "modelname". Did you mean "model_name"?'),
    });
  });

  test("what a resource cannot be made of is told at AddResource, and its name stays free", async () => {
    const attributes = { model_name: "m", model_repository_path: path.join(robot.folder, "missing") };
    for (const time of [1, 2]) {
      await expect(module.client.add("m", attributes), `time ${time}`).rejects.toMatchObject({
        code: 5,
        details: expect.stringContaining("missing, which does not exist"),
      });
    }
    await expect(module.client.add("m", { model_name: "m", model_repository_path: "/dev/null" })).rejects.toMatchObject(
      { code: 5, details: expect.stringContaining("/dev/null, which is no folder") },
    );
    const backends = { model_name: "m", model_repository_path: robot.folder, backend_directory: "/no/backends" };
    await expect(module.client.add("m", backends)).rejects.toMatchObject({
      code: 5,
      details: expect.stringContaining('The attribute "backend_directory" names /no/backends, which does not exist.'),
    });
    await expect(module.client.metadata("m")).rejects.toMatchObject({
      code: 5,
      details: expect.stringContaining('"m"'),
    });
    await expect(module.client.infer("m", {})).rejects.toMatchObject({ code: 5 });
    await module.client.remove("m");
  });

  test("a name that is as long as a book costs the call that has it only", async () => {
    const others = module.client.validate("m", { model_name: "m", model_repository_path: "/nowhere" });
    await expect(module.client.infer("\u00df".repeat(100_000), {})).rejects.toMatchObject({
      code: 5,
      details: expect.stringMatching(/^This module has no resource "\u00df+ \.\.\. \(\d+ more characters\)$/),
    });
    await others;
    await module.client.validate("m", { model_name: "m", model_repository_path: "/nowhere" });
  });

  test("reflection gives descriptors that link, of every service that it lists", async () => {
    const listed = await reflect(module, { case: "listServices", value: "" });
    if (listed.case !== "listServicesResponse") throw new Error(`not ${listed.case}`);
    const names = listed.value.service.map(({ name }) => name);
    expect(names).toEqual([
      "viam.module.v1.ModuleService",
      "viam.service.mlmodel.v1.MLModelService",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
    for (const name of names) {
      const answer = await reflect(module, { case: "fileContainingSymbol", value: name });
      if (answer.case !== "fileDescriptorResponse") throw new Error(`not ${answer.case}`);
      const files = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      expect(files[0]!.service.map((service) => `${files[0]!.package}.${service.name}`)).toContain(name);
      // Throws where a type of a field or an imported file is not there.
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files.reverse() }));
      expect(registry.getService(name)!.methods.length).toBeGreaterThan(0);
    }
  });

  test("reflection finds files, messages and methods, and says what it does not know", async () => {
    const known: Question[] = [
      { case: "fileByFilename", value: "google/protobuf/struct.proto" },
      { case: "fileContainingSymbol", value: "viam.service.mlmodel.v1.InferRequest" },
      { case: "fileContainingSymbol", value: "viam.module.v1.ModuleService.Ready" },
    ];
    for (const question of known) expect((await reflect(module, question)).case).toBe("fileDescriptorResponse");
    const unknown = await reflect(module, { case: "fileContainingSymbol", value: "viam.Nothing" });
    expect(unknown).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});

test("it listens on TCP, too", async () => {
  const [port] = await freePorts(1);
  const module = start({ args: ["--tcp-mode"] }, `127.0.0.1:${port}`);
  await module.untilReady(robot.address);
  expect(await module.stop()).toEqual({ code: 0, signal: null });
});

test("VIAM_MODULE_ADDRESS wins over the argument, and a socket that was left there is in no way", async () => {
  const address = path.join(robot.folder, "other.sock");
  const program = "require('node:net').createServer().listen(process.argv[1], () => console.log('listens'))";
  const left = spawn(process.execPath, ["-e", program, address], { stdio: ["ignore", "pipe", "inherit"] });
  await once(left.stdout, "data");
  left.kill("SIGKILL");
  await once(left, "exit");
  expect(existsSync(address)).toBe(true);
  const copy = path.join(robot.folder, "ignored.sock");
  const module = start({ env: { VIAM_MODULE_ADDRESS: address }, command: [process.execPath, main, copy] }, address);
  await module.untilReady(robot.address);
  expect(existsSync(copy)).toBe(false);
  await module.stop();
});

const main = path.join(packageRoot, "viam-module", "main.ts");

test("an address that cannot be is told on the output", async () => {
  const file = path.join(robot.folder, "a-file");
  writeFileSync(file, "kept");
  const taken = start({}, file);
  expect((await taken.ended).code).toBe(1);
  expect(taken.output()).toContain(`cannot listen at ${file}`);
  expect(readFileSync(file, "utf8")).toBe("kept");
  const deep = path.join(robot.folder, "x".repeat(100));
  mkdirSync(deep);
  const long = start({}, path.join(deep, "m.sock"));
  expect((await long.ended).code).toBe(1);
  expect(long.output()).toMatch(/longer than the 107 bytes/);
});

test("a folder that it may not write in is told in one sentence", async () => {
  const folder = path.join(robot.folder, "read-only");
  mkdirSync(folder, { mode: 0o555 });
  const address = path.join(folder, "m.sock");
  const user = process.getuid!();
  // For root no folder is closed, unless these capabilities are gone.
  const bounds = "--bounding-set=-dac_override,-dac_read_search";
  const command = [...(user === 0 ? ["setpriv", bounds, "--"] : []), process.execPath, main];
  const module = start({ command }, address);
  expect((await module.ended).code).toBe(1);
  expect(module.output()).toBe(
    `The module cannot listen at ${address}: no permission (EACCES); user ${user} cannot write in its folder.\n`,
  );
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A module under a process that can be ended before it. */
async function underAnother(env: NodeJS.ProcessEnv): Promise<{ pid: number; end(): void }> {
  const program = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, process.argv.slice(1), { stdio: "inherit" });
    console.log("PID " + child.pid);
    setInterval(() => {}, 1000);`;
  const address = path.join(robot.folder, "orphan.sock");
  const parent = spawn(process.execPath, ["-e", program, main, address], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  parent.stdout!.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await until(() => existsSync(address), "the module to listen");
  return { pid: Number(/PID (\d+)/.exec(printed)![1]), end: () => parent.kill("SIGKILL") };
}

test("it ends when the process that started it has ended", async () => {
  const module = await underAnother({});
  module.end();
  await until(() => !isAlive(module.pid), "the module to end");
});

test("it ends when the robot cannot be reached any more", async () => {
  const module = start({ args: ["--log-level=debug", "--parent-gone-ms=1000"] });
  await module.untilReady(robot.address);
  await until(() => robot.log().includes("The robot answers at"), "the module to have seen the robot");
  robot.stop();
  expect(await module.ended).toEqual({ code: 0, signal: null });
  expect(module.output()).toContain("The module stops: the robot cannot be reached any more.");
});

test("a server that does not come in the time of start_timeout_seconds is ended, and its name stays free", async () => {
  // A real one always comes.
  const fake = path.join(robot.folder, "fake-tritonserver");
  writeFileSync(fake, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
  const module = start({ env: { TRITON_SERVER: fake } });
  await module.untilReady(robot.address);
  const attributes = { model_name: "m", model_repository_path: robot.folder };
  for (const seconds of [1, 1.5]) {
    await expect(module.client.add("m", { ...attributes, start_timeout_seconds: seconds })).rejects.toMatchObject({
      details: expect.stringMatching(
        /The Triton server was not ready after \d+ ms\. Its log is in the log of the module\./,
      ),
    });
    expect(descendants(module.pid)).toEqual([]);
  }
});

test("with VIAM_NO_MODULE_PARENT it stays by itself", async () => {
  const module = await underAnother({ VIAM_NO_MODULE_PARENT: "true" });
  try {
    const parentOf = () => /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${module.pid}/status`, "utf8"))?.[1];
    const before = parentOf();
    module.end();
    await until(() => parentOf() !== before, "another parent");
    const probe = new ModuleProcess(path.join(robot.folder, "probe.sock"), { env: { VIAM_NO_MODULE_PARENT: "true" } });
    modules.push(probe);
    await probe.untilReady(robot.address); // longer than the check for an end takes
    expect(isAlive(module.pid)).toBe(true);
  } finally {
    process.kill(module.pid, "SIGKILL");
  }
});
