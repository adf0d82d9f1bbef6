// SPDX-License-Identifier: Apache-2.0
// node scripts/start.mjs [ARGUMENT...]: makes the checkout ready and serves. One process on purpose: npm hands signals
// to the command that it started, and a shell in between would end without passing them on.
import { setup } from "./lib/setup.mjs";

if (await setup()) {
  process.argv.splice(2, 0, "serve");
  // npm runs this in the checkout; paths on the command line are meant from where the caller stands.
  if (process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
  await import("../bin/triton-ts.js");
} else {
  process.exitCode = 1;
}
