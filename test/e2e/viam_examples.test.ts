// SPDX-License-Identifier: Apache-2.0
// The robot configurations of examples/viam as a new user has them, started by the entry script, and asked as Viam's vision
// service asks: it probes every model with a grey picture of 5x5 pixels.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeRepository } from "../../examples/viam/make.ts";
import { packageRoot } from "../../server/package_root.ts";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { picturesFolder } from "../ocr/accuracy.ts";

interface Service {
  name: string;
  model: string;
  attributes: JsonObject;
}

const repository = mkdtempSync(path.join(os.tmpdir(), "viam-repository-"));
const examples = path.join(packageRoot, "examples", "viam");
let robot: FakeRobot;
let module: ModuleProcess;

beforeAll(async () => {
  makeRepository(repository);
  robot = new FakeRobot();
  await robot.listen();
  const script = path.join(packageRoot, "bin", "viam-mlmodelservice-triton.sh");
  module = new ModuleProcess(path.join(robot.folder, "m.sock"), { command: [script] });
  await module.untilReady(robot.address);
});

afterAll(async () => {
  await module.stop();
  robot.close();
  rmSync(repository, { recursive: true });
});

/** Adds the ML model of a configuration file, with paths of this machine, as a robot does. Gives its name. */
async function addFrom(file: string): Promise<string> {
  const { services } = JSON.parse(readFileSync(path.join(examples, file), "utf8")) as { services: Service[] };
  const [{ name, attributes }, vision] = services as [Service, Service];
  expect(vision.attributes["mlmodel_name"]).toBe(name);
  const paths: JsonObject = { model_repository_path: repository };
  if ("backend_directory" in attributes) paths["backend_directory"] = path.join(packageRoot, "backends");
  await module.client.validate(name, attributes); // unchanged
  await module.client.add(name, { ...attributes, ...paths });
  return name;
}

/** What the vision service sends: a picture with a dimension of batches, under the name `image`. */
const picture = (data: Uint8Array, height: number, width: number) => ({
  image: { shape: [1, height, width, 3].map(BigInt), tensor: { case: "uint8Tensor" as const, value: { data } } },
});
const grey = picture(new Uint8Array(5 * 5 * 3).fill(128), 5, 5);
/** The built-in service builds nothing on a model that does not look like this. */
async function expectPictureModel(name: string): Promise<void> {
  const { inputInfo } = await module.client.metadata(name);
  expect(inputInfo[0]).toMatchObject({ name: "image", dataType: "uint8", shape: [1, -1, -1, 3] });
}

type Outputs = Awaited<ReturnType<typeof module.client.infer>>;
const numbers = (outputs: Outputs, name: string): number[] => [...(outputs[name]!.tensor.value!.data as number[])];

describe("the sign reader", () => {
  let name: string;
  beforeAll(async () => {
    name = await addFrom("sign_reader.json");
  });

  test("reads a sign as a detection", async () => {
    const image = sharp(path.join(picturesFolder, "stop_sign.jpg")).removeAlpha().raw();
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    const outputs = await module.client.infer(name, picture(data, info.height, info.width));
    const [score = 0] = numbers(outputs, "score");
    const [ymin = 0, xmin = 0, ymax = 0, xmax = 0] = numbers(outputs, "location");
    expect(score).toBeGreaterThan(0.8);
    expect(ymin).toBeLessThan(ymax);
    expect(xmin).toBeLessThan(xmax);
    expect(Math.max(ymax, xmax)).toBeLessThanOrEqual(1);
    const { text } = await module.client.infer(name, picture(data, info.height, info.width), {
      extra: { bytes_outputs: "json" },
    });
    expect(JSON.parse(Buffer.from(text!.tensor.value!.data as Uint8Array).toString())[0]).toBe("STOP");
  });

  test("stands the probe, and has a label", async () => {
    await expectPictureModel(name);
    const outputs = await module.client.infer(name, grey);
    expect(outputs["location"]!.shape).toEqual([1n, 25n, 4n]);
    expect(numbers(outputs, "score")).toEqual(Array(25).fill(0));
    expect(numbers(outputs, "category")).toEqual(Array(25).fill(0));
    const { outputInfo, type } = await module.client.metadata(name);
    expect(type).toBe("object_detector");
    expect(readFileSync(String(outputInfo[0]!.extra!["labels"]), "utf8")).toBe("sign\n");
  });
});

