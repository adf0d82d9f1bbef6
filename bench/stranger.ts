// SPDX-License-Identifier: Apache-2.0
// Does what the slow model does, in a process that the server knows nothing of: all that it costs a model beside it is the
// core that it uses. It takes a breath between two portions, as the slow model does between two requests.

import { setTimeout as sleep } from "node:timers/promises";
import { portionsFor, work } from "./models/slow/busy.ts";

const BUSY_MS = 20;
const BREATH_MS = 2;

const portions = portionsFor(BUSY_MS);
console.log("working");
for (;;) {
  work(portions);
  await sleep(BREATH_MS);
}
