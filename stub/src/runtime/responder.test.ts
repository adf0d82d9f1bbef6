// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { isDefect, TritonError } from "../api/errors.ts";
import type { InferenceRequest } from "../api/request.ts";
import { InferenceResponse } from "../api/response.ts";
import type { ResponseSender } from "../api/response_sender.ts";
import { Tensor } from "../api/tensor.ts";
import type { HostRequest } from "../ipc/memory_host.ts";
import { UNAWAITED_LIMIT } from "./responder.ts";
import { ModelLoop, type ModelLoopOptions } from "./testing/model_loop.ts";
import { number, settled, shown } from "./testing/responses.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => write.mockRestore());
const logged = () => write.mock.calls.map(([text]) => String(text)).join("");

/** A model that keeps its requests, and answers nothing by itself. */
function kept(options: ModelLoopOptions, requests: readonly HostRequest[] = [{}]) {
  const held: InferenceRequest[] = [];
  const loop = new ModelLoop((batch) => {
    held.push(...batch);
    const senders = batch.map((request) => request.responseSender());
    return options.decoupled ? undefined : senders.map(() => null);
  }, options);
  const sent = loop.host.execute(requests);
  const senders = held.map((request) => request.responseSender());
  return { loop, sent, requests: held, senders, sender: senders[0] as ResponseSender };
}

const CLOSED = "Unable to send response. Response sender has been closed.";

