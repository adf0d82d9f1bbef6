// SPDX-License-Identifier: Apache-2.0
// A base image made of Debian's packages, under the name that the Dockerfile's FROM has: it can be built without a registry.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { BASE, podmanCommand, succeed, succeedInTime, tryPodman, work } from "./podman.ts";

/** What the image on the registry does not have either. */
const LEFT_OUT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists"];
/** Certificates of this machine, which may be behind a proxy with one of its own. */
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

function empty(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    rmSync(path.join(folder, name), { recursive: true });
}

/** The base as an archive, which is kept; its name in the working folder. */
export const ARCHIVE = "base.tar";
const archive = path.join(work, ARCHIVE);

async function makeArchive(): Promise<void> {
  const folder = mkdtempSync(path.join(work, "base-"));
  const packed = `${folder}.tar`;
  try {
    const suite = ["--variant=minbase", "--include=ca-certificates", "bookworm", folder];
    await succeedInTime(["debootstrap", "--foreign", ...suite]);
    // dpkg would wait for the disk after each file. The image on the registry has this file, too, for the builds on top of it.
    writeFileSync(path.join(folder, "etc/dpkg/dpkg.cfg.d/docker-apt-speedup"), "force-unsafe-io\n");
    await succeedInTime(["chroot", folder, "/debootstrap/debootstrap", "--second-stage"]);
    for (const name of LEFT_OUT) empty(path.join(folder, name));
    for (const name of readdirSync(path.join(folder, "var/cache/apt"))) {
      if (name.endsWith(".bin")) rmSync(path.join(folder, "var/cache/apt", name));
    }
    empty(path.join(folder, "var/cache/apt/archives"));
    if (existsSync(`/${CERTIFICATES}`)) copyFileSync(`/${CERTIFICATES}`, path.join(folder, CERTIFICATES));
    await succeed(["tar", "--create", "--file", packed, "--one-file-system", "--directory", folder, "."]);
    renameSync(packed, archive);
  } finally {
    rmSync(packed, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the base unless it is there. */
export async function ensureBase(): Promise<void> {
  if (tryPodman("image", "exists", BASE).code === 0) return;
  if (!existsSync(archive)) await makeArchive();
  await succeed(podmanCommand("import", archive, BASE));
}
