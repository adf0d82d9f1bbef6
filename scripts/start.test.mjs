// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("start.mjs", import.meta.url));
const checkout = path.dirname(path.dirname(script));

test("a repository is looked for from the folder in which npm was called", () => {
  const caller = realpathSync(mkdtempSync(path.join(tmpdir(), "start-test-")));
  try {
    const env = { ...process.env, INIT_CWD: caller };
    const { status, stderr } = spawnSync("node", [script, "mine"], { cwd: checkout, env, encoding: "utf8" });
    expect(stderr).toContain(`The model repository ${path.join(caller, "mine")} does not exist.`);
    expect(status).not.toBe(0);
  } finally {
    rmSync(caller, { recursive: true, force: true });
  }
}, 300_000);