describe("decoupled", () => {
  const decoupled = { decoupled: true };

  test("any number of responses, also after execute, and the end with the last or by itself", async () => {
    const { sent, senders } = kept(decoupled, [{}, {}, {}]);
    await settled();
    expect(sent.isSettled).toBe(true);
    const [first, second, third] = senders as [ResponseSender, ResponseSender, ResponseSender];
    await first.send(number(1));
    await second.send(number(10), { final: true });
    await first.send(new TritonError("half way", "UNAVAILABLE"));
    await first.send(number(3));
    expect(senders.map(({ isClosed }) => isClosed)).toEqual([false, true, false]);
    await first.close();
    await third.close();
    await sent.done;
    expect(sent.responses.map(shown)).toEqual([["1", "UNAVAILABLE half way", "3", "end"], ["10!"], ["end"]]);
  });

  test("the sender is the same each time, in and after execute", () => {
    const { requests, sender } = kept(decoupled);
    expect(requests[0]!.responseSender()).toBe(sender);
  });

  test("a response may be sent many times, and its arrays are the model's again at once", async () => {
    const { sent, sender, requests } = kept(decoupled);
    const output = requests[0]!.allocateOutput("OUT", "INT32", [1]);
    const response = new InferenceResponse([output]);
    for (const value of [1, 2, 3]) {
      output.data[0] = value;
      void sender.send(response);
    }
    output.data[0] = 4;
    void sender.send(response, { final: true });
    await sent.done;
    expect(shown(sent.responses[0]!)).toEqual(["1", "2", "3", "4!"]);
  });

  test("parameters of a response", async () => {
    const { sent, sender } = kept(decoupled);
    await sender.send(new InferenceResponse([], { parameters: { step: 1 } }), { final: true });
    await settled();
    expect(sent.responses[0]).toMatchObject([{ parameters: { step: 1 }, final: true, isEmpty: false }]);
  });

  test("a closed sender sends nothing more, and says so to whoever looks", async () => {
    const { sent, sender, loop } = kept(decoupled);
    await sender.close();
    for (const late of [sender.send(number(1)), sender.send(number(1), { final: true }), sender.close()]) {
      const error = await late.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ message: CLOSED, code: "INTERNAL" });
      expect(isDefect(error)).toBe(true);
      expect((error as Error).stack).toContain("responder.test.ts");
    }
    await sent.done;
    expect(shown(sent.responses[0]!)).toEqual(["end"]);
    expect(loop.gaveUp).toEqual([]);
  });

  test("what does not fit the configuration is an error for the client, and more may follow", async () => {
    const { sent, sender } = kept(decoupled);
    await sender.send(new InferenceResponse([new Tensor("OUT", Float32Array.of(1), [1])]));
    await sender.send(number(2), { final: true });
    await settled();
    expect(shown(sent.responses[0]!)).toEqual([expect.stringContaining("INTERNAL Output 'OUT'"), "2!"]);
  });

  test("a response that closes its sender while it is read is not sent", async () => {
    const { sent, sender } = kept(decoupled);
    const response = number(1);
    Object.defineProperty(response, "outputs", {
      get() {
        void sender.close().catch(() => {});
        return [];
      },
    });
    await expect(sender.send(response)).rejects.toThrow(CLOSED);
    await settled();
    expect(shown(sent.responses[0]!)).toEqual(["end"]);
  });

  test("while the server does not read, sends wait; a sender that does not wait is stopped at a limit", async () => {
    const { loop, sent, sender } = kept(decoupled);
    await settled();
    loop.native.pause(true);
    const large = new InferenceResponse([new Tensor("OUT", Int32Array.of(7), [1])], {
      parameters: { text: "x".repeat(60_000) },
    });
    const sends = Array.from({ length: 2000 }, () => sender.send(large).then(() => "sent"));
    const outcomes = await Promise.all(
      sends.map((send) => Promise.race([send.catch((error: unknown) => error), settled().then(() => "waits")])),
    );
    const sentAtOnce = outcomes.filter((outcome) => outcome === "sent").length;
    const waiting = outcomes.filter((outcome) => outcome === "waits").length;
    expect(sentAtOnce).toBeGreaterThan(10);
    expect(waiting * 60_000).toBeGreaterThan(UNAWAITED_LIMIT * 0.9);
    expect(outcomes.at(-1)).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining(`More than ${UNAWAITED_LIMIT >> 20} MiB of responses to one request wait`),
    });
    loop.native.pause(false);
    await Promise.allSettled(sends);
    await sender.send(number(1), { final: true });
    await sent.done;
    expect(shown(sent.responses[0]!.slice(-1))).toEqual(["1!"]);
    expect(sent.responses[0]).toHaveLength(sentAtOnce + waiting + 1);
    expect(loop.native.outbound.used).toBe(0);
  });

  test("a client that has gone changes nothing for who sends", async () => {
    const { sent, sender } = kept(decoupled);
    const { signal } = sender;
    sent.cancel(0);
    expect([sender.isCancelled, signal.aborted]).toEqual([true, true]);
    await sender.send(number(1));
    await sender.close();
    await sent.done;
    expect([sender.isCancelled, sender.isClosed]).toEqual([true, true]);
  });
});

