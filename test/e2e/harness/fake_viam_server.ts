// SPDX-License-Identifier: Apache-2.0
// A fake of viam-server, for the test of the real one where none is: fake_viam_server.ts -config FILE. Starts the module of the
// configuration, adds its ML models again when the file changes or the module has ended, answers Viam's SDK, and has a vision
// service that knows just enough to see what is largest.
import { readFileSync, watchFile } from "node:fs";
import path from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { visionApi } from "@viamrobotics/sdk";
import sharp from "sharp";
import { FakeRobot, ModuleProcess } from "../../../viam-module/testing/robot.ts";
import { grpcWebBridge } from "./grpc_web.ts";

interface Configuration {
  network: { bind_address: string };
  modules: { executable_path: string }[];
  services: { name: string; model: string; attributes: JsonObject }[];
}

const [option, file = ""] = process.argv.slice(2);
if (option !== "-config") throw new Error("Usage: fake_viam_server.ts -config FILE");
const read = () => JSON.parse(readFileSync(file, "utf8")) as Configuration;
let configuration = read();
const robot = new FakeRobot();
await robot.listen();
let module: ModuleProcess;
let stopping = false;

async function addModels(): Promise<void> {
  for (const { name, model, attributes } of configuration.services) {
    if (model === "mlmodel") continue;
    await module.client.validate(name, attributes);
    await module.client.remove(name);
    await module.client.add(name, attributes);
  }
}

async function startModule(): Promise<void> {
  const command = [configuration.modules[0]!.executable_path];
  module = new ModuleProcess(path.join(robot.folder, "module.sock"), { command });
  void module.ended.then(() => (stopping ? undefined : startModule()));
  await module.untilReady(robot.address);
  await addModels();
}

/** What a vision service makes of a picture, by the ML model of its configuration. */
async function see(name: string, image: Uint8Array) {
  const service = configuration.services.find((each) => each.name === name)!;
  const model = String(service.attributes["mlmodel_name"]);
  const { data, info } = await sharp(image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const shape = [1, info.height, info.width, 3].map(BigInt);
  const outputs = await module.client.infer(model, {
    image: { shape, tensor: { case: "uint8Tensor", value: { data } } },
  });
  const { outputInfo } = await module.client.metadata(model);
  const labels = readFileSync(String(outputInfo[0]!.extra!["labels"]), "utf8").trim().split("\n");
  const numbers = (output: string) => [...((outputs[output]?.tensor.value?.data as number[]) ?? [])];
  return { ...info, labels, numbers };
}

const vision: Record<string, (message: Uint8Array) => Promise<Uint8Array>> = {
  async GetProperties() {
    return new visionApi.GetPropertiesResponse({ detectionsSupported: true }).toBinary();
  },
  async GetDetections(message) {
    const { name, image } = visionApi.GetDetectionsRequest.fromBinary(message);
    const { labels, numbers, width, height } = await see(name, image);
    const [yMin = 0, xMin = 0, yMax = 0, xMax = 0] = numbers("location");
    const [confidence = 0] = numbers("score");
    const pixels = (share: number, size: number) => BigInt(Math.round(share * size));
    const box = {
      xMin: pixels(xMin, width),
      xMax: pixels(xMax, width),
      yMin: pixels(yMin, height),
      yMax: pixels(yMax, height),
    };
    return new visionApi.GetDetectionsResponse({
      detections: [{ ...box, confidence, className: labels[0]! }],
    }).toBinary();
  },
  async GetClassifications(message) {
    const { name, image } = visionApi.GetClassificationsRequest.fromBinary(message);
    const { labels, numbers } = await see(name, image);
    const found = numbers("probability");
    const best = found.indexOf(Math.max(...found));
    const classification = { className: labels[best]!, confidence: found[best]! };
    return new visionApi.GetClassificationsResponse({ classifications: [classification] }).toBinary();
  },
};

const visionPath = "/viam.service.vision.v1.VisionService/";
const port = Number(configuration.network.bind_address.split(":")[1]);
await grpcWebBridge(`unix:${path.join(robot.folder, "module.sock")}`, {
  port,
  own: (method) => (method.startsWith(visionPath) ? vision[method.slice(visionPath.length)] : undefined),
});
watchFile(file, { interval: 200 }, () => {
  try {
    configuration = read();
  } catch {
    return; // It is being written: there will be another change.
  }
  addModels().catch(console.error);
});
process.on("SIGTERM", async () => {
  stopping = true;
  await module.stop();
  robot.close();
  process.exit(0);
});
await startModule();
