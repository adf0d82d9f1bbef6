// SPDX-License-Identifier: Apache-2.0
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TritonError } from "../api/errors.ts";
import { API_PACKAGE } from "./model_resolver.ts";
import { resolvedName } from "./own_names.ts";
import { findTsconfig } from "./tsconfig.ts";

/** Diagnostics beyond this number are counted, not shown. */
const SHOWN_DIAGNOSTICS = 20;

export interface TypeCheckOptions {
  /** The model's file. */
  readonly file: string;
  /** Where the public API lies, as a file URL; its declarations are beside it. */
  readonly apiUrl: string;
  /** Folders from which `typescript` and `@types/node` are looked up, in this order. */
  readonly lookupFolders: readonly string[];
}

function findPackage(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    try {
      return dirname(createRequire(join(folder, "noop.js")).resolve(`${name}/package.json`));
    } catch {
      // Not there: the next folder.
    }
  }
  return undefined;
}

/** Whether the file itself is a link, not only a folder above it. */
function isLink(file: string): boolean {
  return lstatSync(file).isSymbolicLink() || resolvedName(file) === undefined;
}

/** Writes the project of the check into `scratch` and returns its path. */
function writeProject(scratch: string, { file, apiUrl, lookupFolders }: TypeCheckOptions): string {
  const declarations = fileURLToPath(apiUrl).replace(/(?<!\.ts)\.js$/, ".d.ts");
  // The compiler looks packages that it finds nowhere else up in `typeRoots`, which leaves `paths` to the model's own
  // tsconfig.
  const typeRoot = join(scratch, "types");
  mkdirSync(join(typeRoot, API_PACKAGE), { recursive: true });
  writeFileSync(join(typeRoot, API_PACKAGE, "index.d.ts"), `export * from ${JSON.stringify(declarations)};\n`);
  const nodeTypes = findPackage("@types/node", lookupFolders);
  const own = findTsconfig(dirname(file));
  const project = {
    ...(own === undefined ? {} : { extends: own }),
    compilerOptions: {
      ...(own === undefined ? { target: "esnext", lib: ["esnext"], strict: true, erasableSyntaxOnly: false } : {}),
      module: "esnext",
      moduleResolution: "bundler",
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: false,
      resolveJsonModule: true,
      allowJs: true,
      skipLibCheck: true,
      // Unused names are a linter's business: they do not keep a model from running.
      noUnusedLocals: false,
      noUnusedParameters: false,
      noEmit: true,
      incremental: false,
      // A file that is a link may have lost its ending and its neighbours where it leads.
      ...(isLink(file) ? { preserveSymlinks: true } : {}),
      composite: false,
      rootDir: "/",
      ...(nodeTypes === undefined
        ? { types: [], typeRoots: [typeRoot] }
        : { types: ["node"], typeRoots: [typeRoot, dirname(nodeTypes)] }),
    },
    files: [file],
    include: [],
    references: [],
  };
  const path = join(scratch, "tsconfig.json");
  writeFileSync(path, JSON.stringify(project));
  return path;
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ code: number | null; output: string }> {
  return new Promise((done, failed) => {
    // Loaded when it is needed, as few models ask for it.
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", failed);
    child.on("close", (code) => done({ code, output }));
  });
}

/** Makes the paths in front of diagnostics full ones. */
function absoluteDiagnostics(output: string, folder: string): string[] {
  return output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) =>
      line.replace(/^(\S.*?)(\(\d+,\d+\): )/, (_all, path: string, at: string) => `${resolve(folder, path)}${at}`),
    );
}

/**
 * Checks the types of a model with the TypeScript compiler. Nothing is written near the model.
 *
 * @throws TritonError INVALID_ARG with the diagnostics as `file(line,column): error TS...: ...` when the check fails
 * @throws TritonError UNAVAILABLE when no TypeScript compiler is installed
 */
export async function checkTypes(options: TypeCheckOptions): Promise<void> {
  const typescript = findPackage("typescript", options.lookupFolders);
  const compiler = typescript === undefined ? undefined : join(typescript, "bin", "tsc");
  if (compiler === undefined || !existsSync(compiler)) {
    throw new TritonError(
      `TYPE_CHECK is on for '${options.file}', but the package 'typescript' is not installed. ` +
        "Install it beside the model repository (npm install typescript), or leave TYPE_CHECK out.",
      "UNAVAILABLE",
    );
  }
  const scratch = mkdtempSync(join(tmpdir(), "triton-typescript-check-"));
  try {
    const project = writeProject(scratch, options);
    const args = [compiler, "--project", project, "--pretty", "false"];
    const { code, output } = await run(process.execPath, args, dirname(options.file));
    if (code === 0) return;
    const lines = absoluteDiagnostics(output, dirname(options.file));
    const more = lines.length - SHOWN_DIAGNOSTICS;
    const shown = lines.slice(0, SHOWN_DIAGNOSTICS).join("\n");
    throw new TritonError(
      `The type check of '${options.file}' failed:\n${shown}${more > 0 ? `\n... and ${more} more lines.` : ""}`,
      "INVALID_ARG",
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
