// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RepositoryIndexEntry } from "../../../client/http/index.ts";
import { LoadFailures } from "../../../server/load_failures.ts";
import type { ModelSource } from "../../../server/model_source.ts";
import { scratchFolder } from "../../../server/testing/scratch.ts";
import { type ModelQuestion, servedModels } from "./model_lines.ts";

function source(...indexes: RepositoryIndexEntry[][]): ModelSource {
  return {
    serverMetadata: async () => ({ version: "1" }),
    repositoryIndex: async () => (indexes.length > 1 ? indexes.shift() : indexes[0]) ?? [],
    modelConfig: async (name) => ({ backend: name === "fine" ? "" : "typescript", platform: "ensemble" }),
  };
}

const refuse = () => Promise.reject(new Error("restricted"));
const closed: ModelSource = { serverMetadata: refuse, repositoryIndex: refuse, modelConfig: refuse };

const log = [
  "failed to load 'step' version 1: a syntax error",
  "Invalid argument: ensemble 'pipe' depends on 'step' which has no loaded version.",
  "failed to load model 'noversion': at least one version must be available",
  "Poll failed for model directory 'node_modules': Invalid model name",
  "successfully loaded 'good'",
];

describe("servedModels", () => {
  let scratch: ReturnType<typeof scratchFolder>;
  let question: ModelQuestion;

  beforeEach(() => {
    scratch = scratchFolder();
    const failures = new LoadFailures();
    for (const text of log) failures.take(`E1121 04:10:18.2 7078 x.cc:1] ${JSON.stringify(text)}`);
    question = { sources: [], failures, repositories: [scratch.folder, "/nowhere", "s3://bucket"], startup: "all" };
    for (const name of ["good/1", "step/1", "noversion", "node_modules/package", ".git"]) {
      mkdirSync(path.join(scratch.folder, name), { recursive: true });
    }
    writeFileSync(path.join(scratch.folder, "noversion", "config.pbtxt"), "");
    writeFileSync(path.join(scratch.folder, "README.md"), "");
  });
  afterEach(() => scratch.remove());

  const rows = async (more: Partial<ModelQuestion>) => {
    const { lines, ...rest } = await servedModels({ ...question, ...more });
    const cells = ({ name, version, state, backend, reason }: (typeof lines)[number]) =>
      [name, version, state, backend, reason].join("|");
    return { lines: lines.map(cells), ...rest };
  };

  const index: RepositoryIndexEntry[] = [
    { name: "good", version: "1", state: "READY" },
    { name: "fine", version: "1", state: "READY" },
    { name: "my model", version: "1", state: "READY" },
    { name: "step", version: "1", state: "UNAVAILABLE", reason: "a syntax error" },
    { name: "two", version: "1", state: "UNAVAILABLE", reason: "unloaded" },
    { name: "pipe" },
    { name: "silent" },
    { name: "node_modules" },
  ];

  it("completes what the server says from its log and its repositories", async () => {
    expect(await rows({ sources: [closed, source(index)] })).toEqual({
      asked: true,
      strangers: [".git", "node_modules"],
      lines: [
        "fine|1|READY|ensemble|",
        "good|1|READY|typescript|",
        "my model|1|READY|typescript|Only gRPC can ask for it: HTTP addresses cannot hold such a name.",
        "noversion|-|FAILED|-|at least one version must be available",
        "pipe|-|FAILED|-|ensemble 'pipe' depends on 'step' which has no loaded version.",
        "silent|-|FAILED|-|Neither the server nor its log says why.",
        "step|1|FAILED|-|a syntax error",
        "two|1|not loaded|-|It was unloaded again, because another version failed.",
      ],
    });
  });

  it("knows which models were to be loaded in mode explicit", async () => {
    const startup = ["silent", "absent", "node_modules"];
    const { lines, strangers } = await rows({ sources: [source(index.slice(4))], startup });
    expect(strangers).toEqual([]);
    expect(lines).toEqual([
      "absent|-|FAILED|-|Neither the server nor its log says why.",
      "node_modules|-|FAILED|-|Invalid model name",
      "noversion|-|FAILED|-|at least one version must be available",
      "pipe|-|FAILED|-|ensemble 'pipe' depends on 'step' which has no loaded version.",
      "silent|-|FAILED|-|Neither the server nor its log says why.",
      "step|-|FAILED|-|a syntax error",
      "two|1|not loaded|-|",
    ]);
  });

  it("waits for models that come and go", async () => {
    const passing = [{ name: "good", version: "1", state: "LOADING" }];
    const { lines } = await rows({ sources: [source(passing, index.slice(0, 1))], startup: ["good"] });
    expect(lines).toContain("good|1|READY|typescript|");
  });

  it("says what the log says where nobody can be asked", async () => {
    mkdirSync(path.join(scratch.folder, "unsaid", "1"), { recursive: true });
    expect(await rows({ sources: [closed] })).toEqual({
      asked: false,
      strangers: [".git", "node_modules"],
      lines: [
        "good|-|READY|-|",
        "noversion|-|FAILED|-|at least one version must be available",
        "pipe|-|FAILED|-|ensemble 'pipe' depends on 'step' which has no loaded version.",
        "step|-|FAILED|-|a syntax error",
        "unsaid|-|unknown|-|",
      ],
    });
  });
});
