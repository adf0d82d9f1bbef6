// SPDX-License-Identifier: Apache-2.0
// node scripts/setup.mjs [--force-ts] [--force-native]: installs and builds what is missing or out of date.
import { setup } from "./lib/setup.mjs";

process.exitCode = (await setup(new Set(process.argv.slice(2)))) ? 0 : 1;
