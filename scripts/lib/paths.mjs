// SPDX-License-Identifier: Apache-2.0
// Where things are in a checkout. No package may be imported in scripts/: they run before the first install.
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export const inRoot = (...parts) => path.join(root, ...parts);

/** The Node binary that the install brings, or the running one where the install has none for this machine. */
export function bundledNode() {
  const candidate = inRoot("node_modules", `node-linux-${process.arch}`, "bin", "node");
  return existsSync(candidate) ? candidate : process.execPath;
}

/** The script behind node_modules/.bin/<name>, so that it can be run by a Node of our choice. */
export function toolScript(name) {
  const link = inRoot("node_modules", ".bin", name);
  return existsSync(link) ? realpathSync(link) : undefined;
}

/** The environment without node_modules/.bin on PATH: npm must not run on a Node that it is about to replace. */
export function outsideEnvironment() {
  const PATH = (process.env.PATH ?? "")
    .split(path.delimiter)
    .filter((entry) => !entry.endsWith(path.join("node_modules", ".bin")))
    .join(path.delimiter);
  return { ...process.env, PATH };
}
