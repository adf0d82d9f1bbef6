// SPDX-License-Identifier: Apache-2.0
// The module in a real robot: the viam-server that VIAM_SERVER names, a binary built from the public sources of
// viamrobotics/rdk. It is asked by Viam's TypeScript SDK, and its built-in vision service stands on our models.
//
// Tried: this file with a fake (harness/fake_viam_server.sh) in the place of the binary, which takes the same argument and
// configuration, starts the module as viam-server does, answers the SDK, and has a vision service of its own. Not tried: this file
// with a real viam-server, since none was at hand. What the module does for one rests on what was measured at one that was built
// from rdk 1.4.0-13.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { MLModelClient, RobotClient, VisionClient } from "@viamrobotics/sdk";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeRepository } from "../../examples/viam/make.ts";
import { packageRoot } from "../../server/package_root.ts";
import { freePorts } from "../../server/ports.ts";
import { descendants } from "../../server/processes.ts";
import { until } from "../../server/testing/until.ts";
import { picturesFolder } from "../ocr/accuracy.ts";
import { isAlive } from "./harness/index.ts";

const binary = process.env["VIAM_SERVER"];
/** What a robot may take to start its modules and resources, which it tries again every five seconds. */
const patienceMs = 240_000;

interface Configuration {
  modules: { executable_path: string }[];
  services: { name: string; attributes: Record<string, unknown> }[];
}

/** A configuration of examples/viam, with paths of this machine. */
function configurationOf(file: string, repository: string): Configuration {
  const text = readFileSync(path.join(packageRoot, "examples", "viam", file), "utf8")
    .replaceAll("/path/to/triton-typescript", packageRoot)
    .replaceAll("/path/to/.viam/triton/repository", repository);
  const configuration = JSON.parse(text) as Configuration;
  for (const { attributes } of configuration.services) {
    if ("backend_directory" in attributes) attributes["backend_directory"] = path.join(packageRoot, "backends");
  }
  return configuration;
}

