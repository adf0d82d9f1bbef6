// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { AutoCompleteConfig } from "../api/auto_complete.ts";
import { defect, TritonError } from "../api/errors.ts";
import type { ModelConfig } from "../api/model_config.ts";
import { type InitializePayload, type LoadPayload, ModelLife, stepError } from "./model_life.ts";

let loaded: Record<string, unknown>;
const requests: Record<string, unknown>[] = [];
// The loader has tests of its own; here a fake gives the class.
vi.mock("./model_loader.ts", () => ({
  loadModel: async (options: Record<string, unknown>) => {
    requests.push(options);
    return loaded;
  },
}));

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  requests.length = 0;
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());

const folder = mkdtempSync(path.join(os.tmpdir(), "model-life-"));
mkdirSync(path.join(folder, "m/2"), { recursive: true });
writeFileSync(path.join(folder, "m/2/model.ts"), "");
afterAll(() => rmSync(folder, { recursive: true }));

const payload = (more: Partial<LoadPayload> = {}, parameters: Record<string, string> = {}): LoadPayload => ({
  autoComplete: true,
  typescriptBased: false,
  modelName: "m",
  modelVersion: "2",
  modelRepository: path.join(folder, "m"),
  backendDirectory: "/backends/typescript",
  backendConfig: { "cmdline-key": "value" },
  modelConfig: {
    name: "m",
    parameters: Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key, { string_value: value }])),
  } as ModelConfig,
  ...more,
});
const start = (modelConfig: ModelConfig): InitializePayload => ({
  instanceName: "m_0",
  instanceKind: "CPU",
  deviceId: "0",
  concurrency: 1,
  exposeErrors: true,
  checkOutputs: true,
  inputs: [],
  outputs: [],
  modelConfig,
});
class Empty {
  execute() {
    return [];
  }
}

describe("load", () => {
  test("a model without autoCompleteConfig leaves the configuration alone", async () => {
    loaded = { ModelClass: Empty };
    expect(await new ModelLife("file:///api.js").load(payload())).toEqual({ config: null, openShapes: false });
    expect(requests[0]).toMatchObject({
      versionDir: path.join(folder, "m/2"),
      modelDir: path.join(folder, "m"),
      repositoryDir: folder,
      backendDir: "/backends/typescript",
      typeCheck: false,
      apiUrl: "file:///api.js",
    });
  });

  test("a model of a TypeScript-based backend lies in the backend's folder, and its parameters are not the loader's", async () => {
    loaded = { ModelClass: Empty };
    await new ModelLife("").load(payload({ typescriptBased: true }, { LOADER: "x", TYPE_CHECK: "true" }));
    expect(requests[0]).toMatchObject({ versionDir: "/backends/typescript", typeCheck: false });
    expect(requests[0]!.loader).toBeUndefined();
  });

  test("parameters of the loader", async () => {
    loaded = { ModelClass: Empty };
    await new ModelLife("").load(payload({}, { LOADER: "tsx", TYPE_CHECK: "Yes" }));
    expect(requests[0]).toMatchObject({ loader: "tsx", typeCheck: true, anyLoader: false, resolvesLinks: false });
    await new ModelLife("").load(payload({ backendConfig: { "allow-node-path": "True" }, typescriptBased: true }));
    expect(requests[1]).toMatchObject({ anyLoader: true, resolvesLinks: true });
  });

  // The same texts as in backend-shim/test/test_settings.c.
  test.each([
    [true, ["true", "True", "TRUE", "yes", "Yes", "on", "ON", "1"]],
    [false, ["false", "False", "FALSE", "no", "No", "off", "OFF", "0", ""]],
  ])("texts that are %s", async (typeCheck, texts) => {
    loaded = { ModelClass: Empty };
    for (const text of texts) {
      await new ModelLife("").load(payload({}, { TYPE_CHECK: text }));
      expect(requests.at(-1), text).toMatchObject({ typeCheck });
    }
  });

  test.each(["perhaps", "2", " true", "tru", "truee", "Perhaps"])("%j is neither true nor false", async (text) => {
    loaded = { ModelClass: Empty };
    await expect(new ModelLife("").load(payload({}, { TYPE_CHECK: text }))).rejects.toMatchObject({
      code: "INVALID_ARG",
      message: `The model parameter 'TYPE_CHECK' must be 'true' or 'false', but is '${text}'.`,
    });
  });

  test("autoCompleteConfig gets its arguments and changes or returns the configuration", async () => {
    for (const returns of [true, false]) {
      let given: unknown;
      loaded = {
        ModelClass: Empty,
        autoCompleteConfig: (config: AutoCompleteConfig, args: unknown) => {
          given = args;
          config.setMaxBatchSize(8);
          return returns ? config : undefined;
        },
      };
      const { config } = await new ModelLife("").load(payload());
      expect(config).toMatchObject({ name: "m", max_batch_size: 8 });
      expect(given).toMatchObject({ modelName: "m", modelVersion: "2", modelDir: path.join(folder, "m/2") });
    }
  });

  test("autoCompleteConfig is not called when the server does not ask", async () => {
    loaded = {
      ModelClass: Empty,
      autoCompleteConfig: () => {
        throw new Error("called");
      },
    };
    expect(await new ModelLife("").load(payload({ autoComplete: false }))).toEqual({ config: null, openShapes: false });
  });

  test("the class says whether the shapes of outputs are open", async () => {
    loaded = { ModelClass: Object.assign(class extends Empty {}, { outputShapes: "open" as const }) };
    expect(await new ModelLife("").load(payload())).toEqual({ config: null, openShapes: true });
  });

  test("autoCompleteConfig that returns something else", async () => {
    loaded = { ModelClass: Empty, autoCompleteConfig: () => "config" };
    await expect(new ModelLife("").load(payload())).rejects.toThrow(
      "The autoCompleteConfig of model 'm' must return the configuration that it was given, or nothing, but returned a string.",
    );
  });
});

