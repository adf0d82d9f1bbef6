// SPDX-License-Identifier: Apache-2.0
import { type Endpoint, hostAndPort } from "./endpoints.ts";
import type { IndexEntry, KServeClient } from "./kserve.ts";
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

/** Asks a live server for its models. */
export async function modelLines(client: KServeClient): Promise<ModelLine[]> {
  const index = await client.repositoryIndex();
  const lines = await Promise.all(
    index.map(async (entry) => ({
      name: entry.name,
      version: entry.version ?? "-",
      state: stateText(entry),
      backend: await backendOf(client, entry),
      reason: entry.state === "UNAVAILABLE" && entry.reason !== "unloaded" ? (entry.reason ?? "") : "",
    })),
  );
  return lines.sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
}

function stateText(entry: IndexEntry): string {
  if (entry.state === undefined || entry.reason === "unloaded") return "not loaded";
  return entry.state === "UNAVAILABLE" ? "FAILED" : entry.state;
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
