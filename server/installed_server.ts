// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { ServerError } from "./error.ts";
import type { Installation } from "./installation.ts";

const usualPrefix = "/opt/tritonserver";

function existing(...candidates: string[]): string | undefined {
  return candidates.find((candidate) => existsSync(candidate));
}

function binaryAt(place: string): string {
  if (!existsSync(place)) {
    throw new ServerError(
      "ARGUMENT",
      `There is no Triton server at ${place}. Give the tritonserver binary or the folder of the installation, such as ${usualPrefix}.`,
    );
  }
  const binary = statSync(place).isDirectory() ? path.join(place, "bin", "tritonserver") : place;
  if (!existsSync(binary)) {
    throw new ServerError(
      "ARGUMENT",
      `The folder ${place} holds no bin/tritonserver. Give the tritonserver binary itself.`,
    );
  }
  try {
    accessSync(binary, constants.X_OK);
  } catch {
    throw new ServerError("ARGUMENT", `${binary} is not executable. Run: chmod +x ${binary}`);
  }
  return realpathSync(binary);
}

/**
 * An installed Triton, named by its binary or its folder. Its backends, caches and libraries are looked for beside it,
 * then at the usual place of NVIDIA's images.
 */
export function installedServer(place: string): Installation {
  const binary = binaryAt(path.resolve(place));
  const prefix = path.dirname(path.dirname(binary));
  const beside = (name: string) => existing(path.join(prefix, name), path.join(usualPrefix, name));
  // The last one is where an unpacked wheel of the embedded server has its libraries.
  const libraries = [path.join(prefix, "lib"), path.resolve(prefix, "..", "..", "nvidia_pytriton.libs")];
  return {
    kind: "installed",
    binary,
    libraryPath: libraries.filter((folder) => existsSync(folder)),
    backendDirectory: beside("backends"),
    cacheDirectory: beside("caches"),
    agentDirectory: beside("repoagents"),
  };
}
