// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ServerError } from "./error.ts";

interface PackageJson {
  name?: string;
  version?: string;
}

function readPackage(folder: string): PackageJson | undefined {
  const file = path.join(folder, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PackageJson) : undefined;
}

function findRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (readPackage(folder)?.name !== "triton-typescript") {
    const parent = path.dirname(folder);
    if (parent === folder) {
      throw new ServerError(
        "PACKAGE",
        "The files of triton-typescript are incomplete: its package.json is missing. Install it again.",
      );
    }
    folder = parent;
  }
  return folder;
}

/** The folder that holds dist/, backends/ and the native parts: a checkout or an installed package. */
export const packageRoot = findRoot();

/** A native part: what was built here, else what the package brings for this machine. */
export function nativePart(name: string, root = packageRoot): string {
  const built = path.join(root, "build", "lib", name);
  const brought = path.join(root, "prebuilds", `linux-${process.arch}`, name);
  return existsSync(built) || !existsSync(path.join(root, "prebuilds")) ? built : brought;
}

/** The version of this package. */
export const packageVersion = readPackage(packageRoot)?.version ?? "0.0.0";

/** The backend library. */
export const backendLibrary = nativePart("libtriton_typescript.so");

/** The native part of the Node side. */
const stubAddon = nativePart("triton_typescript_stub.node");

/** The program that every model instance runs. */
const stubMain = path.join(packageRoot, "dist", "stub", "src", "runtime", "main.js");

/** Those of the parts above that are not there. */
export function missingParts(): string[] {
  return [backendLibrary, stubAddon, stubMain].filter((file) => !existsSync(file));
}

/** What to do about a missing part. Only a checkout can be built. */
export function howToBuild(root: string): string {
  if (existsSync(path.join(root, "CMakeLists.txt"))) return `the backend is not built. Run "npm run setup" in ${root}.`;
  return (
    'this package was packed without it. Install the file that "npm run pack:release" makes in a checkout, ' +
    "or the checkout itself."
  );
}

/** Throws ServerError when a part is missing. */
export function checkBuilt(): void {
  const [file] = missingParts();
  if (file === undefined) return;
  throw new ServerError("PACKAGE", `${file} is missing: ${howToBuild(packageRoot)}`);
}

/** The first Node release line that runs TypeScript models as they are. */
const oldestStubNode = 24;

/**
 * The Node binary for model instances: TRITON_TYPESCRIPT_NODE, else the one that the install brought, else the
 * running one when it is new enough.
 */
export function stubNode(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env["TRITON_TYPESCRIPT_NODE"];
  if (chosen) {
    if (!existsSync(chosen)) {
      throw new ServerError(
        "PACKAGE",
        `TRITON_TYPESCRIPT_NODE names ${chosen}, which does not exist. Correct it or unset it.`,
      );
    }
    return chosen;
  }
  const bundled = bundledNode();
  if (bundled !== undefined) return bundled;
  if (Number.parseInt(process.versions.node, 10) >= oldestStubNode) return process.execPath;
  throw new ServerError(
    "PACKAGE",
    `Models need Node ${oldestStubNode} or newer and the package node-linux-${process.arch}, which brings one, is not installed. ` +
      'Run "npm install" without --omit=optional, or set TRITON_TYPESCRIPT_NODE to a newer Node.',
  );
}

/** The Node binary that the install brought, when there is one for this machine. */
export function bundledNode(): string | undefined {
  try {
    const manifest = createRequire(path.join(packageRoot, "package.json")).resolve(
      `node-linux-${process.arch}/package.json`,
    );
    const binary = path.join(path.dirname(manifest), "bin", "node");
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
