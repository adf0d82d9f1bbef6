// SPDX-License-Identifier: Apache-2.0
// Has `bls_sync` and `bls_async` add and subtract by other models, and checks what comes back.
// No package is needed: Triton speaks plain HTTP, and small tensors fit into JSON.
//
//   node client.ts [http://localhost:8000]        (Node 24 or newer runs TypeScript as it is)

const [url = "http://localhost:8000"] = process.argv.slice(2);

interface Answer {
  readonly error?: string;
  readonly outputs?: readonly { readonly name: string; readonly data: number[] }[];
}

const a = [1, 2, 3, 4];
const b = [4, 3, 2, 1];

/** Asks a model; `modelName` is whom `bls_sync` is to ask. Returns what the line about it says. */
async function ask(model: string, modelName?: string): Promise<string> {
  const inputs: object[] = [
    { name: "INPUT0", datatype: "FP32", shape: [4], data: a },
    { name: "INPUT1", datatype: "FP32", shape: [4], data: b },
  ];
  if (modelName !== undefined) inputs.push({ name: "MODEL_NAME", datatype: "BYTES", shape: [1], data: [modelName] });
  const response = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body: JSON.stringify({ inputs }) });
  const { error, outputs = [] } = (await response.json()) as Answer;
  return error ?? outputs.map(({ name, data }) => `${name} ${data.join(" ")}`).join("  ");
}

const right = "OUTPUT0 5 5 5 5  OUTPUT1 -3 -1 1 3";
let passed = true;
for (const name of ["add_sub", "pytorch", "undefined_model"]) {
  const found = await ask("bls_sync", name);
  console.log(`${`bls_sync asks ${name}:`.padEnd(31)} ${found}`);
  passed &&= name === "undefined_model" ? found.includes("unknown model: 'undefined_model'") : found === right;
}
const found = await ask("bls_async");
console.log(`${"bls_async asks both:".padEnd(31)} ${found}`);
passed &&= found === right;
console.log(passed ? "PASS" : "FAIL: an answer is not what it should be.");
process.exitCode = passed ? 0 : 1;
