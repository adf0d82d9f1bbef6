// SPDX-License-Identifier: Apache-2.0
// The images of the tests in this folder: built before them, removed after them.
import { mkdirSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { ARCHIVE, ensureBase } from "./debian_base.ts";
import { BASE, build, Container, Lack, reasonToSkip, removeAll, unreachable, work } from "./podman.ts";

export const IMAGE = "localhost/triton-typescript:cpu";
export const TOOLS = "localhost/triton-typescript:tools";

declare module "vitest" {
  interface ProvidedContext {
    /** Why there are no images here; empty where there are. */
    noImages: string;
  }
}

/** Makes the base, and uses it as the tests use images: when that fails, it is this machine, or its network, and no image of ours. */
async function prepare(): Promise<void> {
  try {
    await ensureBase();
    for (const network of ["host", "none"]) {
      const container = new Container("probe", BASE, ["--network", network], ["sleep", "600"]);
      try {
        container.exec("true");
        container.processes();
      } finally {
        container.remove();
      }
    }
  } catch (error) {
    throw error instanceof Lack ? error : new Lack(`podman or debootstrap does not work: ${String(error)}`);
  }
}

async function buildImages(): Promise<void> {
  await prepare();
  await build(TOOLS, "--file", "docker/Dockerfile.cpu", "--target", "tools", ".");
  await build(IMAGE, "--file", "docker/Dockerfile.cpu", "--build-arg", "REVISION=test", ".");
}

/** Layers are some gigabytes. The archive of the base stays, which is small and takes a minute to make. */
async function clean(): Promise<void> {
  if (process.env["KEEP_IMAGES"] === "1") return;
  try {
    await removeAll(ARCHIVE);
  } catch (error) {
    // No fault of the images, and no reason to lose what the tests have found.
    console.error(`${work} could not be removed as a whole: ${String(error)}`);
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  let reason = reasonToSkip();
  // What an earlier run left is touched only by one that builds.
  const begun = reason === undefined;
  if (begun) {
    await clean();
    mkdirSync(work, { recursive: true });
    try {
      await buildImages();
    } catch (error) {
      // A network that has gone meanwhile is no fault of the images.
      reason = error instanceof Lack ? error.message : unreachable();
      if (reason === undefined) {
        // Vitest asks for nothing more after this.
        await clean();
        throw error;
      }
    }
  }
  if (reason !== undefined) console.error(`No image is built here: ${reason}`);
  project.provide("noImages", reason ?? "");
  return begun ? clean : undefined;
}
