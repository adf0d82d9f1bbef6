// SPDX-License-Identifier: Apache-2.0
// A server in a container, asked from outside.
import { expect } from "vitest";
import { GrpcClient, HttpClient, Tensor } from "../../client/index.ts";
import { freePorts } from "../../server/ports.ts";
import { fetchOnce } from "../e2e/harness/server.ts";

/** Arguments of `triton-ts serve` for ports that nobody has, and clients for them. */
export async function endpoints() {
  const [http = 0, grpc = 0, metrics = 0] = await freePorts(3);
  return {
    args: ["--http-port", `${http}`, "--grpc-port", `${grpc}`, "--metrics-port", `${metrics}`],
    // A connection that is kept would hold up the stop for its whole time.
    http: new HttpClient({ url: `http://127.0.0.1:${http}`, fetch: fetchOnce }),
    grpc: new GrpcClient({ url: `127.0.0.1:${grpc}` }),
  };
}

const FLOATS = Float32Array.from({ length: 16 }, (_, i) => i);

/** Asks the model add_sub, and checks what it adds. */
export async function expectSum(client: GrpcClient | HttpClient): Promise<void> {
  const inputs = ["INPUT0", "INPUT1"].map((name) => new Tensor(name, FLOATS, [1, 16]));
  const answer = await client.infer("add_sub", inputs);
  expect(answer.output("OUTPUT0", "FP32").data).toEqual(FLOATS.map((value) => 2 * value));
}

/** The same question for the command `triton-ts infer`. */
export const SUM_ARGUMENTS = ["add_sub", ...["INPUT0", "INPUT1"].map((name) => `--input=${name}=${FLOATS.join(",")}`)];
/** What it prints of the answer. */
export const SUM_PRINTED = `OUTPUT0 FP32 [1, 16]: ${FLOATS.map((value) => 2 * value).join(", ")}`;
