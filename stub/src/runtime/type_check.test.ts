// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ModelFolder } from "./testing/model_folder.ts";
import { checkTypes } from "./type_check.ts";

let folder: ModelFolder;
let root: string;
const write = (files: Record<string, string | Uint8Array>) => folder.write(files);
const load = (options?: Record<string, unknown>) => folder.load(options);

beforeEach(() => {
  folder = new ModelFolder();
  root = folder.root;
});

afterEach(() => folder.remove());

describe("type check", () => {
  test("a model that is right loads", async () => {
    write({
      "model.ts": `import { InferenceResponse, Tensor, type InferenceRequest, type TritonModel } from "triton-typescript";
import { scale } from "./scale";
export default class M implements TritonModel {
  execute(requests: InferenceRequest[]) {
    return (requests ?? []).map((r) => new InferenceResponse([new Tensor("O", r.input("I", "FP32").data.map((x) => x * scale), [1])]));
  }
}`,
      "scale.ts": "export const scale: number = 2;",
    });
    expect(await load({ typeCheck: true })).toMatchObject({ result: [] });
  });

  test("a type error has file, line, column and number", async () => {
    write({
      "model.ts": `import { Tensor } from "triton-typescript";\nconst t: Tensor = 5;\nexport default class M { execute() { return [t] } }\n`,
    });
    expect((await load()).result).toEqual([5]);
    const report = await load({ typeCheck: true });
    expect(report).toMatchObject({ ours: true, code: "INVALID_ARG" });
    expect(report.message).toContain(`${join(root, "repository/m/1/model.ts")}(2,7): error TS2322: `);
  });

  test("the model's own tsconfig counts", async () => {
    write({
      "model.ts": "export default class M { execute(a) { return x } }\nimport { x } from '@lib/x';\n",
      "repository/m/lib/x.ts": "export const x: number = 5;",
      "repository/m/tsconfig.json": `{"compilerOptions":{"strict":false,"noUnusedParameters":true,"paths":{"@lib/*":["./lib/*"]}}}`,
    });
    expect((await load({ typeCheck: true })).result).toBe(5);
  });
});

test("without a compiler the check says what to install", async () => {
  const apiUrl = new URL("../api/index.ts", import.meta.url).href;
  await expect(checkTypes({ file: "/m/1/model.ts", apiUrl, lookupFolders: ["/"] })).rejects.toThrow(
    expect.objectContaining({
      code: "UNAVAILABLE",
      message: expect.stringContaining("the package 'typescript' is not installed. Install it"),
    }),
  );
});
