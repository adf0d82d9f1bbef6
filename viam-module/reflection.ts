// SPDX-License-Identifier: Apache-2.0
// gRPC's server reflection, without which a robot does not know what the module serves. It hands out the descriptors that
// the .proto files were compiled to, and so ones that fit together.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../proto/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { GrpcHandlers } from "../proto/service_definition.ts";

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"];

/** A file and all that it imports, each before what needs it. */
function withImports(file: DescFile, found = new Map<string, DescFile>()): Map<string, DescFile> {
  const name = `${file.name}.proto`;
  if (found.has(name)) return found;
  for (const dependency of file.dependencies) withImports(dependency, found);
  return found.set(name, file);
}

function symbolsOf(file: DescFile): string[] {
  const methods = file.services.flatMap(({ typeName, methods: all }) => all.map(({ name }) => `${typeName}.${name}`));
  const types = [...file.messages, ...file.enums, ...file.services].map(({ typeName }) => typeName);
  const nested = file.messages.flatMap((message) => message.nestedMessages.map(({ typeName }) => typeName));
  return [...types, ...nested, ...methods];
}

const notFound = (what: string): Answer => ({
  case: "errorResponse",
  value: { errorCode: status.NOT_FOUND, errorMessage: `This module knows no ${what}.` },
});

function filesAnswer(file: DescFile | undefined, what: string): Answer {
  if (file === undefined) return notFound(what);
  // With what it imports: a robot need not ask again, and none is there twice.
  const files = [...withImports(file).values()].reverse();
  const bytes = files.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: bytes } };
}

/** The service that describes these services, and itself. */
export function reflectionOf(services: readonly DescService[]): GrpcHandlers<typeof ServerReflection> {
  const all = [...services, ServerReflection];
  const files = new Map<string, DescFile>();
  for (const { file } of all) withImports(file, files);
  const bySymbol = new Map(
    [...files.values()].flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)),
  );

  const answer = ({ messageRequest: asked }: ServerReflectionRequest): Answer => {
    switch (asked.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: all.map(({ typeName }) => ({ name: typeName })) } };
      case "fileByFilename":
        return filesAnswer(files.get(asked.value), `file ${asked.value}`);
      case "fileContainingSymbol":
        return filesAnswer(bySymbol.get(asked.value), `symbol ${asked.value}`);
      case "allExtensionNumbersOfType":
        if (!bySymbol.has(asked.value)) return notFound(`type ${asked.value}`);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: asked.value } };
      default:
        return notFound("extension of any type");
    }
  };

  return {
    serverReflectionInfo(call) {
      call.on("data", (request: ServerReflectionRequest) => {
        call.write({ validHost: request.host, originalRequest: request, messageResponse: answer(request) });
      });
      call.on("end", () => call.end());
      call.on("error", () => undefined); // a client that went away
    },
  };
}
