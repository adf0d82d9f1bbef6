// SPDX-License-Identifier: Apache-2.0
// Where the inputs and outputs of calls lie, and for how long.
import v8 from "node:v8";
import vm from "node:vm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Tensor } from "../api/tensor.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Batch } from "./batch.ts";
import type { Answer } from "./response_record.ts";
import { CallingConnection, large, read, request, turn } from "./testing/calling.ts";
import { failure } from "./testing/received_batch.ts";

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc") as () => void;

const answerOf = (outputs: readonly Tensor[]): Answer => ({
  error: undefined,
  outputIndices: [0],
  outputs,
  parameters: {},
});

let there: CallingConnection;
beforeEach(() => {
  there = new CallingConnection();
});
// A test that leaves something open says so.
afterEach(async () => expect(await there.close()).toEqual([0, 0]));

describe("an answer", () => {
  test("is copied where it is small, and its memory is free at once", async () => {
    await request("echo").exec();
    await turn();
    expect(there.host.calls.answerCount).toBe(0);
  });

  test("that is large lies where the server wrote it, until it is disposed of", async () => {
    const response = await request("big").exec();
    const big = response.output("BIG", "FP32").data;
    expect([big.length, big[19_999], there.host.calls.answerCount]).toEqual([20_000, 7, 1]);
    response.dispose();
    response.dispose();
    expect([big.length, read(response, "SMALL")]).toEqual([0, [1]]);
    await turn();
    expect(there.host.calls.answerCount).toBe(0);
  });

  test("is free when nobody has it or a part of it any more", async () => {
    let part: Float32Array | undefined = await (async () => {
      const response = await request("big").exec();
      return new Float32Array(response.output("BIG", "FP32").data.buffer, 400, 1);
    })();
    await turn();
    collect();
    await turn();
    expect([part[0], there.host.calls.answerCount]).toEqual([7, 1]);
    part = undefined;
    await vi.waitFor(() => {
      collect();
      expect(there.host.calls.answerCount).toBe(0);
    });
  });

  test("goes on as an input of another call without a copy, and stays until that is over", async () => {
    const first = await request("big").exec();
    const again = new Tensor("A", first.output("BIG", "FP32").data.subarray(10, 20), [10]);
    const answer = request("hold", [again]).exec();
    first.dispose();
    await turn();
    expect(there.host.calls.answerCount).toBe(1);
    expect(there.held[0]!.content.inputs[0]!.place).toMatchObject({ bytes: 40 });
    expect(there.held[0]!.content.inputs[0]!.place.region).toBeLessThan(L.REGION_OF_STUB);
    expect(there.held[0]!.input("A").data).toEqual(new Float32Array(10).fill(7));
    there.held[0]!.end();
    await answer;
    await turn();
    expect(there.host.calls.answerCount).toBe(0);
  });

  test("goes on as an output without a copy", async () => {
    const { batch, sent } = there.receive([{}]);
    const response = await request("big").exec();
    const output = new Tensor("OUT", response.output("BIG", "FP32").data, [20_000]);
    there.answer(batch, [answerOf([output])]);
    const [{ outputs }] = sent.responses[0] as [(typeof sent.responses)[0][0]];
    expect(outputs[0]!.place.region).toBeLessThan(L.REGION_OF_STUB);
    expect(outputs[0]!.tensor.data).toEqual(new Float32Array(20_000).fill(7));
    response.dispose();
  });

  test("that was disposed of is neither an output nor an input any more", async () => {
    const { batch, sent } = there.receive([{}]);
    const response = await request("big").exec();
    const big = response.output("BIG");
    response.dispose();
    there.answer(batch, [answerOf([big])]);
    expect(sent.responses[0]![0]!.error?.message).toContain("The buffer of tensor 'BIG' was transferred away");
    await expect(request("echo", [big]).exec()).rejects.toThrow("The buffer of tensor 'BIG' was transferred away");
  });
});

