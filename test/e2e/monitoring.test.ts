// SPDX-License-Identifier: Apache-2.0
// What docker/ and deploy/ ask of /metrics, against the real server; and where there is a Prometheus, on PATH or in the folder
// that the variable PROMETHEUS names, through it: its configuration, a scrape, and each query of the dashboard.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../server/package_root.ts";
import { freePorts } from "../../server/ports.ts";
import { eventually, fetchOnce, inferJson, startServer, type TestServer, until } from "./harness/index.ts";

const read = (...names: string[]) => readFileSync(path.join(packageRoot, ...names), "utf8");

/** The queries of the dashboard, for all models. */
function dashboardQueries(): string[] {
  const { panels } = JSON.parse(read("docker", "monitoring", "grafana", "dashboard.json"));
  const targets: { expr: string }[] = panels.flatMap((panel: { targets?: { expr: string }[] }) => panel.targets ?? []);
  return targets.map(({ expr }) => expr.replaceAll("$model", ".*"));
}

/** The query by which the autoscaler gets its metric, as prometheus-adapter makes it for a group of series. */
function autoscalerQuery(): string {
  const text = read("deploy", "prometheus-adapter.yaml");
  const query = text.slice(text.indexOf("metricsQuery: >-") + "metricsQuery: >-".length);
  return query.replaceAll("<<.LabelMatchers>>", 'model=~".+"').replaceAll("<<.GroupBy>>", "model").replace(/\s+/g, " ");
}

const metricNames = (text: string) => [...new Set(text.match(/\b(nv|triton_typescript)_\w+/g) ?? [])].sort();

const programs = process.env["PROMETHEUS"] ?? "";
const prometheus = path.join(programs, "prometheus");
const hasPrometheus = spawnSync(prometheus, ["--version"]).status === 0;
if (!hasPrometheus)
  console.error("No Prometheus asks here: there is none on PATH, and PROMETHEUS names no folder with it.");

const FLOATS = Array.from({ length: 16 }, (_, i) => i);

/** One series of an answer of Prometheus: its labels, and when it had which value. */
interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    repository: path.join(packageRoot, "model_repository"),
    modelControlMode: "explicit",
    loadModels: ["add_sub"],
  });
  const tensor = (name: string, data: unknown[]) => ({ name, datatype: "FP32", shape: [1, data.length], data });
  for (let i = 0; i < 3; i++) {
    const inputs = ["INPUT0", "INPUT1"].map((name) => tensor(name, FLOATS));
    expect((await inferJson(server, "add_sub", { inputs })).status).toBe(200);
  }
});

afterAll(() => server.stop());

describe("the metrics that are asked for", () => {
  const missing = async (names: readonly string[]) => {
    const text = await (await fetchOnce(server.metricsUrl)).text();
    return names.filter((name) => !new RegExp(`^${name}\\{`, "m").test(text));
  };

  test("by the dashboard are on /metrics", async () => {
    const dashboard = read("docker", "monitoring", "grafana", "dashboard.json");
    const names = metricNames(dashboard);
    expect(names.length).toBeGreaterThan(8);
    await eventually(async () => expect(await missing(names)).toEqual([]));
  });

  test("by the autoscaler are on /metrics", async () => {
    const names = metricNames(read("deploy", "prometheus-adapter.yaml"));
    expect(names).toHaveLength(2);
    await eventually(async () => expect(await missing(names)).toEqual([]));
  });
});

describe.skipIf(!hasPrometheus)("a Prometheus", () => {
  let folder: string;
  let url: string;
  let child: ChildProcess;
  let log = "";

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "prometheus-"));
    const [port = 0] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    const config = read("docker", "monitoring", "prometheus.yaml");
    expect(config).toContain('"triton:8002"');
    const file = path.join(folder, "prometheus.yml");
    writeFileSync(
      file,
      config
        .replace('"triton:8002"', JSON.stringify(new URL(server.metricsUrl).host))
        .replace(/scrape_interval: .*/, "scrape_interval: 500ms"),
    );
    const storage = `--storage.tsdb.path=${path.join(folder, "data")}`;
    child = spawn(prometheus, [`--config.file=${file}`, storage, `--web.listen-address=127.0.0.1:${port}`]);
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (log += chunk.toString()));
    // A rate needs two scrapes.
    await until(
      async () => Number((await ask("count_over_time(up[1m])").catch(() => []))[0]?.value[1] ?? 0) >= 3,
      "three scrapes",
      60_000,
    );
  });

  afterAll(async () => {
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      // Until then it may still write into its folder.
      await ended;
    }
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function ask(query: string): Promise<Series[]> {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { status, data, error } = (await response.json()) as {
      status: string;
      data?: { result: Series[] };
      error?: string;
    };
    if (status !== "success" || data === undefined) throw new Error(`${query}: ${error}\n${log}`);
    return data.result;
  }

  test("takes the configuration", () => {
    const file = path.join(packageRoot, "docker", "monitoring", "prometheus.yaml");
    const { status, stdout, stderr } = spawnSync(path.join(programs, "promtool"), ["check", "config", file]);
    expect(status, `${stdout}${stderr}`).toBe(0);
  });

  test("reaches the server", async () => {
    expect((await ask("up"))[0]?.value[1]).toBe("1");
  });

  test.each(dashboardQueries())("answers the dashboard: %s", async (query) => {
    const series = await ask(query);
    expect(series.length).toBeGreaterThan(0);
    expect(series.every(({ metric }) => metric["model"] === "add_sub")).toBe(true);
  });

  test("answers the autoscaler", async () => {
    expect(await ask(autoscalerQuery())).toMatchObject([{ metric: { model: "add_sub" } }]);
  });
});
