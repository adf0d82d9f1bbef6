// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelConfig } from "triton-typescript";
import { afterAll, describe, expect, test } from "vitest";
import { coreCount, readOptions } from "./session_options.ts";

function config(parameters: Record<string, string>, values: Partial<ModelConfig> = {}): ModelConfig {
  return {
    name: "m",
    platform: "",
    backend: "onnxruntime",
    max_batch_size: 0,
    input: [],
    output: [],
    parameters: Object.fromEntries(Object.entries(parameters).map(([key, text]) => [key, { string_value: text }])),
    ...values,
  };
}

describe("options", () => {
  test("without parameters: all cores, sequential, everything optimised, no warning", () => {
    const { session, run, warnings } = readOptions(config({}), {});
    expect(session).toMatchObject({
      intraOpNumThreads: coreCount(),
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      enableCpuMemArena: true,
      enableMemPattern: true,
      extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
    });
    expect(run).toEqual({});
    expect(warnings).toEqual([]);
  });

  test("parameters of the model", () => {
    const { session, run } = readOptions(
      config({
        intra_op_thread_count: "3",
        inter_op_thread_count: "2",
        execution_mode: "1",
        enable_mem_arena: "0",
        enable_mem_pattern: "false",
        "session.intra_op.allow_spinning": "1",
        "memory.enable_memory_arena_shrinkage": "cpu:0",
      }),
      {},
    );
    expect(session).toMatchObject({
      intraOpNumThreads: 3,
      interOpNumThreads: 2,
      executionMode: "parallel",
      enableCpuMemArena: false,
      enableMemPattern: false,
      extra: { session: { intra_op: { allow_spinning: "1" }, inter_op: { allow_spinning: "0" } } },
    });
    expect(run).toEqual({ extra: { memory: { enable_memory_arena_shrinkage: "cpu:0" } } });
  });

  test("a backend option is the default of a parameter", () => {
    expect(readOptions(config({}), { intra_op_thread_count: "5" }).session.intraOpNumThreads).toBe(5);
    expect(
      readOptions(config({ intra_op_thread_count: "2" }), { intra_op_thread_count: "5" }).session.intraOpNumThreads,
    ).toBe(2);
    expect(readOptions(config({ intra_op_thread_count: "0" }), {}).session.intraOpNumThreads).toBe(coreCount());
  });

  test("a limit of rows, and none", () => {
    expect(readOptions(config({ MAX_ROWS_PER_RUN: "4" }), {}).maxRowsPerRun).toBe(4);
    expect(readOptions(config({ MAX_ROWS_PER_RUN: "0" }), {}).maxRowsPerRun).toBeUndefined();
    // Not for all models of a server: the rows of some depend on each other.
    expect(readOptions(config({}), { MAX_ROWS_PER_RUN: "4" }).maxRowsPerRun).toBeUndefined();
    expect(readOptions(config({}), {}).maxRowsPerRun).toBeUndefined();
  });

  test.each([
    [-1, "basic"],
    [0, "all"],
    [1, "extended"],
    [2, "disabled"],
  ])("optimization.graph.level %i", (level, expected) => {
    const { session } = readOptions(config({}, { optimization: { graph: { level } } }), {});
    expect(session.graphOptimizationLevel).toBe(expected);
  });

  test.each([
    ["intra_op_thread_count", "many"],
    ["intra_op_thread_count", "-1"],
    ["inter_op_thread_count", "1.5"],
    ["execution_mode", "2"],
    ["enable_mem_arena", "perhaps"],
    ["MAX_ROWS_PER_RUN", "-1"],
  ])("%s=%s is refused", (key, text) => {
    expect(() => readOptions(config({ [key]: text }), {})).toThrow(new RegExp(`Model 'm'.*${key}.*"${text}"`));
  });

  test("what cannot apply is named in a warning", () => {
    const { warnings } = readOptions(
      config(
        { gpu_mem_limit: "1" },
        {
          optimization: {
            execution_accelerators: {
              gpu_execution_accelerator: [{ name: "tensorrt" }],
              cpu_execution_accelerator: [{ name: "openvino" }],
            },
            cuda: { graphs: true },
          },
          instance_group: [{ name: "g", kind: "KIND_GPU", count: 1 }],
        },
      ),
      { "enable-global-threadpool": "1" },
    );
    expect(warnings).toHaveLength(6);
    for (const word of ["tensorrt", "openvino", "cuda", "gpu_mem_limit", "KIND_GPU", "enable-global-threadpool"]) {
      expect(warnings.join("\n")).toContain(word);
    }
  });
});

describe("cores", () => {
  const folder = mkdtempSync(join(tmpdir(), "cores-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (content: string) => {
    const path = join(folder, "cpu.max");
    writeFileSync(path, content);
    return path;
  };

  test("are limited by the quota of the control group", () => {
    expect(coreCount(file("100000 100000\n"))).toBe(1);
    expect(coreCount(file("50000 100000\n"))).toBe(1);
    expect(coreCount(file("99999900000 100000\n"))).toBe(availableParallelism());
  });

  test("are those of the process without a quota", () => {
    expect(coreCount(file("max 100000\n"))).toBe(availableParallelism());
    expect(coreCount(join(folder, "missing"))).toBe(availableParallelism());
  });
});