describe("initialize and finalize", () => {
  const alive = async (ModelClass: unknown, modelConfig: ModelConfig = payload().modelConfig) => {
    loaded = { ModelClass };
    const life = new ModelLife("");
    await life.load(payload());
    return { life, started: await life.initialize(start(modelConfig)) };
  };

  test("the model gets its arguments, and both are waited for", async () => {
    const calls: unknown[] = [];
    class Model extends Empty {
      async initialize(args: unknown) {
        await Promise.resolve();
        calls.push(args);
      }
      async finalize() {
        await Promise.resolve();
        calls.push("finalized");
      }
    }
    const { life, started } = await alive(Model);
    expect(started).toMatchObject({ strict: false });
    expect(started.model).toBeInstanceOf(Model);
    expect(calls).toMatchObject([
      {
        modelName: "m",
        modelVersion: "2",
        modelInstanceName: "m_0",
        modelInstanceKind: "CPU",
        modelInstanceDeviceId: "0",
        modelRepository: path.join(folder, "m"),
        modelDir: path.join(folder, "m/2"),
        modelConfig: { name: "m" },
        modelConfigJson: '{"name":"m","parameters":{}}',
        backendDirectory: "/backends/typescript",
      },
    ]);
    await life.finalize();
    expect(calls[1]).toBe("finalized");
  });

  test("both may be left out, and a model that was never made is not finalized", async () => {
    const { life } = await alive(Empty);
    await life.finalize();
    await new ModelLife("").finalize();
  });

  test("STRICT_VIEWS", async () => {
    const config = payload({}, { STRICT_VIEWS: "true" }).modelConfig;
    expect((await alive(Empty, config)).started.strict).toBe(true);
  });

  test.each([
    [
      "constructor",
      class extends Empty {
        constructor() {
          super();
          throw new Error("broken");
        }
      },
    ],
    [
      "initialize",
      class extends Empty {
        initialize() {
          throw new Error("broken");
        }
      },
    ],
    [
      "initialize",
      class extends Empty {
        async initialize() {
          throw new Error("broken");
        }
      },
    ],
  ])("%s fails", async (_what, ModelClass) => {
    await expect(alive(ModelClass)).rejects.toThrow("broken");
  });

  test("isReady is no method", async () => {
    const broken = class extends Empty {
      readonly isReady = true;
    };
    const says = /^The isReady of model '.+' must be a method, but is a boolean\.$/;
    await expect(alive(broken as unknown as typeof Empty)).rejects.toThrow(says);
  });
});

describe("stepError", () => {
  test("a mistake in the use of the API has its stack in the log", () => {
    expect(stepError(defect("no such shape"), "It")).toEqual({ error: { code: "INTERNAL", message: "no such shape" } });
    expect(write.mock.calls.map(([text]) => String(text)).join("")).toMatch(/ETritonError: no such shape[\s\S]* at /);
  });

  test("a TritonError as it is", () => {
    expect(stepError(new TritonError("no licence", "UNAVAILABLE"), "Initialize")).toEqual({
      error: { code: "UNAVAILABLE", message: "no licence" },
    });
    expect(write).not.toHaveBeenCalled();
  });

  test("anything else as INTERNAL, with its stack in the log", () => {
    const trap = () => {
      throw new Error("trap");
    };
    expect(stepError(new RangeError("a\nb"), "The model's initialize")).toEqual({
      error: { code: "INTERNAL", message: "The model's initialize failed: RangeError: a b" },
    });
    expect(write.mock.calls[0]![0]).toContain("\x1eERangeError: a\n");
    expect(stepError(new Proxy({}, { getPrototypeOf: trap, get: trap }), "It").error.message).toBe(
      "It failed: a value that cannot be shown as text",
    );
  });
});