/** The command line of a process; empty when it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

describe.skipIf(!binary)("a viam-server (skipped unless VIAM_SERVER names one, built from viamrobotics/rdk)", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "viam-server-"));
  const file = path.join(folder, "robot.json");
  const repository = path.join(folder, "repository");
  let configuration: Configuration;
  let server: ChildProcess;
  let output = "";
  let robot: RobotClient;

  /** Waits for what the robot does some time after it was asked; what it printed tells why not. */
  const eventually = (what: string, condition: () => Promise<boolean>) =>
    until(
      () => condition().catch(() => false),
      what,
      patienceMs,
      () => (server.exitCode === null ? undefined : "viam-server ended"),
    ).catch((error: Error) => {
      throw new Error(`${error.message} The end of what it printed:\n${output.slice(-8000)}`);
    });
  const processOf = (word: string) => descendants(server.pid!).find((pid) => commandOf(pid).includes(word));

  const picture = async () => {
    const bytes = readFileSync(path.join(picturesFolder, "stop_sign.jpg"));
    const { width, height } = await sharp(bytes).metadata();
    return { bytes, width, height };
  };
  const infer = async (model: string, pixels: Uint8Array, height: number, width: number) => {
    const tensor = { case: "uint8Tensor", value: { data: pixels } };
    const tensors = { image: { shape: [1, height, width, 3].map(BigInt), tensor } };
    const client = new MLModelClient(robot, model);
    const answer = await client.infer({ tensors } as unknown as Parameters<typeof client.infer>[0]);
    return answer.outputTensors?.tensors ?? {};
  };
  const signsIn = async () => {
    const { bytes, width, height } = await picture();
    return new VisionClient(robot, "signs").getDetections(bytes, width, height, "image/jpeg");
  };

  beforeAll(async () => {
    makeRepository(repository);
    const all = ["sign_reader.json", "classifier.json", "effdet.json"].map((name) => configurationOf(name, repository));
    // One module, under one of the names that the files give it.
    configuration = { modules: all[0]!.modules, services: all.flatMap(({ services }) => services) };
    const [port] = await freePorts(1);
    const network = { bind_address: `localhost:${port}` };
    writeFileSync(file, JSON.stringify({ network, ...configuration }));
    const program = path.resolve(binary!);
    if (!existsSync(program)) throw new Error(`VIAM_SERVER names ${program}, which does not exist.`);
    server = spawn(program, ["-config", file], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const take = (chunk: Buffer) => {
      output += chunk.toString();
    };
    server.stdout!.on("data", take);
    server.stderr!.on("data", take);
    const host = `http://localhost:${port}`;
    // The SDK prints the stack of every attempt, so somebody else asks first.
    await eventually("viam-server to listen", async () => (await fetch(host)).status > 0);
    robot = new RobotClient();
    await robot.dial({ host, disableSessions: true, noReconnect: true });
    for (const { name } of configuration.services.filter(({ attributes }) => "model_name" in attributes)) {
      const model = new MLModelClient(robot, name);
      await eventually(`the model ${name}`, async () => (await model.metadata()).metadata !== undefined);
    }
  }, 2 * patienceMs);

  afterAll(async () => {
    await robot?.disconnect();
    if (server?.exitCode === null) {
      const ended = new Promise((resolve) => server.once("close", resolve));
      server.kill("SIGKILL");
      await ended;
    }
    rmSync(folder, { recursive: true });
  });

  test("the models of the three examples are there, with their tensors", async () => {
    const inputsOf = async (name: string) => {
      const { metadata } = await new MLModelClient(robot, name).metadata();
      return metadata!.inputInfo.map((input: { name: string; dataType: string; shape: number[] }) => [
        input.name,
        input.dataType,
        input.shape,
      ]);
    };
    for (const name of ["sign-reader", "brightness", "mlmodel-effdet-triton"]) {
      expect(await inputsOf(name), name).toEqual([["image", "uint8", [1, -1, -1, 3]]]);
    }
  });

  test("its vision service sees a sign, and the light", async () => {
    await eventually("the vision service", async () => {
      const { detectionsSupported } = await new VisionClient(robot, "signs").getProperties();
      return detectionsSupported;
    });
    const { bytes, width, height } = await picture();
    const [sign] = await signsIn();
    expect(sign).toMatchObject({ className: "sign" });
    expect(sign!.confidence).toBeGreaterThan(0.8);
    expect(Number(sign!.xMin)).toBeLessThan(Number(sign!.xMax));
    expect(Number(sign!.yMax)).toBeLessThanOrEqual(height);
    const light = new VisionClient(robot, "light");
    const [best] = await light.getClassifications(bytes, width, height, "image/jpeg", 1);
    expect(best!.className).toMatch(/^(dark|dim|bright)$/);
  });

  test("a picture of 1920x1080 goes through it", async () => {
    const outputs = await infer("brightness", new Uint8Array(1920 * 1080 * 3).fill(250), 1080, 1920);
    const [dark = 1, , bright = 0] = [...outputs["probability"]!.tensor.value!.data].map(Number);
    expect(bright).toBeGreaterThan(dark);
  });

  test("a change of the configuration reaches the model", async () => {
    const changed = structuredClone(configuration);
    changed.services.find(({ name }) => name === "sign-reader")!.attributes["bytes_outputs"] = "json";
    const { network } = JSON.parse(readFileSync(file, "utf8")) as { network: object };
    // In place: viam-server watches the file, and not its name.
    writeFileSync(file, JSON.stringify({ network, ...changed }));
    const { bytes, width, height } = await picture();
    const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
    await eventually("the texts of the sign", async () => {
      const { text } = await infer("sign-reader", pixels, height, width);
      return JSON.parse(Buffer.from(text!.tensor.value!.data as Uint8Array).toString())[0] === "STOP";
    });
  });

  test("a module that is killed is back, and its Triton is gone with it", async () => {
    const [module, triton] = [processOf("viam-module/main.js"), processOf("tritonserver")];
    expect(module && triton, output.slice(-2000)).toBeGreaterThan(0);
    process.kill(module!, "SIGKILL");
    await until(() => !isAlive(triton!), "the end of Triton");
    await eventually("the sign to be seen again", async () => (await signsIn()).length > 0);
  });

  test("it ends, and leaves nothing behind", async () => {
    const below = descendants(server.pid!);
    expect(below.length).toBeGreaterThan(1);
    const ended = new Promise((resolve) => server.once("close", resolve));
    server.kill("SIGTERM");
    await ended;
    await until(() => !below.some(isAlive), `the end of ${below}`);
  });
});
