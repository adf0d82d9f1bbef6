// SPDX-License-Identifier: Apache-2.0
// What "triton-ts serve" says about models that are not there, and why; it must not hang on how the server writes its log.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { freePorts } from "../../server/ports.ts";
import { type Run, runCli } from "../../stub/src/cli/testing/run_cli.ts";
import { type ModelSpec, makeRepository } from "./harness/repository.ts";

const ensemble = (name: string, step: string): ModelSpec => ({
  name,
  config: `
platform: "ensemble"
input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]
ensemble_scheduling { step [ {
  model_name: "${step}" model_version: -1
  input_map { key: "IN" value: "IN" } output_map { key: "OUT" value: "OUT" }
} ] }`,
  files: { "1/none": "" },
});

const models: (string | ModelSpec)[] = [
  { name: "my identity", fixture: "identity" },
  { name: "grün@1", fixture: "identity" },
  { name: "step", config: 'backend: "typescript"', files: { "1/model.ts": "export default class { execute( ;" } },
  { name: "unreadable", config: "inputt [", files: { "1/model.ts": "" } },
  { name: "versionless", config: 'backend: "typescript"' },
  ensemble("pipe", "step"),
  ensemble("typo", "stepp"),
];

const expected = [
  /with 2 of 7 models/,
  /grün@1 +1 +READY +typescript\n/,
  /my identity +1 +READY +typescript\n +Only gRPC can ask for it/,
  /pipe +- +FAILED +-\n +ensemble 'pipe' depends on 'step' which has no loaded version\.\n/,
  /step +1 +FAILED +-\n .*syntax error at .*model\.ts:1/,
  /typo +- +FAILED +-\n +ensemble typo contains models that are not available.*: stepp\n/,
  /unreadable +- +FAILED +-\n .*: 1:8: .*no field named "inputt"/,
  /versionless +- +FAILED +-\n +at least one version must be available/,
  /Not a model: node_modules /,
];

let repository: string;
let runs: Run[] = [];

beforeAll(() => {
  repository = makeRepository(models);
  mkdirSync(join(repository, "node_modules", "some_package"), { recursive: true });
});

afterAll(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill("SIGTERM");
    await run.ended;
  }
  rmSync(repository, { recursive: true, force: true });
});

async function summaryOf(...more: string[]): Promise<{ text: string; url: string }> {
  const ports = await freePorts(3);
  const options = ["--http-port", "--grpc-port", "--metrics-port"].flatMap((name, at) => [name, String(ports[at])]);
  const run = runCli(["serve", repository, "--server", inject("tritonServer").binary, ...options, ...more], {});
  runs = [...runs, run];
  await run.shows("Ctrl-C stops the server");
  return { text: run.stdout(), url: `http://127.0.0.1:${ports[0]}` };
}

test("asks over gRPC and reads the log file, in its other format, when HTTP is off", async () => {
  const log = join(repository, "triton.log");
  const { text } = await summaryOf("--", "--allow-http=false", "--log-format=ISO8601", `--log-file=${log}`);
  for (const line of expected) expect(text).toMatch(line);
});

test("asks over HTTP, under the names that the models have", async () => {
  const { text, url } = await summaryOf();
  for (const line of expected) expect(text).toMatch(line);
  const infer = async (model: string) => {
    const run = runCli(["infer", model, "--url", url], {});
    expect(await run.ended).toBe(1);
    return run.stderr();
  };
  expect(await infer("grün@1")).toContain("The model grün@1 needs inputs: ");
  expect(await infer("my identity")).toContain("Triton's HTTP takes no model name with a blank");
});
