// SPDX-License-Identifier: Apache-2.0
// The images of the tests in this folder: built before them, removed after them.
import { mkdirSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { ARCHIVE, ensureBase } from "./debian_base.ts";
import { build, reasonToSkip, removeAll, unreachable, work } from "./podman.ts";

export const IMAGE = "localhost/triton-typescript:cpu";
export const TOOLS = "localhost/triton-typescript:tools";

declare module "vitest" {
  interface ProvidedContext {
    /** Why there are no images here; empty where there are. */
    noImages: string;
  }
}

async function buildImages(): Promise<void> {
  await ensureBase();
  await build(TOOLS, "--file", "docker/Dockerfile.cpu", "--target", "tools", ".");
  await build(IMAGE, "--file", "docker/Dockerfile.cpu", "--build-arg", "REVISION=test", ".");
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let reason = reasonToSkip();
  const keep = process.env["KEEP_IMAGES"] === "1";
  if (reason === undefined) {
    if (!keep) await removeAll(ARCHIVE);
    mkdirSync(work, { recursive: true });
    try {
      await buildImages();
    } catch (error) {
      // A network that has gone meanwhile is no fault of the images.
      reason = unreachable();
      if (reason === undefined) throw error;
    }
  }
  if (reason !== undefined) console.error(`No image is built here: ${reason}`);
  project.provide("noImages", reason ?? "");
  return async () => {
    // Layers are some gigabytes. The archive of the base stays, which is small and takes a minute to make.
    if (!keep) await removeAll(ARCHIVE);
  };
}
