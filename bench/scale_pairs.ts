// SPDX-License-Identifier: Apache-2.0
// A slow model and a fast one at the same time: does either slow the other by more than the cores they share?

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { figure } from "./numbers.ts";
import type { PartContext } from "./part.ts";
import { drive } from "./perf_analyzer.ts";
import type { Server } from "./server.ts";
import { turnOf } from "./turn.ts";
import { type Variant, withVariants } from "./variant.ts";

const STRANGER = fileURLToPath(new URL("stranger.ts", import.meta.url));
const BYTES = 64;
const WARM_UP_REQUESTS = 1000;

export const SLOW = {
  typescript: { name: "pair_slow_typescript", backend: "typescript", source: "slow" },
  python: { name: "pair_slow_python", backend: "python", source: "slow_python" },
} satisfies Record<string, Variant>;

export const FAST = {
  typescript: { name: "pair_fast_typescript", backend: "typescript", source: "identity" },
  python: { name: "pair_fast_python", backend: "python", source: "identity_python" },
  floor: { name: "pair_fast_floor", backend: "native_identity" },
} satisfies Record<string, Variant>;

/** "stranger" is a process beside the server that does the same work as the slow model of the typescript backend. */
export interface Setting {
  slow?: keyof typeof SLOW | "stranger";
  fast?: keyof typeof FAST;
}

/** One client each. */
export const SETTINGS: readonly Setting[] = [
  { fast: "typescript" },
  { slow: "typescript" },
  { slow: "typescript", fast: "typescript" },
  { slow: "stranger", fast: "typescript" },
  { slow: "typescript", fast: "floor" },
  { fast: "python" },
  { slow: "python" },
  { slow: "python", fast: "python" },
];

/** The three that the verdict speaks of, and with which it compares: see scale_report.ts. */
const isJudged = ({ slow, fast }: Setting) => slow !== undefined && fast !== undefined && slow !== "python";

export interface PairSample {
  /** Requests per second of each; nothing for the one that did not run, or that takes no requests. */
  slow?: number;
  fast?: number;
}

export interface PairCell {
  setting: Setting;
  samples: PairSample[];
}

async function startStranger(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [STRANGER], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The process beside the server ended with exit code ${code}.`)));
  });
  return child;
}

async function measure(context: PartContext, server: Server, setting: Setting, windowMs: number): Promise<PairSample> {
  const load = async (variant: Variant) =>
    (
      await drive(context.bench, server, {
        model: variant.name,
        bytes: BYTES,
        concurrency: 1,
        windowMs,
        memory: "message",
      })
    ).throughput;
  const stranger = setting.slow === "stranger" ? await startStranger() : undefined;
  const end = () => {
    stranger?.removeAllListeners("exit");
    stranger?.kill("SIGKILL");
  };
  process.once("exit", end);
  try {
    const [slow, fast] = await Promise.all([
      setting.slow === undefined || setting.slow === "stranger" ? undefined : load(SLOW[setting.slow]),
      setting.fast === undefined ? undefined : load(FAST[setting.fast]),
    ]);
    return { ...(slow === undefined ? {} : { slow }), ...(fast === undefined ? {} : { fast }) };
  } finally {
    process.off("exit", end);
    end();
  }
}

const label = (setting: Setting) => `slow ${setting.slow ?? "-"}, fast ${setting.fast ?? "-"}`;

/** Measures all settings, in turns, `rounds` times. */
export async function measurePairs(
  context: PartContext,
  server: Server,
  available: ReadonlySet<string>,
  rounds: number,
  windowMs: number,
): Promise<PairCell[]> {
  const variants = [...Object.values(SLOW), ...Object.values(FAST)].filter(({ backend }) => available.has(backend));
  const names = new Set(variants.map(({ name }) => name));
  const runs = ({ slow, fast }: Setting) =>
    (slow === undefined || slow === "stranger" || names.has(SLOW[slow].name)) &&
    (fast === undefined || names.has(FAST[fast].name));
  const cells = SETTINGS.filter(runs).map((setting): PairCell => ({ setting, samples: [] }));
  await withVariants(context.bench, server, variants, async () => {
    for (const { name } of variants.filter((variant) => Object.values<Variant>(FAST).includes(variant))) {
      await drive(context.bench, server, {
        model: name,
        bytes: BYTES,
        concurrency: 1,
        memory: "message",
        requests: WARM_UP_REQUESTS,
      });
    }
    for (let round = 0; round < rounds; round++) {
      for (const cell of turnOf(cells, round, ({ setting }) => isJudged(setting))) {
        const sample = await measure(context, server, cell.setting, windowMs);
        cell.samples.push(sample);
        context.say(
          `scale: round ${round + 1}/${rounds}, ${label(cell.setting)}: ` +
            `${figure(sample.slow ?? Number.NaN)}/s and ${figure(sample.fast ?? Number.NaN)}/s`,
        );
      }
    }
  });
  return cells;
}
