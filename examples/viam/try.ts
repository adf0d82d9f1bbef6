// SPDX-License-Identifier: Apache-2.0
// Tries a robot's configuration without a robot: npx tsx examples/viam/try.ts CONFIGURATION PICTURE. Starts the module as a robot
// does, adds the first ML model of the configuration, asks it with the picture, and prints the answer. Where the configuration has
// a /path/to, the models of these examples are made and served.
//
// A tool of a checkout, and nothing to copy: who asks a robot does so with Viam's SDK, as client.ts does. The robot's side of the
// protocol, which starts modules, is in no SDK and no part of the published package; the tests play it, and this uses what they use,
// so that there is one such fake.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "@bufbuild/protobuf";
import sharp from "sharp";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { makeRepository } from "./make.ts";

interface Service {
  name: string;
  model: string;
  attributes: JsonObject;
}

const [configuration, file] = process.argv.slice(2);
if (configuration === undefined || file === undefined) {
  console.error("Usage: npx tsx examples/viam/try.ts CONFIGURATION PICTURE");
  process.exit(2);
}
const { services } = JSON.parse(readFileSync(configuration, "utf8")) as { services: Service[] };
const service = services.find(({ model }) => model === "viam:mlmodelservice:triton");
if (service === undefined) throw new Error(`${configuration} has no service of the model viam:mlmodelservice:triton.`);
const { name, attributes } = service;
const { data, info } = await sharp(file)
  .removeAlpha()
  .toColourspace("srgb")
  .raw()
  .toBuffer({ resolveWithObject: true });

const robot = new FakeRobot();
await robot.listen();
if (String(attributes["model_repository_path"]).startsWith("/path/to/")) {
  attributes["model_repository_path"] = path.join(robot.folder, "repository");
  makeRepository(path.join(robot.folder, "repository"));
}
if (!existsSync(String(attributes["backend_directory"]))) delete attributes["backend_directory"];
const script = fileURLToPath(new URL("../../bin/viam-mlmodelservice-triton.sh", import.meta.url));
const module = new ModuleProcess(path.join(robot.folder, "module.sock"), { command: [script] });
try {
  await module.untilReady(robot.address);
  await module.client.validate(name, attributes);
  await module.client.add(name, attributes);
  const shape = [1, info.height, info.width, 3].map(BigInt);
  const image = { shape, tensor: { case: "uint8Tensor" as const, value: { data } } };
  const outputs = await module.client.infer(name, { image }, { extra: { bytes_outputs: "json" } });
  const { outputInfo } = await module.client.metadata(name);
  const isText = (output: string) => outputInfo.every((each) => each.name !== output);
  for (const [output, { shape: sizes, tensor }] of Object.entries(outputs)) {
    const bytes = tensor.value!.data;
    // Texts, which the metadata does not have, came as JSON.
    const all = isText(output) ? JSON.parse(new TextDecoder().decode(bytes as Uint8Array)) : [...bytes];
    const first = all.slice(0, 8).map((value: unknown) => (typeof value === "number" ? +value.toFixed(3) : value));
    const shown = isText(output) ? all.length : sizes.join(", ");
    console.log(`${output} [${shown}]: ${first.join(", ")}${all.length > 8 ? ", ..." : ""}`);
  }
} catch (error) {
  console.error(`${(error as Error).message}\n${robot.log()}${module.output()}`);
  process.exitCode = 1;
} finally {
  await module.stop();
  robot.close();
}
