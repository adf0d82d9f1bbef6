// SPDX-License-Identifier: Apache-2.0
// Makes the archive of the Viam module for the registry: build/viam-module.tar.gz. In it are this package, as npm would publish
// it, the packages that it needs, and meta.json, so that a robot needs neither npm nor a compiler.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { inRoot, outsideEnvironment } from "./lib/paths.mjs";
import { runQuietly } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";

const archive = inRoot("build", "viam-module.tar.gz");

if (!(await setup())) process.exit(1);
const work = mkdtempSync(inRoot("build", "viam-"));
try {
  const env = outsideEnvironment();
  const folder = path.join(work, "module");
  mkdirSync(folder);
  // Not through npm's own scripts, which would make the checkout ready again.
  await runQuietly("npm", ["pack", "--ignore-scripts", "--pack-destination", work], "Packing this package", { env });
  const packed = path.join(work, "*.tgz");
  await runQuietly("sh", ["-c", `tar -xzf ${packed} -C "$0" --strip-components=1`, folder], "Unpacking it", { env });
  copyFileSync(inRoot("package-lock.json"), path.join(folder, "package-lock.json"));
  copyFileSync(inRoot("viam-module", "meta.json"), path.join(folder, "meta.json"));
  const install = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
  await runQuietly("npm", install, "Installing the packages that it needs", { env });
  await runQuietly("tar", ["-czf", archive, "-C", folder, "."], "Writing the archive", { env });
  console.log(`The module is in ${path.relative(process.cwd(), archive)}.`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
