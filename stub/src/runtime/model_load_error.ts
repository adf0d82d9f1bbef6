// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { TritonError } from "../api/errors.ts";
import { resembles } from "./method_names.ts";
import { stripTypes } from "./strip_types.ts";
import type { CompilerOptions } from "./tsconfig.ts";

interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly source: string;
}

/** What a failed import of the model's file means. */
export type LoadFailure =
  /** A file is not UTF-8. */
  | { readonly kind: "encoding"; readonly file: string }
  /** Not valid in TypeScript either, or a name that the other file does not export. */
  | { readonly kind: "syntax"; readonly location: SourceLocation | undefined }
  /** Valid TypeScript, but of a sort that must be compiled, not stripped. */
  | { readonly kind: "needs-compiler"; readonly linking: boolean }
  /** A missing module, or whatever the model's own code threw. */
  | { readonly kind: "other" };

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

function toPath(place: string): string {
  if (!place.startsWith("file:")) return place;
  try {
    return fileURLToPath(place);
  } catch {
    return place;
  }
}

/**
 * Reads the head that Node puts on the stack of a syntax error: `file:line`, source lines, and a row of carets under the
 * spot.
 */
function locationInStack(error: unknown, file?: string): SourceLocation | undefined {
  const stack = (error as Error | undefined)?.stack;
  if (typeof stack !== "string") return undefined;
  const lines = stack.split("\n");
  const head = /^(.*):(\d+)$/.exec(lines[0] ?? "");
  const caret = lines.findIndex((line, i) => i >= 2 && /^\s*\^+\s*$/.test(line));
  if (head === null || caret === -1) return undefined;
  return {
    file: toPath((file ?? head[1]!).replace(/\?.*$/, "")),
    line: Number(head[2]),
    column: lines[caret]!.indexOf("^") + 1,
    source: lines[caret - 1]!,
  };
}

