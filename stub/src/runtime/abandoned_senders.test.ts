// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from "vitest";
import type { InferenceRequest } from "../api/request.ts";
import type { ResponseSender } from "../api/response_sender.ts";
import { collectGarbage } from "./garbage.ts";
import { Rejections } from "./rejections.ts";
import { ModelLoop } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());
const logged = () => write.mock.calls.map(([text]) => String(text)).join("");

async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await settled();
    collectGarbage(true);
  }
  await settled();
}

const text = (which: string) =>
  `Model 'm_0' dropped the response sender of ${which} without closing it. ` +
  "Call close() on every way out, errors included; the log may say which error came before.";

test.each<[string, (requests: InferenceRequest[]) => unknown]>([
  ["at once", () => {}],
  ["in the background", async () => await settled()],
  [
    "after a response",
    (requests) => {
      for (const request of requests) void request.responseSender().send(number(1));
    },
  ],
])("decoupled: a sender that is dropped %s closes its request with an error", async (_when, execute) => {
  const loop = new ModelLoop(execute, { decoupled: true });
  const sent = loop.host.execute([{ id: "first" }, {}]);
  await collect();
  await sent.done;
  for (const [i, which] of ["request 'first'", "a request without an id"].entries()) {
    expect(shown(sent.responses[i]!).at(-1)).toBe(`INTERNAL ${text(which)}!`);
    expect(logged()).toContain(text(which));
  }
});

test("decoupled: a rejection that nobody handled has lost senders looked for", async () => {
  const rejections = new Rejections(() => collectGarbage(true));
  const loop = new ModelLoop(
    async (requests) => {
      for (const request of requests) void request.responseSender().send(number(1));
    },
    { decoupled: true },
  );
  const sent = loop.host.execute([{ id: "it" }]);
  await settled();
  // Again, as a collection may come while something still holds the sender.
  const ended = () => {
    rejections.note(new Error("half way"));
    expect(sent.responses[0]).toHaveLength(2);
  };
  await vi.waitFor(ended, { timeout: 20_000, interval: 300 });
  expect(shown(sent.responses[0]!)).toEqual(["1", `INTERNAL ${text("request 'it'")}!`]);
  expect(loop.gaveUp).toEqual([]);
});

test("default mode: null in the place of a response whose sender is dropped", async () => {
  const loop = new ModelLoop((requests) => {
    requests[0]!.responseSender();
    return [null];
  });
  const sent = loop.host.execute([{ id: "it" }]);
  await collect();
  await sent.done;
  expect(logged()).toContain(text("request 'it'"));
});

test.each(["sender", "request"])("who keeps the %s can send", async (what) => {
  const kept: { request?: InferenceRequest; sender?: ResponseSender } = {};
  const loop = new ModelLoop(
    ([request]) => {
      if (what === "sender") kept.sender = request!.responseSender();
      else kept.request = request!;
    },
    { decoupled: true },
  );
  const sent = loop.host.execute([{}]);
  await collect();
  await (kept.sender ?? kept.request!.responseSender()).send(number(1), { final: true });
  await sent.done;
  kept.sender = kept.request = undefined as never;
  await collect();
  expect(shown(sent.responses[0]!)).toEqual(["1!"]);
  expect(logged()).toBe("");
});