describe("the classifier", () => {
  test("has probabilities in the order of its labels, also for the probe", async () => {
    const name = await addFrom("classifier.json");
    await expectPictureModel(name);
    const { outputInfo, type } = await module.client.metadata(name);
    expect(type).toBe("classifier");
    const labels = readFileSync(String(outputInfo[0]!.extra!["labels"]), "utf8").trim().split("\n");
    const best = async (level: number) => {
      const image = picture(new Uint8Array(8 * 6 * 3).fill(level), 8, 6);
      const found = numbers(await module.client.infer(name, image), "probability");
      expect(found.reduce((a, b) => a + b)).toBeCloseTo(1);
      return labels[found.indexOf(Math.max(...found))];
    };
    expect([await best(0), await best(110), await best(250)]).toEqual(["dark", "dim", "bright"]);
    expect(numbers(await module.client.infer(name, grey), "probability")).toHaveLength(3);
  });
});

describe("the detector with the configuration of the C++ module", () => {
  test("finds what is light, under the names of the vision service", async () => {
    const name = await addFrom("effdet.json");
    await expectPictureModel(name);
    expect((await module.client.metadata(name)).outputInfo.map((output) => output.name)).toEqual([
      "location",
      "score",
      "category",
      "n_detections",
    ]);
    // One light cell of five by five, the fourth of the second row.
    const pixels = new Uint8Array(50 * 50 * 3);
    for (let y = 10; y < 20; y++) pixels.fill(255, (y * 50 + 30) * 3, (y * 50 + 40) * 3);
    const outputs = await module.client.infer(name, picture(pixels, 50, 50));
    expect(numbers(outputs, "score").slice(0, 2)).toEqual([expect.closeTo(1, 4), 0]);
    const wanted = [0.2, 0.6, 0.4, 0.8].map((value) => expect.closeTo(value, 4));
    expect(numbers(outputs, "location").slice(0, 4)).toEqual(wanted);
    expect(numbers(outputs, "n_detections")).toEqual([25]);
    expect(numbers(await module.client.infer(name, grey), "score")[0]).toBeCloseTo(128 / 255, 4);
  });
});

describe("without a robot", () => {
  /** What docs/viam.md prints in its first block of this kind that begins so. */
  const printed = (begin: string) => {
    const page = readFileSync(path.join(packageRoot, "docs", "viam.md"), "utf8");
    const at = page.indexOf(begin) + begin.length;
    expect(at, begin).toBeGreaterThan(begin.length);
    return page.slice(at, page.indexOf("```", at));
  };
  const dryRun = (...args: string[]) => {
    const script = path.join(examples, "try.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: packageRoot,
      encoding: "utf8",
      timeout: 90_000,
    });
    return { status, stdout, stderr };
  };

  test("the configuration that the guide prints is the sign reader's", () => {
    const file = readFileSync(path.join(examples, "sign_reader.json"), "utf8");
    expect(printed("```json\n")).toBe(file);
  });

  test("the dry run answers as the guide says", () => {
    const [config = "", image = ""] = ["examples/viam/sign_reader.json", "test/pictures/stop_sign.jpg"];
    const { status, stdout, stderr } = dryRun(config, image);
    expect(status, stderr).toBe(0);
    // The scores of one machine are not those of another to the last digit.
    const plain = (text: string) => text.replace(/\d\.\d+/g, "#");
    expect(plain(stdout)).toBe(plain(printed(`$ npx tsx examples/viam/try.ts ${config} ${image}\n`)));
  });

  test.each(["classifier.json", "effdet.json"])("it takes %s", (config) => {
    const { status, stdout, stderr } = dryRun(path.join(examples, config), path.join(picturesFolder, "stop_sign.jpg"));
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(config === "effdet.json" ? /^score \[1, 25\]: 0\.\d+, /m : /^probability \[1, 3\]: 0/m);
  });

  test("what the module says against a configuration is printed", () => {
    const wrong = path.join(repository, "wrong.json");
    const service = { name: "a", model: "viam:mlmodelservice:triton", attributes: { model_nam: "brightness" } };
    writeFileSync(wrong, JSON.stringify({ services: [service] }));
    const { status, stderr } = dryRun(wrong, path.join(picturesFolder, "stop_sign.jpg"));
    expect(status).toBe(1);
    expect(stderr).toContain("model_name");
  });
});