function tryStrip(file: string): unknown {
  try {
    stripTypes(file);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The first file that is not TypeScript, with the spot. V8 does not say where a module has its syntax error. */
function findSyntaxError(files: Iterable<string>): { error: Error; location: SourceLocation } | undefined {
  for (const file of files) {
    const error = tryStrip(file);
    if (codeOf(error) !== "ERR_INVALID_TYPESCRIPT_SYNTAX") continue;
    const location = locationInStack(error, file);
    if (location !== undefined) return { error: error as Error, location };
  }
  return undefined;
}

/** The file that a relative import without a TypeScript extension means, when there is one. */
function typescriptTwin(target: string): boolean {
  const base = target.replace(/\.[cm]?jsx?$/, "");
  return [".ts", ".mts", ".cts", ".tsx"].some((ext) => existsSync(base + ext)) || existsSync(join(target, "index.ts"));
}

/** Whether a file has two bytes for each letter, as some editors write it: what Node says of it is hardly to be read. */
function isUtf16(file: string): boolean {
  try {
    const [first, second] = readFileSync(file).subarray(0, 2);
    return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || first === 0 || second === 0;
  } catch {
    return false;
  }
}

/** The sentence for a file that is not UTF-8. */
export function encodingError(file: string): TritonError {
  return new TritonError(
    `The model cannot be loaded, because '${file}' is not saved as UTF-8 but, it seems, as UTF-16. Save it as UTF-8.`,
    "INVALID_ARG",
  );
}

/** Whether a module that was not found is one that a compiler would find. */
function compilerWouldFind(error: unknown, { paths, baseUrl }: CompilerOptions): boolean {
  const { message, url } = error as Error & { url?: string };
  if (url !== undefined && typescriptTwin(toPath(url))) return true;
  const named = /^Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1];
  if (named === undefined) return false;
  if (named.startsWith("/") || named.startsWith("file:")) return typescriptTwin(toPath(named));
  return paths !== undefined || baseUrl !== undefined;
}

/**
 * Says what a failed import means.
 *
 * @param files the model's files that were reached so far
 * @param options those of the compiler that the model asks for
 */
export function classifyFailure(error: unknown, files: readonly string[], options: CompilerOptions): LoadFailure {
  const utf16 = files.find(isUtf16);
  if (utf16 !== undefined) return { kind: "encoding", file: utf16 };
  switch (codeOf(error)) {
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return { kind: "needs-compiler", linking: false };
    case "ERR_UNKNOWN_FILE_EXTENSION":
      return { kind: /"\.[jt]sx"/.test((error as Error).message) ? "needs-compiler" : "other", linking: false };
    case "ERR_INVALID_TYPESCRIPT_SYNTAX":
      return { kind: "syntax", location: locationInStack(error) };
    case "ERR_MODULE_NOT_FOUND":
    case "MODULE_NOT_FOUND":
    case "ERR_UNSUPPORTED_DIR_IMPORT":
    case "ERR_PACKAGE_IMPORT_NOT_DEFINED":
      return compilerWouldFind(error, options) ? { kind: "needs-compiler", linking: false } : { kind: "other" };
  }
  if (!(error instanceof SyntaxError)) return { kind: "other" };
  // The model's own code threw it, by JSON.parse for instance.
  if (ownFrame(error, files) !== undefined) return { kind: "other" };
  const found = findSyntaxError(files);
  if (found !== undefined) return { kind: "syntax", location: found.location };
  // V8 refuses what TypeScript accepts: decorators, or a type that is imported without the word `type`.
  if (files.some((file) => /\.[cm]?tsx?$/.test(file))) return { kind: "needs-compiler", linking: true };
  return { kind: "syntax", location: locationInStack(error) };
}

/** V8 calls it a syntax error when a name is imported that the other module does not export. */
function isMissingExport(reason: string): boolean {
  return /^(?:The requested module|Named export) '/.test(reason);
}

/**
 * The sentence for a file with a syntax error: the spot, the reason and the line.
 *
 * @param location the spot when it is known; else it is read from the errors, the first of which may be missing
 */
export function syntaxError(
  error: unknown,
  location: SourceLocation | undefined,
  file: string,
  first?: unknown,
): TritonError {
  const reason = (error as Error).message;
  const spot = location ?? locationInStack(first) ?? locationInStack(error);
  if (spot === undefined) {
    return new TritonError(`The model file '${file}' cannot be loaded: ${reason}`, "INVALID_ARG", { cause: error });
  }
  const { source, line, column } = spot;
  const pointer = `${source.slice(0, column - 1).replace(/\S/g, " ")}^`;
  return new TritonError(
    `The model cannot be loaded because of ${isMissingExport(reason) ? "an import" : "a syntax error"} at ` +
      `${spot.file}:${line}:${column}: ${reason}\n` +
      `${source}\n${pointer}`,
    "INVALID_ARG",
    { cause: error },
  );
}

/** The first place on a stack that lies in one of the model's own files, as `file:line:column`. */
function ownFrame(error: unknown, files: Iterable<string>): string | undefined {
  const own = new Set(files);
  for (const line of (error as Error | undefined)?.stack?.split("\n") ?? []) {
    const place = /^\s+at (?:.*\()?((?:file:\/\/)?\/.*?)(?:\?[^:]*)?:(\d+):(\d+)\)?$/.exec(line);
    if (place === null) continue;
    const path = toPath(place[1]!);
    if (own.has(path)) return `${path}:${place[2]}:${place[3]}`;
  }
  return undefined;
}

/** What to do about a package that is not there. */
function hintOfPackage({ message }: Error): string {
  const name = /^Cannot find package '([^'/.]+|@[^'/]+\/[^'/]+)'/.exec(message)?.[1];
  if (name === undefined) return "";
  if (resembles(name, "triton-typescript")) return " Is 'triton-typescript' meant?";
  return ` Run npm install ${name} in the model's folder or above the repository.`;
}

/** The sentence for a module that is not there. */
function missingModule(error: Error, file: string): TritonError {
  const reason = error.message.split("\n")[0]!.replace(/\.?$/, ".");
  return new TritonError(
    `The model file '${file}' cannot be loaded because an import was not found: ${reason} ` +
      `A relative import is looked up beside its file, a package from '${dirname(file)}' upwards.${hintOfPackage(error)}`,
    "NOT_FOUND",
    { cause: error },
  );
}

/** The error of a load for whatever the import of the model's file threw. */
export function importError(error: unknown, file: string, files: Iterable<string>): TritonError {
  if (["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"].includes(codeOf(error) ?? "")) {
    return missingModule(error as Error, file);
  }
  if (!(error instanceof Error)) {
    // Also the errors of loader hooks come so: on their way between threads they lose their class.
    const shown = typeof error === "string" ? error : inspect(error).trim();
    return new TritonError(`The model file '${file}' threw while it was loaded: ${shown}`, "INTERNAL");
  }
  const frame = ownFrame(error, files);
  return new TritonError(
    `The model file '${file}' threw while it was loaded: ${error.name}: ${error.message}` +
      `${frame === undefined ? "" : ` (at ${frame})`}`,
    error instanceof TritonError ? error.code : "INTERNAL",
    { cause: error },
  );
}
