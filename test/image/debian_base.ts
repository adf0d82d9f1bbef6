// SPDX-License-Identifier: Apache-2.0
// A base image made of Debian's packages, under the name that the Dockerfile's FROM has: it can be built without a registry.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { BASE, isOnPath, podmanCommand, succeed, tryPodman, work } from "./podman.ts";

/** What the image on the registry does not have either. */
const LEFT_OUT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists"];
/** Certificates of this machine, which may be behind a proxy with one of its own. */
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

function empty(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    rmSync(path.join(folder, name), { recursive: true });
}

/** Makes the base unless it is there. */
export async function ensureBase(): Promise<void> {
  if (tryPodman("image", "exists", BASE).code === 0) return;
  const folder = mkdtempSync(path.join(work, "base-"));
  try {
    const command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", folder];
    // dpkg waits for the disk after each file; nobody needs that of a folder that is packed and thrown away.
    await succeed(isOnPath("eatmydata") ? ["eatmydata", ...command] : command);
    for (const name of LEFT_OUT) empty(path.join(folder, name));
    for (const name of readdirSync(path.join(folder, "var/cache/apt"))) {
      if (name.endsWith(".bin")) rmSync(path.join(folder, "var/cache/apt", name));
    }
    empty(path.join(folder, "var/cache/apt/archives"));
    if (existsSync(`/${CERTIFICATES}`)) copyFileSync(`/${CERTIFICATES}`, path.join(folder, CERTIFICATES));
    const packed = path.join(folder, "..", `${path.basename(folder)}.tar`);
    try {
      await succeed(["tar", "--create", "--file", packed, "--one-file-system", "--directory", folder, "."]);
      await succeed(podmanCommand("import", packed, BASE));
    } finally {
      rmSync(packed, { force: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
