// SPDX-License-Identifier: Apache-2.0
// Sends two vectors of 16 numbers to the model `add_sub` and checks the sum and the difference that come back.
// No package is needed: Triton speaks plain HTTP, and small tensors fit into JSON.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

const [url = "http://localhost:8000"] = process.argv.slice(2);

interface Answer {
  readonly error?: string;
  readonly outputs: { readonly name: string; readonly data: number[] }[];
}

const a = Array.from({ length: 16 }, (_, i) => i);
const b = Array.from({ length: 16 }, () => 2);
const response = await fetch(`${url}/v2/models/add_sub/infer`, {
  method: "POST",
  body: JSON.stringify({
    inputs: [
      { name: "INPUT0", datatype: "FP32", shape: [1, 16], data: a },
      { name: "INPUT1", datatype: "FP32", shape: [1, 16], data: b },
    ],
  }),
});
const answer = (await response.json()) as Answer;
if (!response.ok) {
  console.error(answer.error);
  process.exit(1);
}

const output = (name: string) => answer.outputs.find((tensor) => tensor.name === name)!.data;
console.log("INPUT0 ", ...a);
console.log("INPUT1 ", ...b);
console.log("OUTPUT0", ...output("OUTPUT0"));
console.log("OUTPUT1", ...output("OUTPUT1"));
const right = a.every((x, i) => output("OUTPUT0")[i] === x + b[i]! && output("OUTPUT1")[i] === x - b[i]!);
console.log(right ? "PASS" : "FAIL: the answer is not the sum and the difference.");
process.exitCode = right ? 0 : 1;
