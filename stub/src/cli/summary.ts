// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, hostAndPort } from "../../../server/endpoints.ts";
import type { IndexEntry, KServeClient } from "../../../server/kserve.ts";
import type { LoadFailures } from "../../../server/load_failures.ts";
import { columns, type Paint } from "./terminal.ts";

/** One version of one model, as the summary shows it. */
export interface ModelLine {
  name: string;
  version: string;
  state: string;
  backend: string;
  reason: string;
}

async function backendOf(client: KServeClient, entry: IndexEntry): Promise<string> {
  if (entry.state !== "READY") return "-";
  try {
    const config = await client.modelConfig(entry.name, entry.version);
    return config.backend || config.platform || "-";
  } catch {
    return "-"; // unloaded in between
  }
}

const askAgainTimes = 10;
const askAgainMs = 200;

/** The index, asked again for a bounded while as long as a model is being loaded: in mode poll Triton retries at once. */
async function settledIndex(client: KServeClient): Promise<IndexEntry[]> {
  let index = await client.repositoryIndex();
  for (let at = 0; at < askAgainTimes && index.some(({ state }) => state === "LOADING"); at++) {
    await sleep(askAgainMs);
    index = await client.repositoryIndex();
  }
  return index;
}

/** Asks a live server for its models. What the index leaves out on failures comes from the server's log. */
export async function modelLines(client: KServeClient, failures: LoadFailures): Promise<ModelLine[]> {
  const index = await settledIndex(client);
  const lines = await Promise.all(
    index.map(async (entry) => ({
      name: entry.name,
      version: entry.version ?? "-",
      ...stateOf(entry, failures),
      backend: await backendOf(client, entry),
    })),
  );
  const known = new Set(index.map(({ name }) => name));
  for (const name of failures.models.filter((model) => !known.has(model))) {
    lines.push({ name, version: "-", state: "FAILED", backend: "-", reason: failures.reason(name) ?? "" });
  }
  return lines.sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
}

function stateOf(entry: IndexEntry, failures: LoadFailures): { state: string; reason: string } {
  const { state } = entry;
  if (entry.reason === "unloaded") return { state: "not loaded", reason: "" };
  if (state === "UNAVAILABLE") {
    return { state: "FAILED", reason: entry.reason || (failures.reason(entry.name, entry.version) ?? "") };
  }
  const logged = failures.reason(entry.name, entry.version);
  if (logged !== undefined && (state === undefined || state === "LOADING")) return { state: "FAILED", reason: logged };
  return { state: state ?? "not loaded", reason: "" };
}

function paintRow(text: string, line: ModelLine, paint: Paint): string {
  if (line.state === "READY") return text.replace("READY", paint("green", "READY"));
  return line.state === "FAILED" ? text.replace("FAILED", paint("red", "FAILED")) : paint("dim", text);
}

/** The lines on what is served and where. */
export function summaryLines(
  title: string,
  models: readonly ModelLine[],
  endpoints: readonly Endpoint[],
  paint: Paint,
) {
  const rows = columns([
    ["MODEL", "VERSION", "STATE", "BACKEND"],
    ...models.map(({ name, version, state, backend }) => [name, version, state, backend]),
  ]);
  const table = models.flatMap((model, at) => {
    const reason = model.reason.trim().split("\n").join("\n      ");
    const row = `  ${paintRow(rows[at + 1] ?? "", model, paint)}`;
    return reason === "" ? [row] : [row, `      ${reason}`];
  });
  const nothing = "  no model is there yet";
  return [
    "",
    paint("bold", title),
    "",
    ...(models.length === 0 ? [nothing] : [`  ${paint("dim", rows[0] ?? "")}`, ...table]),
    "",
    ...endpoints.map((endpoint) => `  ${endpointText(endpoint, paint)}`),
    "",
    paint("dim", "  Ctrl-C stops the server."),
    "",
  ];
}

function endpointText(endpoint: Endpoint, paint: Paint): string {
  const place = hostAndPort(endpoint);
  const text = { http: `http://${place}`, grpc: place, metrics: `http://${place}/metrics` }[endpoint.name];
  const name = { http: "HTTP", grpc: "gRPC", metrics: "Metrics" }[endpoint.name];
  return `${name.padEnd(7)}  ${paint("cyan", text)}`;
}
