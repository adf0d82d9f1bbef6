// SPDX-License-Identifier: Apache-2.0
// The linter's rules about who may import whom, each tried with a file of one import, in a folder like the project's; and
// a circle of two files that only know each other's types.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundledNode, inRoot, toolScript } from "./lib/paths.mjs";

const FORBIDDEN = [
  ["stub/src/api", "../ipc/native.ts"],
  ["stub/src/api", "../cli/main.ts"],
  ["stub/src/api", "../../../bench/numbers.ts"],
  ["stub/src/protocol", "../ipc/native.ts"],
  ["stub/src/ipc", "../runtime/stub.ts"],
  ["stub/src/runtime", "../protocol/layout.gen.ts"],
  ["stub/src/runtime", "../cli/main.ts"],
  ["stub/src/runtime", "../../../test/e2e/harness/http.ts"],
  ["stub/src/cli", "../runtime/stub.ts"],
  ["scripts", "../test/ocr/accuracy.ts"],
  ["model_repository/add_sub/1", "../../../stub/src/api/index.ts"],
  ["backends/onnxruntime", "../../stub/src/api/index.ts"],
  ["bench", "../stub/src/runtime/stub.ts"],
  ["server", "../stub/src/runtime/stub.ts"],
  ["server", "../stub/src/ipc/native.ts"],
  ["server", "../stub/src/cli/main.ts"],
  ["stub/src/runtime", "../../../server/server_process.ts"],
  ["stub/src/ipc", "../../../server/server_process.ts"],
  ["stub/src/api", "../../../server/server_process.ts"],
  ["stub/src/api", "../../../proto/service_definition.ts"],
  ["stub/src/ipc", "../../../proto/service_definition.ts"],
  ["stub/src/runtime", "../../../proto/service_definition.ts"],
  ["stub/src/protocol", "../../../proto/service_definition.ts"],
  ["proto", "../stub/src/api/index.ts"],
  ["proto", "../server/error.ts"],
  ["proto", "../client/client_error.ts"],
  ["stub/src/runtime", "../../../client/client_error.ts"],
  ["stub/src/ipc", "../../../client/client_error.ts"],
  ["stub/src/api", "../../../client/client_error.ts"],
  ["stub/src/protocol", "../../../client/client_error.ts"],
  ["client", "../stub/src/runtime/stub.ts"],
  ["client", "../stub/src/ipc/native.ts"],
  ["client", "../stub/src/cli/main.ts"],
  ["client", "../server/server_process.ts"],
  ["bench", "../stub/src/ipc/native.ts"],
  ["bench", "../test/e2e/harness/http.ts"],
  ["viam-module", "../stub/src/runtime/stub.ts"],
  ["viam-module", "../stub/src/ipc/native.ts"],
  ["viam-module", "../stub/src/cli/main.ts"],
  ["viam-module", "../backends/onnxruntime/model.ts"],
  ["viam-module", "../test/e2e/harness/http.ts"],
];
const ALLOWED = [
  ["viam-module", "../server/server_process.ts"],
  ["viam-module", "../proto/service_definition.ts"],
  ["bench", "../viam-module/main.ts"],
  ["stub/src/runtime", "../ipc/connection.ts"],
  ["stub/src/ipc", "../protocol/layout.gen.ts"],
  ["bench", "../stub/src/api/index.ts"],
  ["bench", "../server/server_process.ts"],
  ["server", "../stub/src/api/index.ts"],
  ["server", "../client/index.ts"],
  ["client", "../stub/src/api/tensor.ts"],
  ["client/grpc", "../../proto/service_definition.ts"],
  ["stub/src/cli", "../../../server/server_process.ts"],
  ["bench", "../test/ocr/accuracy.ts"],
  ["test/e2e", "../../stub/src/runtime/stub.ts"],
];

const CIRCLE = [
  ["first", "second"],
  ["second", "first"],
];

describe("the linter", () => {
  let folder;
  let told;
  const fileOf = (from, specifier) => path.join(from, `${specifier.replaceAll(/\W+/g, "_")}.mjs`);

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "import-direction-"));
    copyFileSync(inRoot("biome.json"), path.join(folder, "biome.json"));
    for (const [from, specifier] of [...FORBIDDEN, ...ALLOWED]) {
      const file = path.join(folder, fileOf(from, specifier));
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `import { something } from "${specifier}";\nexport { something };\n`);
    }
    for (const [own, other] of CIRCLE) {
      const text = `import type { Of${other} } from "./${other}.ts";\nexport type Of${own} = Of${other} | undefined;\n`;
      writeFileSync(path.join(folder, "stub/src/runtime", `${own}.ts`), text);
    }
    const options = [
      "--only=style/noRestrictedImports",
      "--only=suspicious/noImportCycles",
      "--vcs-enabled=false",
      "--max-diagnostics=none",
    ];
    const lint = [toolScript("biome"), "lint", ...options, "."];
    const { stdout, stderr } = spawnSync(bundledNode(), lint, { cwd: folder, encoding: "utf8" });
    told = stdout + stderr;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(FORBIDDEN)("forbids files of %s to import %s", (from, specifier) => {
    expect(told).toContain(`${fileOf(from, specifier)}:1:`);
  });
  it.each(ALLOWED)("lets files of %s import %s", (from, specifier) => {
    expect(told).not.toContain(`${fileOf(from, specifier)}:1:`);
  });
  it.each(CIRCLE)("sees the circle of %s and %s", (own) => {
    expect(told).toMatch(new RegExp(`stub/src/runtime/${own}\\.ts:1:\\S+ lint/suspicious/noImportCycles`));
  });
  it("has looked at all of them, and at its configuration", () => {
    expect(told).toContain(`Checked ${FORBIDDEN.length + ALLOWED.length + CIRCLE.length + 1} files`);
  });
});
