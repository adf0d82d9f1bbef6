// SPDX-License-Identifier: Apache-2.0
// A camera's picture through the Viam module, beside the same inference through Triton's own gRPC: both ask one server, in
// turns. Half a minute with five rounds. Both are asked by the same client in the same way, with a message that was encoded
// before: what a robot's own program does with its picture is none of the module's cost.

import { randomFillSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { GRPCInferenceService } from "../proto/gen/inference/grpc_service_pb.ts";
import { MLModelService } from "../proto/gen/viam/service/mlmodel/v1/mlmodel_pb.ts";
import { type GrpcMethod, serviceDefinition } from "../proto/service_definition.ts";
import { packageRoot } from "../server/package_root.ts";
import { ModuleProcess } from "../viam-module/testing/robot.ts";
import { ask, tensor } from "./answers.ts";
import { type Cell, inRounds, perRound, series } from "./grid.ts";
import { columns } from "./markdown.ts";
import { type Model, withModels } from "./models.ts";
import { figure, median, withSpread } from "./numbers.ts";
import type { Part, PartContext } from "./part.ts";
import type { Server } from "./server.ts";
import { finding, verdict } from "./verdict.ts";

const [HEIGHT, WIDTH] = [480, 640];
const SHAPE = [HEIGHT, WIDTH, 3];
const MODEL: Model = {
  ...{ name: "viam_picture", backend: "typescript", source: "picture" },
  ...{ inputs: ["image UINT8 -1 -1 3"], outputs: ["first UINT8 1"] },
};
const DIRECT = "Triton's gRPC";
const MODULE = "the Viam module";
const CALLS = 300;
/** What each call runs is compiled by then, on all three ways between client and model: a camera's first minute. */
const WARM_CALLS = 500;
const AIM_MS = 2;
const AIM_MB = 1;

export interface ViamSample {
  p50Us: number;
  p99Us: number;
  /** What the module's JavaScript heap had thrown away for each call, MB. Undefined for others. */
  garbageMb?: number;
}

export type ViamFigures = Cell<ViamSample>;

/** What the heap has thrown away so far, from the lines that V8 prints at each collection, in MB. */
export function garbageIn(output: string): number {
  const collections = output.matchAll(/(?:Scavenge|Mark-Compact)[^\n]*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \(/g);
  return [...collections].reduce((sum, [, before, after]) => sum + Number(before) - Number(after), 0);
}

async function timed(ask: () => Promise<number | undefined>, wanted: number, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const begin = performance.now();
    const answer = await ask();
    times.push((performance.now() - begin) * 1000);
    if (answer !== wanted) throw new Error(`A picture that begins with ${wanted} was answered with ${answer}.`);
  }
  return times.sort((a, b) => a - b);
}

interface Way {
  title: string;
  ask(): Promise<number | undefined>;
  garbage?(): number;
}

/** Has V8 say when it collects garbage, in a process that a script starts. */
const TRACE_GC = "--import=data:text/javascript,process.getBuiltinModule('v8').setFlagsFromString('--trace-gc')";

/** Asks one thing again and again, with one message; gives what `read` finds in the answer. */
function asking<M extends DescMethodUnary, T>(
  client: Client,
  { path: method, requestSerialize, responseDeserialize }: GrpcMethod<M>,
  message: MessageInitShape<M["input"]>,
  read: (answer: MessageShape<M["output"]>) => T,
): () => Promise<T> {
  const bytes = requestSerialize(message);
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method,
        () => bytes,
        responseDeserialize,
        bytes,
        (error, answer) => {
          if (error === null && answer !== undefined) resolve(read(answer));
          else reject(error ?? new Error("There was no answer."));
        },
      );
    });
}

/** Both ways to the model, with the first byte of its answer. */
function waysTo(direct: Client, module: ModuleProcess, pixels: Uint8Array): Way[] {
  const input = { name: "image", datatype: "UINT8", shape: SHAPE.map(BigInt) };
  const request = { modelName: MODEL.name, inputs: [input], rawInputContents: [pixels] };
  const { modelInfer } = serviceDefinition(GRPCInferenceService);
  const image = { shape: [1, ...SHAPE].map(BigInt), tensor: { case: "uint8Tensor" as const, value: { data: pixels } } };
  const call = { name: "picture", inputTensors: { tensors: { image } } };
  const { infer } = serviceDefinition(MLModelService);
  return [
    { title: DIRECT, ask: asking(direct, modelInfer, request, ({ rawOutputContents }) => rawOutputContents[0]?.[0]) },
    {
      title: MODULE,
      ask: asking(module.client.grpc, infer, call, ({ outputTensors }) => {
        const { tensor } = outputTensors?.tensors["first"] ?? {};
        return tensor?.case === "uint8Tensor" ? tensor.value.data[0] : undefined;
      }),
      garbage: () => garbageIn(module.output()),
    },
  ];
}

