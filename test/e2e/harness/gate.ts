// SPDX-License-Identifier: Apache-2.0
// A place where a model waits for a word of its test, so that no test counts on how long something takes. A request brings the
// gate's folder along as its parameter `gate`: the model adds a sign to the file `here`, and waits for the file `go`.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type TestServer, until } from "./server.ts";

const gates = new Set<Gate>();
let root: string | undefined;

export class Gate {
  readonly folder: string;

  constructor() {
    root ??= mkdtempSync(path.join(os.tmpdir(), "triton-typescript-gates-"));
    this.folder = path.join(root, String(gates.size));
    mkdirSync(this.folder);
    gates.add(this);
  }

  /** How often a model has come here. */
  get count(): number {
    return statSync(path.join(this.folder, "here"), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Waits until a model has come here so often. */
  arrivals(count: number, server?: TestServer): Promise<void> {
    return until(() => this.count >= count, `${count} arrivals at a gate`, 60_000, server);
  }

  /** Lets all go on that are here, and all that come. */
  open(): void {
    writeFileSync(path.join(this.folder, "go"), "");
  }
}

/** Opens every gate, so that no server waits for a model that a failed test left behind one. */
export function openGates(): void {
  for (const gate of gates) gate.open();
}

/** Removes what gates have written. */
export function removeGates(): void {
  gates.clear();
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
  root = undefined;
}
