// SPDX-License-Identifier: Apache-2.0
// Streams that share one event loop, and what the server has not read of them.
import { describe, expect, test } from "vitest";
import type { InferenceRequest } from "../api/request.ts";
import { ModelLoop } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";
import { decoupled, start } from "./testing/stream.ts";

const MORE_THAN_THE_RING_TAKES = 2000;

describe("side by side", () => {
  test("streams of one batch, each at its own pace; the model is free at once", async () => {
    const { sent } = start(
      async function* ({ id }) {
        for (let i = 0; i < 3; i++) {
          await settled(id === "slow" ? 20 : 1);
          yield number(i);
        }
      },
      decoupled,
      [{ id: "slow" }, { id: "fast" }],
    );
    await settled();
    expect(sent.isSettled).toBe(true);
    while (sent.responses[1]!.length < 4) await settled();
    expect(sent.responses[0]!.length).toBeLessThan(4);
    await sent.done;
    expect(sent.responses.map(shown)).toEqual([
      ["0", "1", "2", "end"],
      ["0", "1", "2", "end"],
    ]);
  });

  test.each<[string, () => Generator | AsyncGenerator]>([
    [
      "synchronous",
      function* () {
        for (let i = 0; i < 3000; i++) yield number(i);
      },
    ],
    [
      "asynchronous, but never waiting",
      async function* () {
        for (let i = 0; i < 3000; i++) yield number(i);
      },
    ],
  ])("busy ones (%s) leave timers their turn, and none is forgotten", async (_what, stream) => {
    const { sent } = start(stream, decoupled, [{}, {}, {}]);
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    const counts: number[][] = [];
    while (sent.responses.some((responses) => !responses.at(-1)?.final)) {
      counts.push(sent.responses.map((responses) => responses.length));
      await settled(1);
    }
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(5);
    expect(sent.responses.map((responses) => responses.length)).toEqual([3001, 3001, 3001]);
    const middle = counts[Math.floor(counts.length / 2)]!;
    for (const count of middle) expect(count).toBeGreaterThan(1);
  });

  test("requests of one sequence one after the other, those of others meanwhile", async () => {
    const began: string[] = [];
    const gates = new Map<string, () => void>();
    const loop = new ModelLoop(
      {
        async *stream({ id }: InferenceRequest) {
          began.push(id);
          await new Promise<void>((resolve) => gates.set(id, resolve));
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    for (const id of ["a1", "a2", "b1"]) loop.host.execute([{ id, correlationId: id.charCodeAt(0) }]);
    await settled();
    expect(began).toEqual(["a1", "b1"]);
    gates.get("a1")!();
    await settled();
    expect(began).toEqual(["a1", "b1", "a2"]);
  });

  test("one that waits for its sequence is no load for the instance, and is said to be settled once", async () => {
    const gates = new Map<string, () => void>();
    const loop = new ModelLoop(
      {
        async *stream({ id }: InferenceRequest) {
          await new Promise<void>((resolve) => gates.set(id, resolve));
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    const [first, second, third] = ["a1", "a2", "a3"].map((id) => loop.host.execute([{ id, correlationId: 1 }]));
    await settled();
    expect([first, second, third].map((sent) => sent!.isSettled)).toEqual([true, true, true]);
    third!.cancel(0);
    await third!.done;
    gates.get("a1")!();
    await settled();
    gates.get("a2")!();
    await Promise.all([first!.done, second!.done]);
    await settled();
    expect(third!.responses[0]![0]!.error!.code).toBe("CANCELLED");
    expect(loop.gaveUp).toEqual([]);
    expect([...gates.keys()]).toEqual(["a1", "a2"]);
    expect(new Uint32Array(loop.native.busy)[0]).toBe(0);
  });

  test("one that waits and is cancelled while the server does not read ends behind its being settled", async () => {
    const loop = new ModelLoop(
      {
        async *stream() {
          await new Promise(() => {});
          yield number(1);
        },
      },
      { decoupled: true, concurrency: 1, ordersSequences: true },
    );
    loop.host.execute([{ correlationId: 1 }]);
    loop.native.pause(true);
    const waiting = Array.from({ length: MORE_THAN_THE_RING_TAKES }, () => loop.host.execute([{ correlationId: 1 }]));
    waiting.at(-1)!.cancel(0);
    loop.native.pause(false);
    await waiting.at(-1)!.done;
    await settled();
    expect(waiting.every(({ isSettled }) => isSettled)).toBe(true);
    expect(loop.gaveUp).toEqual([]);
  });
});

test("a stream is pulled no faster than it is read", async () => {
  let pulled = 0;
  const loop = new ModelLoop(
    {
      *stream() {
        for (; pulled < 5000; pulled++) yield number(pulled);
      },
    },
    decoupled,
  );
  loop.native.pause(true);
  const sent = loop.host.execute([{}]);
  while (loop.connection.ready === undefined) await settled();
  const waiting = pulled;
  expect(waiting).toBeLessThan(1000);
  await settled(10);
  expect(pulled).toBe(waiting);
  loop.native.pause(false);
  await sent.done;
  expect(sent.responses[0]).toHaveLength(5001);
  expect(loop.gaveUp).toEqual([]);
  expect([loop.native.outbound.used, loop.native.inbound.used]).toEqual([0, 0]);
});
