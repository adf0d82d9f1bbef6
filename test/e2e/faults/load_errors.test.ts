// SPDX-License-Identifier: Apache-2.0
// A model that cannot be loaded says why, and neither the server nor another model suffers from it.
import { beforeAll, describe, expect, test } from "vitest";
import { childrenOf, startServer, type TestServer, until } from "../harness/index.ts";
import { bad, control, infer, stateOf, stubOf } from "./bad_models.ts";

/** What the reason must hold, for each model that cannot be loaded. */
const reasons: Record<string, (string | RegExp)[]> = {
  no_backend: [],
  file_missing: [/model file|model\.ts/, "file_missing/1"],
  syntax_error: [/syntax_error\/1\/model\.ts:6:\d+/, "const broken = = 1;", "syntax error"],
  type_error: [/type_error\/1\/model\.ts(:6:11|\(6,11\))/, "Type 'number' is not assignable to type 'string'"],
  export_missing: ["must export its class as default", "'version'", "'execute'"],
  export_no_class: ["must be a class, but is an object"],
  no_execute: ["has no method 'execute'"],
  import_throws: ["broken on import", /import_throws\/1\/model\.ts:2:\d+/],
  import_exits: ["while it was loading the model file", "It exited with code 7."],
  import_missing: ["not_there.ts"],
  constructor_throws: ["RangeError: broken constructor"],
  initialize_throws: ["The model's initialize failed: Error: broken initialize"],
  initialize_throws_anything: ["The model's initialize failed: a value that cannot be shown as text"],
  initialize_rejects: ["Unavailable", "the licence has run out"],
  initialize_never_settles: ["initialize returned a promise that nothing is left to settle"],
  initialize_waits: ["did not answer within 20 seconds while it was in the model's initialize"],
  initialize_exits: ["while it was in the model's initialize", "It exited with code 3."],
  initialize_blocks: ["did not answer within 20 seconds while it was in the model's initialize"],
  config_no_json: ["BigInt"],
  parameter_wrong: ["'MAX_IN_FLIGHT_BATCHES' must be a whole number from 1 to 1024, but is 'many'"],
  flag_wrong: ["'STRICT_VIEWS' must be 'true' or 'false', but is 'perhaps'"],
};
const names = Object.keys(reasons);

describe("a server that starts with every model that cannot be loaded", () => {
  let server: TestServer;
  beforeAll(async () => {
    const models = [bad("good"), ...names.map((name) => bad(name)), bad("good", "", "zz_good")];
    server = await startServer({ models });
  });

  test.each(names)("%s: the reason says what is wrong", async (name) => {
    const { state, reason } = await stateOf(server, name);
    expect(state).toBe("UNAVAILABLE");
    for (const part of reasons[name]!) expect(reason).toMatch(part);
    expect(await server.isModelReady(name)).toBe(false);
  });

  test.each(["good", "zz_good"])("%s: the others are served", async (name) => {
    expect(await infer(server, name, [3, 4])).toMatchObject({ status: 200, values: [3, 4] });
  });

  test("no_backend: the log says it", async () => {
    await server.waitForLog("Could not determine backend for model 'no_backend'");
  });

  test("no process is left of those that failed", async () => {
    await until(() => childrenOf(server.pid).length === 2, "two processes", 60_000, server);
    for (const name of names) expect(stubOf(server, name)).toBeUndefined();
  });

  test("the log has the stack of what was thrown, in the model's own file", async () => {
    await server.waitForLog(/broken initialize[\s\S]*initialize_throws\/1\/model\.ts:6:\d+/);
    await server.waitForLog(/broken constructor[\s\S]*constructor_throws\/1\/model\.ts:6:\d+/);
  });
});

describe("a server that is told to load", () => {
  let server: TestServer;
  beforeAll(async () => {
    const models = [bad("good"), bad("no_backend"), bad("syntax_error"), bad("initialize_throws")];
    server = await startServer({ models, modelControlMode: "explicit", loadModels: ["good"] });
  });

  test.each(["no_backend", "syntax_error", "initialize_throws"])("%s: the answer has the reason", async (name) => {
    const reason = await control(server, "load", name);
    for (const part of reasons[name]!) expect(reason).toMatch(part);
    expect(reason).not.toBe("");
    expect(await infer(server, "good", [5])).toMatchObject({ status: 200, values: [5] });
  });
});
