// SPDX-License-Identifier: Apache-2.0
// A service of proto/gen as @grpc/grpc-js wants it, for both its clients and its servers.
import {
  create,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
} from "@grpc/grpc-js";

/**
 * A method as grpc-js wants it. What is sent may be a message or what one is made of; what comes is a message, whose bytes
 * are views on what was received.
 */
export type GrpcMethod<M extends DescMethod> = Omit<
  MethodDefinition<MessageInitShape<M["input"]>, MessageShape<M["output"]>>,
  "requestDeserialize" | "responseSerialize"
> & {
  requestDeserialize(bytes: Buffer): MessageShape<M["input"]>;
  responseSerialize(message: MessageInitShape<M["output"]>): Buffer;
};

/** All methods of a service, by their names in TypeScript. */
export type GrpcServiceDefinition<S extends DescService> = {
  readonly [Name in keyof S["method"]]: GrpcMethod<S["method"][Name]>;
};

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? handleUnaryCall<MessageShape<I>, MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? handleServerStreamingCall<MessageShape<I>, MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? handleClientStreamingCall<MessageShape<I>, MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? handleBidiStreamingCall<MessageShape<I>, MessageInitShape<O>>
          : never;

/** What a server does at each method of a service: `server.addService(serviceDefinition(S), handlers)`. */
export type GrpcHandlers<S extends DescService> = { [Name in keyof S["method"]]: Handler<S["method"][Name]> };

/** Bytes as the Buffer that grpc-js asks for, without a copy. */
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function methodDefinition<M extends DescMethod>(method: M): GrpcMethod<M> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (message) => asBuffer(toBinary(input, create(input, message))),
    requestDeserialize: (bytes) => fromBinary(input, bytes) as MessageShape<M["input"]>,
    responseSerialize: (message) => asBuffer(toBinary(output, create(output, message))),
    responseDeserialize: (bytes) => fromBinary(output, bytes) as MessageShape<M["output"]>,
  };
}

/** The methods of a service of proto/gen, as `Client` and `Server` of grpc-js take them. */
export function serviceDefinition<S extends DescService>(service: S): GrpcServiceDefinition<S> {
  const methods = service.methods.map((method) => [method.localName, methodDefinition(method)]);
  return Object.fromEntries(methods) as GrpcServiceDefinition<S>;
}
