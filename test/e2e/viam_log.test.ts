// SPDX-License-Identifier: Apache-2.0
// What a robot's log has of the module and its Triton, for each level that a resource may ask for. The robot is a fake.
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../server/testing/until.ts";
import { FakeRobot, ModuleProcess } from "../../viam-module/testing/robot.ts";
import { makeRepository } from "./harness/index.ts";
import { attributesIn, floats, pictureModel, textModel } from "./harness/viam_models.ts";

const repository = makeRepository([
  "callee",
  pictureModel,
  textModel,
  {
    name: "broken",
    config: `backend: "typescript"
      input [ { name: "IN", data_type: TYPE_FP32, dims: [ -1 ] } ]
      output [ { name: "OUT", data_type: TYPE_FP32, dims: [ -1 ] } ]`,
    files: { "1/model.ts": "throw new Error('broken on purpose');" },
  },
]);
let robot: FakeRobot;
let module: ModuleProcess;

const of = attributesIn(repository);

/** Waits for a line of the robot's log, which is one of `LEVEL LOGGER: MESSAGE`. */
const heard = (line: RegExp) =>
  until(() => line.test(robot.log()), `${line}`).catch((error: Error) => {
    throw new Error(`${error.message} The log:\n${robot.log()}`);
  });

beforeAll(async () => {
  robot = new FakeRobot();
  await robot.listen();
  module = new ModuleProcess(path.join(robot.folder, "m.sock"));
  await module.untilReady(robot.address);
});

afterAll(async () => {
  await module.stop();
  robot.close();
  rmSync(repository, { recursive: true });
});

test("error: nothing less of the resource and its server, from the first load on", async () => {
  await module.client.add("quiet", of("text", { log_level: "error" }));
  // Entries arrive in their order: what the first one said would be there before this.
  await module.client.add("loud", of("text"));
  await heard(/^warn loud: .*left out: TEXT\./m);
  await heard(/^info loud: The model text, version 1, is ready\./m);
  expect(robot.log()).not.toMatch(/^info triton: Triton \S+ runs for /m);
  expect(robot.entries.map(({ loggerName }) => loggerName)).not.toContain("quiet");
  expect(robot.entries.map(({ level }) => level)).not.toContain("debug");
  await expect(module.client.add("wrong", of("broken"))).rejects.toThrow(/broken on purpose/);
  await heard(/^error triton: .*broken on purpose/m);
});

test("a resource that is ready says what its model takes and gives, as Viam sees it", async () => {
  const remappings = { tensor_name_remappings: { outputs: { copy: "seen" } } };
  await module.client.add("camera", of("picture", remappings));
  await heard(
    /^info camera: The model picture, version 1, is ready\. It takes "image" \(uint8 \[1, -1, -1, 3\]\) and gives "seen" \(uint8 \[-1, -1, 3\]\)\.$/m,
  );
  await heard(/^info loud: .*It takes "TEXT" \(uint8 \[-1\]\) and gives "LENGTH" \(int32 \[1\]\)\.$/m);
  await module.client.remove("camera");
});

test("debug: loading and unloading, each call that fails, and what the server says", async () => {
  expect(robot.log()).not.toMatch(/^debug /m);
  await module.client.add("chatty", of("callee", { log_level: "debug" }));
  await heard(/^debug chatty: The model callee is being loaded by the Triton for /m);
  await heard(/^debug triton: loading: callee:1$/m);
  await heard(/^debug triton: successfully loaded 'callee'$/m);

  await expect(module.client.infer("chatty", { WRONG: floats(1) })).rejects.toMatchObject({ code: 3 });
  await heard(/^debug chatty: A call failed with INVALID_ARGUMENT: There is no input "WRONG"\./m);
  const failing = of("callee", { log_level: "debug", model_parameters: { error: "no such picture" } });
  await module.client.reconfigure("chatty", failing);
  await heard(/^debug chatty: The model callee was given up\.$/m);
  await expect(module.client.infer("chatty", { IN: floats(1) })).rejects.toThrow(/no such picture/);
  await heard(/^debug chatty: A call failed with INTERNAL: .*no such picture/m);

  const broken = module.client.reconfigure("chatty", of("broken", { log_level: "debug" }));
  await expect(broken).rejects.toThrow(/broken on purpose/);
  await heard(/^debug triton: loading: broken:1$/m);
  await heard(/^debug chatty: The model broken cannot be had: .*broken on purpose/m);
});

test("the server's log is as it was when nobody asks for more any longer", async () => {
  await module.client.remove("chatty");
  await heard(/^debug triton: successfully unloaded 'callee' version 1$/m);
  await until(async () => {
    const before = robot.entries.length;
    await module.client.add("later", of("picture"));
    await module.client.remove("later");
    return robot.entries.slice(before).every(({ level }) => level !== "debug");
  }, "a load without a line for debugging");
});
