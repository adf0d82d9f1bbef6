// SPDX-License-Identifier: Apache-2.0
// A slow model and a fast one at the same time: does either slow the other by more than the cores they share?

import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { type Cell, inRounds, perRound } from "./grid.ts";
import { send, sendRequests } from "./load.ts";
import { columns } from "./markdown.ts";
import { FLOOR, type Model, OURS, PYTHON, withModels } from "./models.ts";
import { figure, withSpread } from "./numbers.ts";
import type { PartContext } from "./part.ts";
import { KEEP } from "./scale_sweeps.ts";
import type { Server } from "./server.ts";
import { finding, type Verdict, verdict } from "./verdict.ts";

/** Long, since the slow model answers fewer than fifty requests a second. */
const WINDOW_MS = 500;
const QUICK_WINDOW_MS = 300;
const WARM_UP_REQUESTS = 1000;

/** A process beside the server that does the same work as the slow model of the typescript backend. */
const STRANGER = "another process";

const SLOW: Readonly<Record<string, Model>> = {
  [OURS]: { name: "pair_slow_typescript", backend: "typescript", source: "slow" },
  [PYTHON]: { name: "pair_slow_python", backend: "python", source: "slow_python" },
};

const FAST: Readonly<Record<string, Model>> = {
  [OURS]: { name: "pair_fast_typescript", backend: "typescript", source: "identity" },
  [PYTHON]: { name: "pair_fast_python", backend: "python", source: "identity_python" },
  [FLOOR]: { name: "pair_fast_floor", backend: "native_identity" },
};

/** Which slow and which fast model run, with one client each. */
export interface Setting {
  title: string;
  slow?: string;
  fast?: string;
}

const setting = (pair: Omit<Setting, "title">): Setting => ({
  ...pair,
  title: `slow ${pair.slow ?? "-"}, fast ${pair.fast ?? "-"}`,
});

const BOTH = setting({ slow: OURS, fast: OURS });
/** What the two of it are held against: others on the same cores. */
const FAST_BESIDE_STRANGER = setting({ slow: STRANGER, fast: OURS });
const SLOW_BESIDE_FLOOR = setting({ slow: OURS, fast: FLOOR });
const JUDGED = [BOTH, FAST_BESIDE_STRANGER, SLOW_BESIDE_FLOOR];

const SETTINGS: readonly Setting[] = [
  setting({ fast: OURS }),
  setting({ slow: OURS }),
  ...JUDGED,
  setting({ fast: PYTHON }),
  setting({ slow: PYTHON }),
  setting({ slow: PYTHON, fast: PYTHON }),
];

/** Requests per second of each; nothing for the one that did not run, or that takes no requests. */
interface PairSample {
  slow?: number;
  fast?: number;
}

export type PairCell = Cell<PairSample>;

async function startStranger(): Promise<() => void> {
  const script = path.join(import.meta.dirname, "stranger.ts");
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  const ended = once(child, "exit").then(([code]) => {
    process.off("exit", end);
    return new Error(`The process beside the server ended with exit code ${code}.`);
  });
  const failure = await Promise.race([once(child.stdout, "data").then(() => undefined), ended]);
  if (failure) throw failure;
  return end;
}

async function measure(server: Server, { slow, fast }: Setting, windowMs: number): Promise<PairSample> {
  const load = async (model: Model) =>
    (await send(server, model, { concurrency: 1, windowMs, memory: "message" })).throughput;
  const endStranger = slow === STRANGER ? await startStranger() : undefined;
  try {
    const both = [slow && slow !== STRANGER ? load(SLOW[slow]!) : undefined, fast ? load(FAST[fast]!) : undefined];
    const [slowly, quickly] = await Promise.all(both);
    return { slow: slowly, fast: quickly };
  } finally {
    endStranger?.();
  }
}

export async function measurePairs(context: PartContext, server: Server): Promise<PairCell> {
  const isThere = (model: Model) => context.subjects.some(({ backend }) => backend === model.backend);
  const runs = (models: typeof SLOW, title?: string) =>
    title === undefined || title === STRANGER || isThere(models[title]!);
  const settings = SETTINGS.filter(({ slow, fast }) => runs(SLOW, slow) && runs(FAST, fast));
  const fastOnes = Object.values(FAST).filter(isThere);
  const windowMs = context.quick ? QUICK_WINDOW_MS : WINDOW_MS;
  const cell: PairCell = { label: "pairs", samples: {} };
  await withModels(server, [...Object.values(SLOW).filter(isThere), ...fastOnes], async () => {
    for (const model of fastOnes) {
      await sendRequests(server, model, { concurrency: 1, memory: "message" }, WARM_UP_REQUESTS);
    }
    await inRounds(context, {
      cells: [cell],
      contestants: () => settings,
      isJudged: (who) => JUDGED.includes(who),
      measure: (who) => measure(server, who, windowMs),
      tell: ({ slow = Number.NaN, fast = Number.NaN }) => `${figure(slow)}/s and ${figure(fast)}/s`,
    });
  });
  return cell;
}

/** Throughput of one of two models, in each round in which it ran. */
const throughput = (cell: PairCell, { title }: Setting, which: keyof PairSample): number[] =>
  perRound(cell, [title], (sample) => sample![which] ?? []).flat();

/** The same as a share of what it has in another setting, in the same round. */
export const pairShare = (cell: PairCell, which: keyof PairSample, one: Setting, reference: Setting): number[] =>
  perRound(cell, [one.title, reference.title], (sample, before) => {
    const [value, beside] = [sample![which], before![which]];
    return value === undefined || beside === undefined ? [] : value / beside;
  }).flat();

export function pairTable(cell: PairCell): string {
  const shareOfAlone = (which: keyof PairSample) => (one: Setting) =>
    one.slow && one.fast ? withSpread(pairShare(cell, which, one, setting({ [which]: one[which] }))) : "-";
  return columns(
    SETTINGS.filter(({ title }) => cell.samples[title]),
    [
      ["slow model", ({ slow = "-" }) => slow],
      ["fast model", ({ fast = "-" }) => fast],
      ["slow, requests/s", (one) => withSpread(throughput(cell, one, "slow"))],
      ["fast, requests/s", (one) => withSpread(throughput(cell, one, "fast"))],
      ["slow, share of alone", shareOfAlone("slow")],
      ["fast, share of alone", shareOfAlone("fast")],
    ],
  );
}

export const pairVerdict = (cell: PairCell): Verdict =>
  verdict(
    `a slow and a fast model keep ${KEEP} of what they have beside strangers on the same cores`,
    [
      ...finding(pairShare(cell, "fast", BOTH, FAST_BESIDE_STRANGER), "the fast one"),
      ...finding(pairShare(cell, "slow", BOTH, SLOW_BESIDE_FLOOR), "the slow one"),
    ],
    { atLeast: KEEP },
  );