describe("default mode", () => {
  test("the sender's one response is the answer, and closing is allowed but not needed", async () => {
    const { sent, senders } = kept({}, [{}, {}]);
    await settled();
    expect(sent.isSettled).toBe(true);
    await senders[0]!.send(number(1));
    expect(senders[0]!.isClosed).toBe(false);
    await senders[0]!.close();
    await senders[1]!.send(number(2), { final: true });
    expect(senders.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    await sent.done;
    expect(sent.responses.map(shown)).toEqual([["1!"], ["2!"]]);
  });

  test("a second response, and the end before the first, are refused", async () => {
    const { sent, sender } = kept({});
    await expect(sender.close()).rejects.toThrow(
      "Non-decoupled model cannot send complete final before sending a response",
    );
    await sender.send(number(1));
    await expect(sender.send(number(2))).rejects.toThrow("Non-decoupled model cannot send more than one response");
    await sender.close();
    await expect(sender.close()).rejects.toThrow(CLOSED);
    await sent.done;
    expect(shown(sent.responses[0]!)).toEqual(["1!"]);
  });

  test("an error is a response", async () => {
    const { sent, sender } = kept({});
    await sender.send(new TritonError("no", "NOT_FOUND"));
    await sent.done;
    expect(shown(sent.responses[0]!)).toEqual(["NOT_FOUND no!"]);
  });

  test("what execute returned closes the sender", async () => {
    let sender: ResponseSender | undefined;
    const loop = new ModelLoop(([request]) => {
      sender = request!.responseSender();
      return [number(1)];
    });
    const sent = loop.host.execute([{}]);
    await sent.done;
    expect(sender!.isClosed).toBe(true);
    await expect(sender!.send(number(2))).rejects.toThrow(CLOSED);
  });

  test("what execute returns for a request that its sender answered is dropped, and logged", async () => {
    const loop = new ModelLoop((requests) => {
      void requests[0]!.responseSender().send(number(1));
      return [number(2), number(3)];
    });
    const sent = loop.host.execute([{}, {}]);
    await sent.done;
    expect(sent.responses.map(shown)).toEqual([["1!"], ["3!"]]);
    expect(logged()).toContain("The response to request 0 is dropped, because its sender has answered it already.");
  });
});

test("a sender that is asked for after the answer is closed", async () => {
  const held: InferenceRequest[] = [];
  const loop = new ModelLoop((requests) => {
    held.push(...requests);
    return requests.map(() => number(1));
  });
  loop.host.execute([{}]);
  const sender = held[0]!.responseSender();
  expect(sender.isClosed).toBe(true);
  await expect(sender.send(number(2))).rejects.toThrow(CLOSED);
});

test.each([[undefined], [null], [5], [[number(1)]], [{}]])("send(%j) throws at once", (wrong) => {
  const { sender } = kept({ decoupled: true });
  expect(() => sender.send(wrong as never)).toThrow(
    "send() needs an InferenceResponse or a TritonError, but was given",
  );
});

test("send() of what only looks like a response throws at once", () => {
  const { sender } = kept({ decoupled: true });
  const text =
    "send() needs an InferenceResponse or a TritonError, but was given InferenceResponse. It was not made by new InferenceResponse().";
  for (const fake of [
    Object.create(InferenceResponse.prototype),
    Object.setPrototypeOf({ outputs: [] }, InferenceResponse.prototype),
  ]) {
    expect(() => sender.send(fake)).toThrow(text);
  }
  expect(sender.isClosed).toBe(false);
});

test.each([
  [{ final: 1 }, "The option 'final'"],
  [null, "The second argument"],
  [true, "The second argument"],
  [1, "The second argument of send() must be an object such as { final: true }, but is 1."],
  [[], "The second argument"],
  [{ isFinal: true }, "send() has no option 'isFinal'. Its option is final."],
])("send(response, %j) throws at once", (options, text) => {
  const { sender } = kept({ decoupled: true });
  expect(() => sender.send(number(1), options as never)).toThrow(text);
  expect(sender.isClosed).toBe(false);
});

test.each<[string, ModelLoopOptions, (sender: ResponseSender) => Promise<void>]>([
  ["the one response of the default mode", {}, (sender) => sender.send(number(1))],
  ["a final one", { decoupled: true }, (sender) => sender.send(number(1), { final: true })],
  ["close()", { decoupled: true }, (sender) => sender.close()],
])("who reads the request after %s is told that its sender has ended it", async (_what, options, end) => {
  const { sent, requests, sender } = kept(options);
  await end(sender);
  await sent.done;
  expect(() => requests[0]!.id).toThrow(
    "The request was read after its sender had sent the last response (a model without decoupled: true has one only)",
  );
});

test("who reads a request that execute has failed is not told of its sender", async () => {
  const held: InferenceRequest[] = [];
  const loop = new ModelLoop(
    ([request]) => {
      held.push(request!);
      void request!.responseSender().send(number(1));
      throw new Error("no");
    },
    { decoupled: true },
  );
  await loop.host.execute([{}]).done;
  expect(() => held[0]!.id).toThrow("The request was read after it was answered");
});
