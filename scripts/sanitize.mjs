// SPDX-License-Identifier: Apache-2.0
// node scripts/sanitize.mjs: the C tests, the conformance tests and the fault tests in builds that watch memory and
// undefined behaviour (build-asan) and threads (build-tsan).
process.argv.splice(2, Number.POSITIVE_INFINITY, "c-asan", "c-tsan");
await import("./test.mjs");