describe("inputs of a request at hand", () => {
  const begin = (inputs = [large("IN", 3)]) => {
    const { batch, sent } = there.receive([{ inputs }]);
    there.current = batch.lives[0];
    return { batch, sent, input: batch.requests[0]!.input("IN", "FP32") };
  };
  const placeOfHeld = () => there.held[0]!.content.inputs[0]!.place.region;
  const end = async (batch: Batch) => {
    there.answer(batch, [failure("done")]);
    for (const call of there.held) if (!call.isOver) call.end();
    await turn();
  };

  test.each([
    ["as they are", (input: Tensor) => input],
    ["as a part", (input: Tensor) => new Tensor("X", (input.data as Float32Array).subarray(4), [19_996])],
  ])("are read where they lie: %s", async (_, make) => {
    const { batch, input } = begin();
    const answer = request("hold", [make(input)]).exec();
    await turn();
    expect(placeOfHeld()).toBeLessThan(L.REGION_OF_STUB);
    expect(there.held[0]!.input(there.held[0]!.content.inputs[0]!.name).data[0]).toBe(3);
    there.held[0]!.end();
    await answer;
    await end(batch);
  });

  test("hold the request's answer back until the call is over", async () => {
    const { batch, sent, input } = begin();
    const answer = request("hold", [input]).exec();
    await turn();
    there.answer(batch, [answerOf([new Tensor("OUT", Float32Array.of(5), [1])])]);
    await turn();
    expect([batch.isOpen, sent.responses[0]]).toEqual([false, []]);
    expect(there.held[0]!.input("IN").data[0]).toBe(3);
    there.held[0]!.respond({});
    await answer;
    await sent.done;
    expect(sent.responses[0]![0]!.outputs[0]!.tensor.data).toEqual(Float32Array.of(5));
  });

  describe("hold back answers that were made together", () => {
    /** Calls with an input of the first two of three requests. */
    const beginThree = () => {
      const { batch, sent } = there.receive([1, 2, 3].map((value) => ({ inputs: [large("IN", value)] })));
      const inputs = batch.requests.map((each) => each.input("IN", "FP32"));
      const answers = [0, 1].map((i) => request("hold", [inputs[i]!]).exec());
      return { batch, sent, inputs, answers };
    };
    const firsts = async ({ sent, answers }: ReturnType<typeof beginThree>) => {
      await turn();
      for (const call of there.held) call.end();
      await Promise.all([...answers, sent.done]);
      return sent.responses.map(([only]) => only!.error?.message ?? only!.outputs[0]!.tensor.data[0]);
    };

    test.each([false, true])("each with another one's input (STRICT_VIEWS: %s)", async (strictViews) => {
      await there.close();
      there = new CallingConnection(strictViews);
      const begun = beginThree();
      const answers = [1, 0, 0].map((i) => answerOf([new Tensor("OUT", begun.inputs[i]!.data, [20_000])]));
      there.answer(begun.batch, answers);
      expect(await firsts(begun)).toEqual([2, 1, 1]);
    });

    test("each with another one's allocated output", async () => {
      const begun = beginThree();
      const outputs = begun.batch.requests.map((each) => each.allocateOutput("OUT", "FP32", [4]));
      for (const [i, { data }] of outputs.entries()) data.fill(i + 5);
      there.answer(
        begun.batch,
        [2, 0, 1].map((i) => answerOf([outputs[i]!])),
      );
      expect(await firsts(begun)).toEqual([7, 5, 6]);
    });
  });

  test("hold the answer back, but not a cancel", async () => {
    const { batch, sent, input } = begin();
    const answer = request("hold", [input]).exec();
    await turn();
    there.answer(batch, [failure("done")]);
    sent.cancel(0);
    await turn();
    expect(there.held[0]!.isCancelled).toBe(true);
    there.held[0]!.end();
    await answer;
    await sent.done;
  });

  test("hold a stream's end back, and what the end says stays as it was", async () => {
    const { batch, sent, input } = begin();
    const answer = request("hold", [input]).exec();
    await turn();
    const out = Float32Array.of(5);
    there.connection.post(batch.lives[0]!, answerOf([new Tensor("OUT", out, [1])]), true);
    out[0] = 6;
    await turn();
    expect(sent.responses[0]).toEqual([]);
    there.held[0]!.end();
    await answer;
    await sent.done;
    expect(sent.responses[0]![0]!.outputs[0]!.tensor.data).toEqual(Float32Array.of(5));
  });

  test("after the answer are refused, and copied where only their memory is known", async () => {
    const { batch, input } = begin();
    const { data } = input;
    there.answer(batch, [failure("done")]);
    await expect(request("echo", [input]).exec()).rejects.toThrow(
      "Input 'IN' of a call is an input of a request that is answered already. clone() it before.",
    );
    const answer = request("hold", [new Tensor("X", data, [20_000])]).exec();
    await turn();
    expect(placeOfHeld()).toBeGreaterThanOrEqual(L.REGION_OF_STUB);
    there.held[0]!.end();
    await answer;
  });

  test("outputs that were allocated are read where they lie", async () => {
    const { batch, sent } = begin();
    const output = batch.requests[0]!.allocateOutput("OUT", "FP32", [4]);
    output.data.fill(9);
    const answer = request("hold", [output]).exec();
    await turn();
    there.answer(batch, [failure("done")]);
    expect(there.held[0]!.input("OUT").data).toEqual(new Float32Array(4).fill(9));
    there.held[0]!.end();
    await Promise.all([answer, sent.done]);
  });

  test.each([
    ["of the request at hand are read where they lie", true],
    ["of another request are copied", false],
  ])("in a client's memory %s", async (_, isOwn) => {
    const data = new Float32Array(20_000).fill(3);
    const region = there.native.lend(new Uint8Array(data.buffer));
    const place = { region, offset: 0, bytes: data.byteLength };
    const { batch } = there.receive([{ inputs: [{ tensor: large("IN", 3), place }] }]);
    there.current = isOwn ? batch.lives[0] : undefined;
    const answer = request("hold", batch.requests[0]!.inputs).exec();
    await turn();
    expect(placeOfHeld() === region).toBe(isOwn);
    there.held[0]!.end();
    await answer;
    await end(batch);
  });
});
