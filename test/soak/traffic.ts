// SPDX-License-Identifier: Apache-2.0
// Clients that ask, one request after another, and check each answer against what they asked.
import assert from "node:assert/strict";
import { ClientError, type GrpcClient, type InferenceResult, SharedMemory, Tensor } from "../../client/index.ts";
import type { Disturbances } from "./disturbances.ts";

/** Whoever waits for longer waits for an answer that is lost. */
const PATIENCE_MS = 60_000;
/** In shared memory; enough to be lent, not copied. */
const LARGE = 64 << 10;

export interface Tally {
  answered: number;
  /** Errors while a process was missing. */
  excused: number;
}

const integers = (...values: number[]) => new Tensor("IN", Int32Array.from(values), [values.length]);
const numbersOf = (result: InferenceResult) => [...(result.optionalOutput("OUT", "INT32")?.data ?? [])];
const below = (limit: number) => Math.floor(Math.random() * limit);
const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** An error that a server answered with over HTTP. */
class Refused extends Error {}

/** Asks once, and checks. */
type Ask = (client: GrpcClient, url: string) => Promise<void>;

const ordinary: Ask = async (client) => {
  const first = below(1e6);
  const result = await client.infer("step", [integers(first, -first)], { deadlineMs: PATIENCE_MS });
  assert.deepEqual(numbersOf(result), [first + 1, -first + 1]);
};

const called: Ask = async (client) => {
  const [first, count] = [below(1e6), below(40)];
  const result = await client.infer("caller", [integers(first, count)], { deadlineMs: PATIENCE_MS });
  assert.deepEqual(numbersOf(result), [first + 3, count + 3, from(first, count).reduce((sum, n) => sum + n, 0)]);
};

const streamed: Ask = async (client) => {
  const [first, count] = [below(1e6), below(200)];
  const received: number[] = [];
  const stream = client.stream("numbers", [integers(first, count)], { deadlineMs: PATIENCE_MS });
  for await (const response of stream) received.push(...numbersOf(response));
  assert.deepEqual(received, from(first, count));
};

/**
 * A client that leaves in the middle of a stream. It asks over HTTP: under this load the gRPC front end of 2.51 dies within
 * seconds when clients cancel, whatever backend answers (server issues 7368 and 8034).
 */
const left: Ask = async (_, url) => {
  const [first, count] = [below(1e6), 1 + below(100)];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const body = JSON.stringify({ IN: [first, 1e6] });
  const response = await fetch(`${url}/v2/models/numbers/generate_stream`, { method: "POST", body, signal });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("data: ").length > count + 1) break; // and the connection is closed
  }
  const events = text.split("data: ").slice(1, count + 1);
  const received = events.map((event) => JSON.parse(event) as { OUT?: number; error?: string });
  const failed = received.find(({ error }) => error !== undefined);
  if (failed) throw new Refused(failed.error);
  assert.deepEqual(
    received.map(({ OUT }) => OUT),
    from(first, count),
  );
};

/** A large tensor in memory that is registered for this one request. */
const inSharedMemory: Ask = async (client) => {
  using memory = SharedMemory.create({ byteSize: 2 * LARGE });
  await client.registerSystemSharedMemory(memory);
  try {
    const input = memory.tensor("IN", "INT32", [LARGE / 4]);
    const first = below(1e6);
    input.data.set(from(first, LARGE / 4));
    const requestedOutputs = [{ name: "OUT", memory: memory.range(LARGE, LARGE) }];
    const result = await client.infer("step", [input], { deadlineMs: PATIENCE_MS, requestedOutputs });
    assert.deepEqual(numbersOf(result), from(first + 1, LARGE / 4));
  } finally {
    await client.unregisterSystemSharedMemory(memory);
  }
};

const KINDS: Readonly<Record<string, Ask>> = { ordinary, called, streamed, left, inSharedMemory };
/** Clients of each kind. */
const CLIENTS = 2;

/** All clients of one server. */
export class Traffic {
  /** By the kind of request. */
  readonly tallies = new Map<string, Tally>(Object.keys(KINDS).map((kind) => [kind, { answered: 0, excused: 0 }]));
  readonly #client: GrpcClient;
  readonly #url: string;
  readonly #disturbances: Disturbances;

  constructor(client: GrpcClient, url: string, disturbances: Disturbances) {
    this.#client = client;
    this.#url = url;
    this.#disturbances = disturbances;
  }

  /** All ask until `end`. */
  async run(end: number): Promise<void> {
    const loop = async (kind: string) => {
      while (Date.now() < end) await this.#ask(kind);
    };
    await Promise.all(Object.keys(KINDS).flatMap((kind) => Array.from({ length: CLIENTS }, () => loop(kind))));
  }

  /** Throws unless it was answered rightly, or failed while a process was missing; nobody may have to wait for ever. */
  async #ask(kind: string): Promise<void> {
    const tally = this.tallies.get(kind)!;
    const began = Date.now();
    try {
      await KINDS[kind]!(this.#client, this.#url);
      tally.answered++;
    } catch (error) {
      const isAnswer = error instanceof Refused || (error instanceof ClientError && error.reason === "ANSWER");
      if (!isAnswer || !this.#disturbances.excuses(began)) throw new Error(`${kind}: ${error}`, { cause: error });
      tally.excused++;
    }
  }
}
