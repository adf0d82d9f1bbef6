// SPDX-License-Identifier: Apache-2.0
// Sends a picture whose numbers are highest at one place to `resnet50`, and shows which device the instance chose.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

import { HttpClient, Tensor } from "triton-typescript/client/http";

const [url = "http://localhost:8000"] = process.argv.slice(2);

const numbers = 3 * 224 * 224;
const place = 0.25;
const picture = Float32Array.from({ length: numbers }, (_, i) => (Math.abs(i / numbers - place) < 0.01 ? 1 : 0));
const inputs = [new Tensor("INPUT", picture, [1, 3, 224, 224])];
const { parameters, outputs } = await new HttpClient({ url }).infer("resnet50", inputs);
const scores = outputs[0]!.toFloat32();
const best = scores.indexOf(Math.max(...scores));
console.log(
  `${parameters["instance"]} would use the device ${parameters["device"]}; best of ${scores.length} classes: ${best}`,
);
const passed = scores.length === 1000 && Math.abs(best / scores.length - place) < 0.02;
console.log(passed ? "PASS" : "FAIL: the best class is not where the picture is bright.");
process.exitCode = passed ? 0 : 1;
