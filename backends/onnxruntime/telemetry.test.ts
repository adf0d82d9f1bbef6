// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { onnxFile } from "./testing/onnx_file.ts";

const tensor = (name: string) => ({ name, type: "FP32", shape: [1] }) as const;
const model = Buffer.from(
  onnxFile([{ op: "Identity", inputs: ["X"], outputs: ["Y"] }], [tensor("X")], [tensor("Y")]),
).toString("base64");

/** Opens a model in a process of its own, whose home is empty before. Returns what it left there. */
function leftBehind(first: string): string[] {
  const home = mkdtempSync(path.join(tmpdir(), "telemetry-"));
  const here = (name: string) => JSON.stringify(path.join(import.meta.dirname, name));
  const program = `
    await import(${here(first)});
    const { InferenceSession } = await import("onnxruntime-node");
    await InferenceSession.create(Buffer.from("${model}", "base64"));
    await new Promise((resolve) => setTimeout(resolve, 500));`;
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...env } = process.env;
  execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
    env: { ...env, HOME: home },
  });
  const files = readdirSync(home, { recursive: true }).map(String);
  rmSync(home, { recursive: true });
  return files;
}

it("keeps ONNX Runtime from writing into the user's home", () => {
  expect(leftBehind("telemetry.ts")).toEqual([]);
});

it("is imported before ONNX Runtime is", () => {
  const imports = readFileSync(path.join(import.meta.dirname, "network.ts"), "utf8").match(/^import .*$/gm);
  expect(imports?.[0]).toBe('import "./telemetry.ts";');
});
