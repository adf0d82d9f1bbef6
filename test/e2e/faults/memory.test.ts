// SPDX-License-Identifier: Apache-2.0
// What a model may do to the memory of its tensors, and what the limit of that memory means.
import { beforeAll, describe, expect, test } from "vitest";
import { startServer, type TestServer } from "../harness/index.ts";
import { bad, infer, inferCase, stubOf } from "./bad_models.ts";

const MIB = 1 << 20;

describe("views", () => {
  let server: TestServer;
  let stubs: (number | undefined)[];
  const models = ["memory", "memory_strict"];
  beforeAll(async () => {
    const strict = 'parameters { key: "STRICT_VIEWS" value { string_value: "true" } }';
    server = await startServer({ models: [bad("memory"), bad("memory", strict, "memory_strict")] });
    for (const name of models) expect((await inferCase(server, name, "same")).values).toEqual([1, 2]);
    stubs = models.map((name) => stubOf(server, name));
  });
  const still = async (model: string) => {
    expect((await inferCase(server, model, "same")).values).toEqual([1, 2]);
    expect(models.map((name) => stubOf(server, name))).toEqual(stubs);
  };

  describe.each(models)("%s", (model) => {
    test("an input is returned as the output", async () => {
      expect((await infer(server, model, [3, 4, 5], { case: "same" })).values).toEqual([3, 4, 5]);
    });

    test("a part of an input is returned", async () => {
      expect((await infer(server, model, [3, 4, 5], { case: "part" })).values).toEqual([4, 5]);
    });

    test("an input is written into", async () => {
      expect((await inferCase(server, model, "write_input")).values).toEqual([9, 9]);
      await still(model);
    });

    test("a write beyond a tensor fails", async () => {
      const { error } = await inferCase(server, model, "write_beyond");
      expect(error).toContain("RangeError: offset is out of bounds");
      await still(model);
    });

    test("a model that writes over everything that it can reach harms nobody else", async () => {
      for (let i = 0; i < 3; i++) {
        const { status, error } = await inferCase(server, model, "write_everywhere");
        if (status !== 200) expect(error).not.toBe("");
        await still(model);
      }
    });

    test("an output allocated after its request was answered is refused", async () => {
      expect((await inferCase(server, model, "keep")).status).toBe(200);
      expect((await inferCase(server, model, "kept_request")).error).toContain("after its request was answered");
      await still(model);
    });

    test.each([0, 1, 1000, 3 * MIB])("an output of %d elements", async (count) => {
      for (const name of ["huge", "huge_copy"]) {
        const { status, body } = await infer(server, model, [1], { case: name, count, binary_data_output: false });
        expect(status).toBe(200);
        expect(body.outputs[0].shape).toEqual([count]);
      }
    });
  });

  test.each([
    ["transfer", "memory", "cannot be transferred. Copy it first."],
    ["transfer", "memory_strict", "cannot be transferred. Copy it first."],
    ["transfer_by_prototype", "memory", "not detachable"],
    ["structured_clone", "memory", "DataCloneError"],
    ["message", "memory", "DataCloneError"],
  ])("%s of a view of %s is refused", async (name, model, message) => {
    const { status, error } = await inferCase(server, model, name);
    expect(status).toBe(500);
    expect(error).toContain(message);
    await still(model);
  });

  // Each tensor of this mode has a buffer of its own: a model that gives it away loses that tensor only.
  test.each(["transfer_by_prototype", "structured_clone", "message"])("%s of a strict view", async (name) => {
    await inferCase(server, "memory_strict", name);
    await still("memory_strict");
  });

  test("STRICT_VIEWS: a view that is kept too long is empty, and useless as an output", async () => {
    expect((await inferCase(server, "memory_strict", "keep")).status).toBe(200);
    expect((await inferCase(server, "memory_strict", "kept_length")).values).toEqual([0]);
    expect((await inferCase(server, "memory_strict", "kept_tensor")).error).toContain("but its data has 0.");
    await still("memory_strict");
  });
});

describe("the memory limit", () => {
  let server: TestServer;
  beforeAll(async () => {
    const limits = ["default", "max"].map((kind) => `typescript,shm-${kind}-byte-size=${2 * MIB}`);
    server = await startServer({ models: [bad("memory"), bad("good")], backendConfig: limits });
  });
  const works = async () => {
    expect((await infer(server, "memory", [3, 4], { case: "same" })).values).toEqual([3, 4]);
  };

  test("a request beyond it fails with its size, and smaller ones go on", async () => {
    await works();
    const stub = stubOf(server, "memory");
    for (let i = 0; i < 3; i++) {
      const { status, error } = await infer(server, "memory", new Array(MIB).fill(1), { case: "same" });
      expect(status).toBe(503);
      expect(error).toContain("Failed to increase the shared memory pool size of 'memory_0'");
      expect(error).toContain("shm-max-byte-size");
      await works();
    }
    expect(stubOf(server, "memory")).toBe(stub);
  });

  test.each(["huge", "huge_copy"])("%s: an answer beyond it fails, and smaller ones go on", async (name) => {
    const stub = stubOf(server, "memory");
    for (let i = 0; i < 3; i++) {
      const { status, error } = await infer(server, "memory", [1], { case: name, count: MIB });
      expect(status).toBe(503);
      expect(error).toContain("Failed to increase the shared memory pool size");
      await works();
    }
    expect(stubOf(server, "memory")).toBe(stub);
  });

  test("answers that fill it one after another", async () => {
    const count = (1.5 * MIB) / 4;
    for (let i = 0; i < 5; i++) {
      const { status, body } = await infer(server, "memory", [1], { case: "huge_copy", count });
      expect(status).toBe(200);
      expect(body.outputs[0].shape).toEqual([count]);
    }
  });

  test("options that contradict each other fail the models with a sentence, not the server", async () => {
    const backendConfig = [`typescript,shm-default-byte-size=${4 * MIB}`, `typescript,shm-max-byte-size=${2 * MIB}`];
    const other = await startServer({ models: [bad("good")], backendConfig });
    expect(other.log()).toContain(
      "'shm-default-byte-size' (4194304) must not be larger than 'shm-max-byte-size' (2097152)",
    );
    expect(await other.isModelReady("good")).toBe(false);
    await other.kill();
  });
});