async function sample({ ask, garbage }: Way, first: number, calls: number): Promise<ViamSample> {
  const before = garbage?.();
  const times = await timed(ask, first, calls);
  const at = (share: number) => times[Math.floor(times.length * share)]!;
  const thrown = before === undefined ? {} : { garbageMb: (garbage!() - before) / calls };
  return { p50Us: at(0.5), p99Us: at(0.99), ...thrown };
}

async function measureWays(context: PartContext, server: Server, pixels: Uint8Array): Promise<ViamFigures> {
  const cell: ViamFigures = { label: `${WIDTH}x${HEIGHT}`, samples: {} };
  const folder = mkdtempSync(path.join(os.tmpdir(), "viam-bench-"));
  // As it is installed: compiled, on the Node that models have, by the script that a robot starts.
  const command = [path.join(packageRoot, "bin", "viam-mlmodelservice-triton.sh")];
  const env = { VIAM_NO_MODULE_PARENT: "true", NODE_OPTIONS: TRACE_GC };
  const module = new ModuleProcess(path.join(folder, "m.sock"), { command, env });
  const direct = new Client(server.grpcAddress, credentials.createInsecure());
  try {
    await module.untilReady();
    await module.client.add("picture", { model_name: MODEL.name, server_url: server.grpcAddress });
    const ways = waysTo(direct, module, pixels);
    const share = context.quick ? 0.1 : 1;
    for (const { ask } of ways) await timed(ask, pixels[0]!, WARM_CALLS * share);
    const calls = CALLS * share;
    await inRounds(context, {
      cells: [cell],
      contestants: () => ways,
      measure: (way) => sample(way, pixels[0]!, calls),
      tell: ({ p50Us, garbageMb }) =>
        `p50 ${figure(p50Us)} us${garbageMb === undefined ? "" : `, ${figure(garbageMb)} MB of garbage`}`,
    });
    return cell;
  } finally {
    direct.close();
    await module.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(context: PartContext, server: Server): Promise<ViamFigures> {
  const pixels = randomFillSync(new Uint8Array(HEIGHT * WIDTH * 3));
  const check = async () => {
    const [answer] = await ask(server.client, MODEL.name, [tensor("image", "UINT8", pixels, SHAPE)]);
    if (answer?.bytes[0] !== pixels[0]) throw new Error(`The model ${MODEL.name} does not answer with the first byte.`);
  };
  return withModels(server, [MODEL], () => measureWays(context, server, pixels), check);
}

/** What the module adds in each round, in milliseconds. */
const added = (cell: ViamFigures) =>
  perRound(cell, [MODULE, DIRECT], (module, direct) => (module!.p50Us - direct!.p50Us) / 1000);

const body = (cell: ViamFigures) =>
  columns(
    [DIRECT, MODULE],
    [
      [`a picture of ${WIDTH}x${HEIGHT} by`, (title) => title],
      ["median latency, us", (title) => withSpread(series(cell, title, "p50Us"))],
      ["p99, us", (title) => withSpread(series(cell, title, "p99Us"))],
      ["added to the median, ms", (title) => (title === MODULE ? withSpread(added(cell)) : "")],
      ["garbage a call, MB", (title) => (title === MODULE ? figure(median(garbage(cell))) : "")],
    ],
  );

const garbage = (cell: ViamFigures) => (cell.samples[MODULE] ?? []).map(({ garbageMb = Number.NaN }) => garbageMb);

export const viam: Part<ViamFigures> = {
  name: "viam",
  about: "a camera's picture through the Viam module, beside Triton's own gRPC",
  measure: (context) => context.withServer((server) => measure(context, server)),
  sections: (cell) => ({ "The Viam module": body(cell) }),
  verdicts: (cell) => [
    verdict(
      `a picture of ${WIDTH}x${HEIGHT} through the Viam module: at most ${AIM_MS} ms above Triton's own gRPC at the median`,
      finding(added(cell), cell.label),
      { atMost: AIM_MS, unit: " ms" },
    ),
    verdict(`the same: at most ${AIM_MB} MB of garbage a call`, finding(garbage(cell), cell.label), {
      atMost: AIM_MB,
      unit: " MB",
    }),
  ],
};
