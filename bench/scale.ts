// SPDX-License-Identifier: Apache-2.0
// Scale: more instances, clients, rows, tensors; and a slow model beside a fast one. About 7 minutes with five rounds.

import type { Part } from "./part.ts";
import { measurePairs, type PairCell, pairTable, pairVerdict } from "./scale_pairs.ts";
import { measureSweeps, type StepCell, sweepTables, sweepVerdicts } from "./scale_sweeps.ts";

export interface ScaleFigures {
  steps: StepCell[];
  pairs: PairCell;
}

export const scale: Part<ScaleFigures> = {
  name: "scale",
  about: "more instances, clients, rows and tensors; a slow model beside a fast one",
  measure: async (context) => ({
    steps: await measureSweeps(context),
    pairs: await context.withServer((server) => measurePairs(context, server)),
  }),
  sections: ({ steps, pairs }) => ({ Scale: sweepTables(steps), "A slow model beside a fast one": pairTable(pairs) }),
  verdicts: ({ steps, pairs }) => [...sweepVerdicts(steps), pairVerdict(pairs)],
};
