// SPDX-License-Identifier: Apache-2.0
import { expectTypeOf, test } from "vitest";
import {
  type DataType,
  InferenceRequest,
  type InferenceRequestOptions,
  InferenceResponse,
  type InitializeArgs,
  type ResponseSender,
  type ResponseStream,
  type StreamingModel,
  Tensor,
  type TensorData,
  type TensorDataMap,
  type Trace,
  type TraceContext,
  TritonError,
  type TritonModel,
  type TritonModelClass,
} from "./index.ts";

// The bodies of these tests are checked by tsc and never run: a wrong type is a compile error.
function compiled(_body: (request: InferenceRequest, tensor: Tensor) => unknown): void {}

test("the model of the guide compiles as it is written", () => {
  class AddSub implements TritonModel {
    initialize(_args: InitializeArgs) {}
    execute(requests: InferenceRequest[]) {
      return requests.map((request) => {
        const a = request.input("INPUT0", "FP32"),
          b = request.input("INPUT1", "FP32");
        // biome-ignore format: the text of the guide
        return new InferenceResponse([new Tensor("OUTPUT0", a.data.map((x, i) => x + b.data[i]!), a.shape)]);
      });
    }
    isReady() {
      return true;
    }
    finalize() {}
  }
  expectTypeOf<typeof AddSub>().toExtend<TritonModelClass>();
});

test("models that stream compile in each of their forms", () => {
  class Generator implements StreamingModel {
    *stream(request: InferenceRequest) {
      yield new InferenceResponse([request.input("A")]);
      yield new TritonError("odd");
    }
  }
  class AsyncGenerator implements StreamingModel {
    initialize(_args: InitializeArgs) {}
    async isReady() {
      return true;
    }
    async *stream(request: InferenceRequest) {
      await Promise.resolve();
      yield new InferenceResponse([request.input("A")]);
    }
  }
  class Others implements StreamingModel {
    async stream(_request: InferenceRequest) {
      return [new InferenceResponse()];
    }
  }
  class Senders implements TritonModel {
    async execute(requests: InferenceRequest[]) {
      for (const request of requests) await request.responseSender().send(new InferenceResponse(), { final: true });
    }
  }
  class Rescheduled implements TritonModel {
    execute(requests: InferenceRequest[]) {
      return requests.map((request) => (request.isCancelled ? new InferenceResponse() : null));
    }
  }
  expectTypeOf<typeof Generator>().toExtend<TritonModelClass>();
  expectTypeOf<typeof AsyncGenerator>().toExtend<TritonModelClass>();
  expectTypeOf<typeof Others>().toExtend<TritonModelClass>();
  expectTypeOf<typeof Senders>().toExtend<TritonModelClass>();
  expectTypeOf<typeof Rescheduled>().toExtend<TritonModelClass>();
});

