// SPDX-License-Identifier: Apache-2.0
// The formatter of the C sources, in the one version whose output is committed. pip fetches it once into build/.
import path from "node:path";
import { inRoot } from "./paths.mjs";
import { ensurePipTool } from "./pip_tool.mjs";
import { run } from "./process.mjs";

const VERSION = "21.1.8";

/** The path of the formatter, which is fetched if it is not there yet. */
export function ensureClangFormat(folder = inRoot("build", "tools", `clang-format-${VERSION}`)) {
  return ensurePipTool({
    name: "clang-format",
    version: VERSION,
    wanted: [`clang-format==${VERSION}`],
    folder,
    inside: path.join("clang_format", "data", "bin", "clang-format"),
    lacks: "the C sources are not checked",
  });
}

/** Formats the C files in place, or tells about each place that is not formatted; gives whether all is well. */
export async function formatC(files, write) {
  const formatter = await ensureClangFormat();
  return (await run(formatter, [...(write ? ["-i"] : ["--dry-run", "-Werror"]), ...files])) === 0;
}
