// SPDX-License-Identifier: Apache-2.0
// Model configuration to session options of ONNX Runtime, with the keys of NVIDIA's backend of the same name.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { InferenceSession } from "onnxruntime-node";
import { type ModelConfig, modelParameter, TritonError } from "triton-typescript";

/** Options for opening a model file and for each run of it, and what of the configuration has no effect here. */
export interface Options {
  readonly session: InferenceSession.SessionOptions;
  readonly run: InferenceSession.RunOptions;
  /** A request with more rows than this is run in pieces; undefined where there is no limit. */
  readonly maxRowsPerRun: number | undefined;
  /** One sentence for each thing that is ignored. */
  readonly warnings: readonly string[];
}

/** Parameters of NVIDIA's backend that steer a GPU. */
const gpuParameters = ["cudnn_conv_algo_search", "gpu_mem_limit", "arena_extend_strategy", "do_copy_in_default_stream"];
/** Keys of --backend-config=onnxruntime that have no effect here. */
const unusedBackendOptions = ["enable-global-threadpool"];

/** Reads `parameters` and `optimization`. Throws a `TritonError` INVALID_ARG for a value that is none of the allowed. */
export function readOptions(config: ModelConfig, backendConfig: Readonly<Record<string, string>>): Options {
  const number = (
    key: string,
    allowed: string,
    isAllowed: (value: number) => boolean,
    defaults = backendConfig,
  ): number | undefined => {
    const text = modelParameter(config, key) ?? defaults[key];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && isAllowed(value)) return value;
    throw new TritonError(
      `Model '${config.name}': the parameter ${key} is to be ${allowed}, but it is "${text}".`,
      "INVALID_ARG",
    );
  };
  const flag = (key: string): boolean | undefined => {
    const text = modelParameter(config, key)?.toLowerCase();
    if (text === undefined) return undefined;
    if (text === "1" || text === "true") return true;
    if (text === "0" || text === "false") return false;
    throw new TritonError(
      `Model '${config.name}': the parameter ${key} is to be 1, true, 0 or false, but it is "${text}".`,
      "INVALID_ARG",
    );
  };
  const threads = (key: string) => number(key, "a whole number of threads, 0 for a default", (value) => value >= 0);

  const interOpThreads = threads("inter_op_thread_count") ?? 0;
  // Of the model only: the rows of another network may depend on each other.
  const maxRows = number("MAX_ROWS_PER_RUN", "a whole number of rows, 0 for no limit", (value) => value >= 0, {}) ?? 0;

  // Several processes share the cores: a thread that spins while it waits takes them from the others. Measured with the
  // networks of the ensemble `ocr` on two cores, spinning doubles to quintuples the processor time of a run.
  const entries: Record<string, string> = {
    "session.intra_op.allow_spinning": "0",
    "session.inter_op.allow_spinning": "0",
  };
  const passOn = (key: string) => {
    const text = modelParameter(config, key);
    if (text !== undefined) entries[key] = text;
  };
  passOn("session.intra_op.allow_spinning");
  passOn("session.inter_op.allow_spinning");
  passOn("session.use_device_allocator_for_initializers");
  const shrinkage = modelParameter(config, "memory.enable_memory_arena_shrinkage");

  return {
    session: {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads("intra_op_thread_count") || coreCount(),
      ...(interOpThreads > 0 ? { interOpNumThreads: interOpThreads } : {}),
      executionMode: number("execution_mode", "0 or 1", (v) => v === 0 || v === 1) === 1 ? "parallel" : "sequential",
      graphOptimizationLevel: graphLevel(config),
      enableCpuMemArena: flag("enable_mem_arena") ?? true,
      enableMemPattern: flag("enable_mem_pattern") ?? true,
      // Failures come back as exceptions; printing them too would let clients flood the log.
      logSeverityLevel: 4,
      extra: nested(entries),
    },
    run: shrinkage === undefined ? {} : { extra: nested({ "memory.enable_memory_arena_shrinkage": shrinkage }) },
    maxRowsPerRun: maxRows > 0 ? maxRows : undefined,
    warnings: findIgnored(config, backendConfig),
  };
}

/** optimization.graph.level: -1 basic, 1 extended, 2 none; without it everything. */
function graphLevel(config: ModelConfig): InferenceSession.SessionOptions["graphOptimizationLevel"] {
  const graph = config.optimization?.graph as { level?: number } | undefined;
  switch (graph?.level ?? 0) {
    case -1:
      return "basic";
    case 1:
      return "extended";
    case 2:
      return "disabled";
    default:
      return "all";
  }
}

/** ONNX Runtime's Node library takes "a.b.c" entries as nested objects. */
function nested(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const path = key.split(".");
    let at = root;
    for (const part of path.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[path.at(-1)!] = value;
  }
  return root;
}

function findIgnored(config: ModelConfig, backendConfig: Readonly<Record<string, string>>): string[] {
  const ignored: string[] = [];
  const accelerators = config.optimization?.execution_accelerators;
  for (const kind of ["gpu_execution_accelerator", "cpu_execution_accelerator"] as const) {
    for (const { name } of accelerators?.[kind] ?? []) {
      ignored.push(
        `optimization.execution_accelerators.${kind} "${name}" is ignored: this backend runs on the CPU provider`,
      );
    }
  }
  if (config.optimization?.cuda !== undefined)
    ignored.push("optimization.cuda is ignored: this backend runs on the CPU");
  for (const key of gpuParameters) {
    if (modelParameter(config, key) !== undefined) {
      ignored.push(`the parameter ${key} is ignored: this backend runs on the CPU`);
    }
  }
  if (config.instance_group?.some((group) => group.kind === "KIND_GPU")) {
    ignored.push("instance_group asks for KIND_GPU, but this backend runs on the CPU");
  }
  for (const key of unusedBackendOptions) {
    if (backendConfig[key] !== undefined) {
      ignored.push(`the backend option ${key} is ignored: each instance is a process with threads of its own`);
    }
  }
  return ignored.map((what) => `Model '${config.name}': ${what}.`);
}

/** Cores that this process may use: those of its affinity, and no more than the quota of its control group. */
export function coreCount(quotaFile = "/sys/fs/cgroup/cpu.max"): number {
  const cores = availableParallelism();
  try {
    const [quota, period] = readFileSync(quotaFile, "utf8").trim().split(/\s+/).map(Number);
    if (quota! > 0 && period! > 0) return Math.max(1, Math.min(cores, Math.ceil(quota! / period!)));
  } catch {
    // No such file outside a control group of the second version: then there is no quota to keep.
  }
  return cores;
}