test("what a stream yields and what a sender sends is a compile error when it is no response", () => {
  class Numbers {
    *stream(_request: InferenceRequest) {
      yield 5;
    }
  }
  expectTypeOf<typeof Numbers>().not.toExtend<TritonModelClass>();
  compiled((request) => {
    const sender = request.responseSender();
    expectTypeOf(sender).toEqualTypeOf<ResponseSender>();
    expectTypeOf(sender.send(new TritonError("no"), { final: true })).toEqualTypeOf<Promise<void>>();
    expectTypeOf(request.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(request.deadlineMs).toEqualTypeOf<number | undefined>();
    // @ts-expect-error an array is no response
    return sender.send([new InferenceResponse()]);
  });
});

test("calls of other models, and their outputs", () => {
  compiled(async (request, tensor) => {
    const call = new InferenceRequest({ modelName: "m", inputs: [tensor], signal: request.signal });
    using answer = await call.exec({ throwOnError: false });
    expectTypeOf(answer).toEqualTypeOf<InferenceResponse>();
    expectTypeOf(answer.output("OUT", "FP32")).toEqualTypeOf<Tensor<"FP32">>();
    expectTypeOf(answer.optionalOutput("OUT")).toEqualTypeOf<Tensor | undefined>();
    const stream = call.stream({ emptyFinal: true });
    expectTypeOf(stream).toEqualTypeOf<ResponseStream>();
    for await (const part of stream) expectTypeOf(part).toEqualTypeOf<InferenceResponse>();
    // @ts-expect-error the name of the model is needed
    new InferenceRequest({ inputs: [tensor] });
    // @ts-expect-error there is no such option
    return new InferenceRequest({ modelName: "m", inputs: [tensor], model_version: 1 });
  });
});

test("traces", () => {
  compiled((request, tensor) => {
    expectTypeOf(request.trace).toEqualTypeOf<Trace | undefined>();
    expectTypeOf(request.trace?.context).toEqualTypeOf<TraceContext | undefined>();
    const options: InferenceRequestOptions = { modelName: "m", inputs: [tensor], trace: request.trace };
    new InferenceRequest({ ...options, trace: null });
    // @ts-expect-error only a request has a trace
    new InferenceRequest({ ...options, trace: { context: {} } });
  });
});

test("a tensor of any datatype can be passed on", () => {
  compiled((_request, t) => new InferenceResponse([new Tensor("OUT", t.data, t.shape, t.datatype)]));
  compiled((request) => {
    const generic = <D extends DataType>(t: Tensor<D>): Tensor<D> => new Tensor<D>("OUT", t.data, t.shape, t.datatype);
    generic(request.input("IN", "INT64"));
  });
});

test("a datatype types the data", () => {
  compiled((request) => {
    expectTypeOf(request.input("A", "INT64").data).toEqualTypeOf<BigInt64Array>();
    expectTypeOf(request.input("A", "FP16").data).toEqualTypeOf<Uint16Array>();
    expectTypeOf(request.input("A").data).toEqualTypeOf<TensorData>();
    expectTypeOf(request.optionalInput("A", "BOOL")).toEqualTypeOf<Tensor<"BOOL"> | undefined>();
    expectTypeOf(request.optionalInput("A")).toEqualTypeOf<Tensor | undefined>();
    expectTypeOf(request.allocateOutput("A", "FP64", [1]).data).toEqualTypeOf<Float64Array>();
    expectTypeOf<TensorDataMap["UINT64"]>().toEqualTypeOf<BigUint64Array>();
  });
});

test("the one element has the type of its datatype", () => {
  compiled((request, tensor) => {
    expectTypeOf(request.input("A", "INT64").item()).toEqualTypeOf<bigint>();
    expectTypeOf(request.input("A", "BOOL").item()).toEqualTypeOf<boolean>();
    expectTypeOf(request.input("A", "BYTES").item()).toEqualTypeOf<string>();
    expectTypeOf(request.input("A", "FP16").item()).toEqualTypeOf<number>();
    expectTypeOf(tensor.item()).toEqualTypeOf<number | bigint | boolean | string>();
    expectTypeOf(request.input("A", "INT8").renamed("B")).toEqualTypeOf<Tensor<"INT8">>();
  });
});

test("an array that does not fit its datatype is a compile error", () => {
  compiled(() => {
    new Tensor("A", ["text"], [1]);
    new Tensor("A", [new Uint8Array(1)], [1]);
    new Tensor("A", ["text", new Uint8Array(1)], [2], "BYTES");
    new Tensor("A", [true], [1], "BOOL");
    new Tensor("A", new Float16Array(1), [1]);
    new Tensor("A", new Float16Array(1), [1], "FP16");
    new Tensor("A", new Uint16Array(1), [1], "BF16");
    new Tensor("A", Buffer.alloc(1), [1], "UINT8");
    // @ts-expect-error INT32 needs an Int32Array
    new Tensor("A", new Float32Array(1), [1], "INT32");
    // @ts-expect-error plain numbers are not a typed array
    new Tensor("A", [1, 2], [2]);
    // @ts-expect-error there is no such datatype
    new Tensor("A", new Float32Array(1), [1], "FLOAT");
    // @ts-expect-error without a datatype a Uint16Array is UINT16
    const bf16: Tensor<"BF16"> = new Tensor("A", new Uint16Array(1), [1]);
    return bf16;
  });
});

test("the constructor of a request is not for models", () => {
  compiled(() => {
    // @ts-expect-error requests come from the server
    new InferenceRequest({});
  });
});
