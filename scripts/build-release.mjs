// SPDX-License-Identifier: Apache-2.0
// node scripts/build-release.mjs: builds the native parts for x64 and arm64, for glibc 2.31 and newer, into prebuilds/, and checks that
// they need nothing else. Parts that were made of the same sources stay.
import { buildPrebuilds } from "./lib/native_release.mjs";
import { SetupError } from "./lib/process.mjs";
import { setup } from "./lib/setup.mjs";

// It brings the headers of Node.
if (!(await setup())) process.exit(1);
try {
  await buildPrebuilds();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`release: ${error.message}`);
  process.exitCode = 1;
}
