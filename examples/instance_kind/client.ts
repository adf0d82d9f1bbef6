// SPDX-License-Identifier: Apache-2.0
// Sends a picture whose numbers are highest at one place to `resnet50`, and shows which device the instance chose.
// No package is needed: Triton speaks plain HTTP, and small tensors fit into JSON.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

const [url = "http://localhost:8000"] = process.argv.slice(2);

interface Answer {
  readonly error?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: readonly { readonly data: number[] }[];
}

const numbers = 3 * 224 * 224;
const place = 0.25;
const picture = Array.from({ length: numbers }, (_, i) => (Math.abs(i / numbers - place) < 0.01 ? 1 : 0));
const inputs = [{ name: "INPUT", datatype: "FP32", shape: [1, 3, 224, 224], data: picture }];
const response = await fetch(`${url}/v2/models/resnet50/infer`, { method: "POST", body: JSON.stringify({ inputs }) });
const { error, parameters, outputs } = (await response.json()) as Answer;
if (error !== undefined) throw new Error(error);
const scores = outputs[0]!.data;
const best = scores.indexOf(Math.max(...scores));
console.log(
  `${parameters["instance"]} would use the device ${parameters["device"]}; best of ${scores.length} classes: ${best}`,
);
const passed = scores.length === 1000 && Math.abs(best / scores.length - place) < 0.02;
console.log(passed ? "PASS" : "FAIL: the best class is not where the picture is bright.");
process.exitCode = passed ? 0 : 1;
