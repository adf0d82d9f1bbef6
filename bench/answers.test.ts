// SPDX-License-Identifier: Apache-2.0

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { checkAnswers } from "./answers.ts";

const HEADER_LENGTH = "inference-header-content-length";

interface Answer {
  status?: number;
  output?: Partial<{ name: string; datatype: string; shape: number[] }>;
  change?: (tensor: Buffer) => Buffer;
}

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

/** A fake Triton that answers as an identity model would, apart from what `answer` changes. */
async function fakeTriton(answer: Answer): Promise<{ httpUrl: string }> {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const tensor = body.subarray(Number(request.headers[HEADER_LENGTH]));
    const changed = answer.change?.(tensor) ?? tensor;
    const parameters = { binary_data_size: changed.length };
    const output = { name: "OUTPUT", datatype: "FP32", shape: [tensor.length / 4], parameters, ...answer.output };
    const header = Buffer.from(JSON.stringify({ outputs: [output] }));
    response.writeHead(answer.status ?? 200, { [HEADER_LENGTH]: header.length });
    response.end(Buffer.concat([header, changed]));
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { httpUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe("checkAnswers", () => {
  it("accepts an identity", async () => {
    await expect(checkAnswers(await fakeTriton({}), "m", 64)).resolves.toBeUndefined();
  });

  it("refuses changed, missing and additional bytes", async () => {
    const changes: ((tensor: Buffer) => Buffer)[] = [
      (tensor) => Buffer.concat([tensor.subarray(0, -1), Buffer.from([~tensor.at(-1)!])]),
      () => Buffer.alloc(0),
      (tensor) => Buffer.concat([tensor, tensor]),
    ];
    for (const change of changes) {
      await expect(checkAnswers(await fakeTriton({ change }), "m", 64)).rejects.toThrow("must return its input");
      server?.close();
    }
  });

  it("refuses another name, datatype or shape, and an error", async () => {
    for (const output of [{ name: "OTHER" }, { datatype: "INT32" }, { shape: [4, 4] }]) {
      await expect(checkAnswers(await fakeTriton({ output }), "m", 64)).rejects.toThrow("must answer OUTPUT");
      server?.close();
    }
    await expect(checkAnswers(await fakeTriton({ status: 500 }), "m", 64)).rejects.toThrow("status 500");
  });
});
