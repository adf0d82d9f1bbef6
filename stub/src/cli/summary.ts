// SPDX-License-Identifier: Apache-2.0
import { type Endpoint, hostAndPort } from "../../../server/endpoints.ts";
import type { ModelLine, ServedModels } from "./model_lines.ts";
import { columns, type Paint } from "./terminal.ts";

function paintRow(text: string, line: ModelLine, paint: Paint): string {
  if (line.state === "READY") return text.replace("READY", paint("green", "READY"));
  return line.state === "FAILED" ? text.replace("FAILED", paint("red", "FAILED")) : paint("dim", text);
}

/** " with 8 of 10 models" when some that were to be loaded are not; otherwise nothing. */
function countText(lines: readonly ModelLine[]): string {
  const namesOf = (...states: string[]) =>
    new Set(lines.filter(({ state }) => states.includes(state)).map(({ name }) => name)).size;
  const [ready, all] = [namesOf("READY"), namesOf("READY", "FAILED")];
  return ready === all ? "" : ` with ${ready} of ${all} models`;
}

function table(lines: readonly ModelLine[], paint: Paint): string[] {
  if (lines.length === 0) return ["  no model is there yet"];
  const [head = "", ...rows] = columns([
    ["MODEL", "VERSION", "STATE", "BACKEND"],
    ...lines.map(({ name, version, state, backend }) => [name, version, state, backend]),
  ]);
  const body = lines.flatMap((line, at) => {
    const reason = line.reason.trim().split("\n").join("\n      ");
    const row = `  ${paintRow(rows[at] ?? "", line, paint)}`;
    return reason === "" ? [row] : [row, `      ${reason}`];
  });
  return [`  ${paint("dim", head)}`, ...body];
}

function notes({ strangers, asked }: ServedModels): string[] {
  const notModels =
    strangers.length === 0
      ? []
      : [
          `  Not a model: ${strangers.join(", ")} (no config.pbtxt and no version folder in it). Triton takes every folder of`,
          "  a repository for a model and logs an error for such a one; move it out of the repository.",
        ];
  const byLog = asked
    ? []
    : ["  Neither HTTP nor gRPC tells of models here; the states are those of the server's log."];
  return [...notModels, ...byLog].flatMap((line, at) => (at === 0 ? ["", line] : [line]));
}

/** The lines on what is served and where. */
export function summaryLines(
  server: string,
  models: ServedModels,
  repositories: readonly string[],
  endpoints: readonly Endpoint[],
  paint: Paint,
): string[] {
  return [
    "",
    paint("bold", `${server} is ready${countText(models.lines)}`),
    "",
    ...table(models.lines, paint),
    ...notes(models),
    "",
    ...repositories.map((repository) => `  Models   ${paint("cyan", repository)}`),
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
