// SPDX-License-Identifier: Apache-2.0
// The formatter of the C sources, in the one version whose output is committed. pip fetches it once into build/.
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { inRoot } from "./paths.mjs";
import { onPath, run, runQuietly, SetupError, succeeds } from "./process.mjs";

const VERSION = "21.1.8";

/** The path of the formatter, which is fetched if it is not there yet. */
export async function ensureClangFormat(folder = inRoot("build", "tools", `clang-format-${VERSION}`)) {
  const inside = path.join("clang_format", "data", "bin", "clang-format");
  if (existsSync(path.join(folder, inside))) return path.join(folder, inside);
  if (!onPath("python3") || !succeeds("python3", ["-m", "pip", "--version"])) {
    throw new SetupError("Python 3 with pip was not found: it fetches clang-format. Install python3 and python3-pip.");
  }
  console.log(`Fetching clang-format ${VERSION} (once) ...`);
  const fresh = `${folder}.${process.pid}`;
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  try {
    mkdirSync(path.dirname(folder), { recursive: true });
    await runQuietly("python3", [...install, "--target", fresh, `clang-format==${VERSION}`], "pip install");
    if (!existsSync(path.join(fresh, inside))) throw new SetupError(`The package holds no ${inside}.`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    throw new SetupError(
      `clang-format ${VERSION} could not be fetched with pip, so the C sources are not checked: ${error.message} pip needs a package index that it can reach; PIP_INDEX_URL names another one.`,
    );
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return path.join(folder, inside);
}

/** Formats the C files in place, or tells about each place that is not formatted; gives whether all is well. */
export async function formatC(files, write) {
  const formatter = await ensureClangFormat();
  return (await run(formatter, [...(write ? ["-i"] : ["--dry-run", "-Werror"]), ...files])) === 0;
}
