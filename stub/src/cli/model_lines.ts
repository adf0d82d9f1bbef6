// SPDX-License-Identifier: Apache-2.0
// What a server that has just started serves: asked from its API, completed from its log and from the repositories,
// because the API leaves out why a model was not loaded, and some models altogether.
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RepositoryIndexEntry } from "../../../client/http/index.ts";
import type { LoadFailures } from "../../../server/load_failures.ts";
import type { ModelSource } from "../../../server/model_source.ts";
import { canBeAddressed } from "../../../server/plain_fetch.ts";

/** One version of one model, as the summary shows it. */
export interface ModelLine {
  name: string;
  version: string;
  /** Triton's own words, but "FAILED", "not loaded" and, where nobody tells, "unknown". */
  state: string;
  backend: string;
  reason: string;
}

export interface ServedModels {
  lines: ModelLine[];
  /** Folders of the repositories that hold no model, and that the server tried all the same. */
  strangers: string[];
  /** False when the server's API does not tell of models, and its log had to. */
  asked: boolean;
}

/** Whom to ask, and what the server was started with. */
export interface ModelQuestion {
  sources: readonly ModelSource[];
  failures: LoadFailures;
  repositories: readonly string[];
  /** The models that it was to load. */
  startup: "all" | readonly string[];
}

/** The first source that has an answer gives it: an endpoint may be off, restricted, or want TLS. */
export async function firstAnswer<T>(
  sources: readonly ModelSource[],
  ask: (source: ModelSource) => Promise<T>,
): Promise<T | undefined> {
  for (const source of sources) {
    const answer = await ask(source).catch(() => undefined);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

const askAgainTimes = 10;
const askAgainMs = 200;
const passing = new Set(["LOADING", "UNLOADING"]);

/** The index, asked again for a bounded while as long as models come and go: in mode poll Triton retries at once. */
async function settledIndex(sources: readonly ModelSource[]): Promise<RepositoryIndexEntry[] | undefined> {
  const ask = () => firstAnswer(sources, (source) => source.repositoryIndex());
  let index = await ask();
  for (let at = 0; at < askAgainTimes && index?.some(({ state = "" }) => passing.has(state)); at++) {
    await sleep(askAgainMs);
    index = (await ask()) ?? index;
  }
  return index;
}

async function backendOf(
  sources: readonly ModelSource[],
  { name, version, state }: RepositoryIndexEntry,
): Promise<string> {
  if (state !== "READY") return "-";
  const config = await firstAnswer(sources, (source) => source.modelConfig(name, { modelVersion: version }));
  return config?.backend || config?.platform || "-";
}

/** Whether a folder may be a model: it has a configuration or a version. One that cannot be read may be one, too. */
function mayBeModel(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name === "config.pbtxt" || name === "configs" || /^\d+$/.test(name));
  } catch {
    return true;
  }
}

function namesIn(repository: string): string[] {
  try {
    return readdirSync(repository);
  } catch {
    return []; // a place in a cloud, or one that cannot be read: the server says what is wrong with it
  }
}

function isFolder(place: string): boolean {
  try {
    return statSync(place).isDirectory(); // a link to one is one
  } catch {
    return false;
  }
}

/** The folders of repositories on this machine, by name, and whether each may be a model. */
function foldersIn(repositories: readonly string[]): Map<string, boolean> {
  const found = new Map<string, boolean>();
  for (const repository of repositories) {
    for (const name of namesIn(repository)) {
      const folder = path.join(repository, name);
      if (!isFolder(folder)) continue;
      found.set(name, mayBeModel(folder) || found.get(name) === true);
    }
  }
  return found;
}

const noReason = "Neither the server nor its log says why.";

function stateOf(
  entry: RepositoryIndexEntry,
  wanted: boolean,
  failures: LoadFailures,
): { state: string; reason: string } {
  const { state, name, version } = entry;
  const logged = failures.reason(name, version);
  if (state === "READY") {
    const reason = canBeAddressed(name) ? "" : "Only gRPC can ask for it: HTTP addresses cannot hold such a name.";
    return { state, reason };
  }
  if (entry.reason === "unloaded") {
    const reason = wanted ? "It was unloaded again, because another version failed." : "";
    return { state: "not loaded", reason };
  }
  if (state === "UNAVAILABLE") return { state: "FAILED", reason: entry.reason || logged || noReason };
  if ((state === undefined || state === "LOADING") && logged !== undefined) return { state: "FAILED", reason: logged };
  if (state === undefined && wanted) return { state: "FAILED", reason: noReason };
  return { state: state ?? "not loaded", reason: "" };
}

/** What the log alone says of a model. */
function loggedLine(name: string, failures: LoadFailures): ModelLine {
  const reason = failures.reason(name) ?? "";
  const known = failures.loaded.includes(name) ? "READY" : "unknown";
  return { name, version: "-", state: reason === "" ? known : "FAILED", backend: "-", reason };
}

/** The models of a server that has tried to load those that it was to load. */
export async function servedModels(question: ModelQuestion): Promise<ServedModels> {
  const { sources, failures, repositories, startup } = question;
  const folders = foldersIn(repositories);
  const named = startup === "all" ? [...folders.keys()].filter((name) => folders.get(name)) : startup;
  const isStranger = (name: string) => folders.get(name) === false && !(startup !== "all" && startup.includes(name));
  const index = (await settledIndex(sources))?.filter(({ name, state }) => state !== undefined || !isStranger(name));
  const lines = await Promise.all(
    (index ?? []).map(async (entry) => ({
      name: entry.name,
      version: entry.version ?? "-",
      ...stateOf(entry, startup === "all" || startup.includes(entry.name), failures),
      backend: await backendOf(sources, entry),
    })),
  );
  const known = new Set(lines.map(({ name }) => name));
  const others = new Set([...named, ...failures.models, ...(index === undefined ? failures.loaded : [])]);
  for (const name of others) {
    if (known.has(name) || isStranger(name)) continue;
    const line = loggedLine(name, failures);
    const failed = index !== undefined && line.state !== "FAILED";
    lines.push(failed ? { ...line, state: "FAILED", reason: noReason } : line);
  }
  return {
    lines: lines.sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version)),
    strangers: startup === "all" ? [...folders.keys()].filter(isStranger).sort() : [],
    asked: index !== undefined,
  };
}
