// SPDX-License-Identifier: Apache-2.0
// All parts of the benchmark.

import { bytes } from "./bytes.ts";
import { calls } from "./calls.ts";
import { identity } from "./identity.ts";
import { flatness, idle, instance } from "./instance.ts";
import { ocr } from "./ocr.ts";
import { ocrBls } from "./ocr_bls.ts";
import { overlap } from "./overlap.ts";
import type { Part } from "./part.ts";
import { scale } from "./scale.ts";
import { start } from "./start.ts";
import { streams } from "./streams.ts";
import { viam } from "./viam.ts";
import { work } from "./work.ts";

/** In the order in which they run and stand on the page. */
export const PARTS: readonly Part<unknown>[] = [
  ...[identity, work, ocr, ocrBls, overlap, calls, streams, bytes, viam],
  ...[scale, start, instance, idle, flatness],
];
