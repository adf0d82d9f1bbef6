// SPDX-License-Identifier: Apache-2.0
// A real server under streams, calls, cancels, kills and reloads, all at once, for SOAK_MINUTES: nothing is lost or answered
// wrongly, nothing grows, nothing stays.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, test } from "vitest";
import { GrpcClient } from "../../client/index.ts";
import { isAlive, startServer, until } from "../e2e/harness/index.ts";
import { Disturbances } from "./disturbances.ts";
import { type Footprint, footprint } from "./footprint.ts";
import { MODELS, PROCESSES } from "./models.ts";
import { Traffic } from "./traffic.ts";

const MINUTE_MS = 60_000;
const minutes = Number(process.env["SOAK_MINUTES"] ?? 10);
/** Between the readings; then nobody asks. */
const PART_MS = Math.min(MINUTE_MS, (minutes * MINUTE_MS) / 5);
/** Longer than a process that has nothing to do waits with its collection of garbage. */
const REST_MS = 12_000;
/** What may be gained after the first two parts: allocators and compilers take their time. */
const GAIN_MIB = { serverMib: 32, stubsMib: 24 };

/** gRPC starts one more when all that it has are busy. */
const GAIN_THREADS = 4;

const show = ({ serverMib, stubsMib, ...counts }: Footprint) =>
  `server ${serverMib.toFixed(0)} MiB, stubs ${stubsMib.toFixed(0)} MiB, ${JSON.stringify(counts).replaceAll('"', "")}`;

test(`${minutes} minutes of everything at once`, { timeout: minutes * 3 * MINUTE_MS + 5 * MINUTE_MS }, async () => {
  const loadModels = MODELS.map(({ name }) => name);
  const server = await startServer({ models: MODELS, modelControlMode: "explicit", loadModels });
  const client = new GrpcClient({ url: server.grpcUrl });
  server.closeAtStop(client);
  onTestFailed(() =>
    console.log(`The server ${server.isRunning ? "runs" : "has ended"}:\n${server.log().slice(-8000)}`),
  );
  const disturbances = new Disturbances(server, client);
  const traffic = new Traffic(client, server.url, disturbances);
  const readings: Footprint[] = [];
  const seen = new Set<number>();

  for (let asked = 0; asked < minutes * MINUTE_MS; asked += PART_MS) {
    const end = Date.now() + PART_MS;
    await Promise.all([traffic.run(end), disturbances.run(end)]);
    await until(() => server.stubs().length === PROCESSES, "all processes to be there", MINUTE_MS, server);
    await sleep(REST_MS);
    readings.push(footprint(server));
    for (const pid of server.stubs()) seen.add(pid);
    console.log(`${disturbances.kills} kills, ${disturbances.reloads} reloads; ${show(readings.at(-1)!)}`);
  }
  console.table(Object.fromEntries(traffic.tallies));

  for (const [kind, { answered }] of traffic.tallies) expect(answered, kind).toBeGreaterThan(0);
  expect(Math.min(disturbances.kills, disturbances.reloads)).toBeGreaterThan(0);
  const [first, last] = [readings[1]!, readings.at(-1)!];
  for (const key of ["processes", "descriptors", "clientFiles"] as const) {
    expect(last[key], key).toBeLessThanOrEqual(Math.max(readings[0]![key], first[key]));
  }
  expect(last.threads, "threads").toBeLessThanOrEqual(first.threads + GAIN_THREADS);
  expect(last.regions, "regions").toBeLessThanOrEqual(2 * first.regions);
  expect(last.serverMib).toBeLessThan(first.serverMib + GAIN_MIB.serverMib);
  expect(last.stubsMib).toBeLessThan(first.stubsMib + GAIN_MIB.stubsMib);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  for (const pid of seen) expect(isAlive(pid), `process ${pid}`).toBe(false);
});
