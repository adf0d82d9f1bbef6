// SPDX-License-Identifier: Apache-2.0
// The core of what the library does, on other releases of Triton; docs/releases.md says what they lack.
// RELEASES=23.07,24.06 names releases of server/versions.ts; without it, two that differ and the embedded one.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureEmbeddedServer } from "../../server/embedded_server.ts";
import { ServerError } from "../../server/error.ts";
import type { Installation } from "../../server/installation.ts";
import { type ServerWheel, testedReleases } from "../../server/versions.ts";
import { bad, inferCase } from "./faults/bad_models.ts";
import {
  ClientError,
  identityOutput,
  identitySamples,
  isAlive,
  look,
  mirrorConfig,
  type Protocol,
  requestJson,
  startServer,
  type TestServer,
  TritonClient,
  tensor,
  texts,
  until,
  values,
} from "./harness/index.ts";

const protocols: Protocol[] = ["http", "grpc"];
const wanted = (process.env["RELEASES"] ?? "23.07,24.01,24.10").split(",");

/** The server of a release, or why there is none on this machine: no network when it is needed first, another machine. */
async function serverOf(wheel: ServerWheel): Promise<{ installation?: Installation; reason: string }> {
  try {
    return { installation: await ensureEmbeddedServer(process.stderr, wheel), reason: "" };
  } catch (error) {
    if (!(error instanceof ServerError && ["UNSUPPORTED", "PIP"].includes(error.code))) throw error;
    process.stderr.write(`Triton ${wheel.release} is skipped: ${error.message}\n`);
    return { reason: error.message };
  }
}

const chosen = testedReleases.filter(({ release }) => wanted.includes(release));
const releases = await Promise.all(chosen.map(async (wheel) => ({ ...wheel, ...(await serverOf(wheel)) })));

test("every release that is named is known", () => {
  expect(releases.map(({ release }) => release).sort()).toEqual([...wanted].sort());
});

const titled = releases.map((each) => {
  const skipped = each.reason && ` (skipped: ${each.reason})`;
  return { ...each, title: `Triton ${each.release}${skipped}` };
});

describe.each(titled)("$title", ({ release, tritonVersion, installation, reason }) => {
  const since = (first: string) => release >= first;
  let server: TestServer;
  let client: TritonClient;

  beforeAll(async () => {
    if (reason !== "") return;
    const batching = "dynamic_batching { preferred_batch_size: [ 4 ], max_queue_delay_microseconds: 10000000 }";
    const models = [
      "identity",
      "answers",
      "numbers",
      "twice_doubled",
      bad("dies"),
      { name: "mirror", fixture: "mirror", config: mirrorConfig(batching, 8) },
      { name: "broken", fixture: "numbers", files: { "1/model.ts": "export default 5;" } },
    ];
    server = await startServer({ installation, models, backendConfig: ["typescript,restart-backoff-ms=1"] });
    client = new TritonClient(server);
  });
  afterAll(async () => {
    await server?.kill();
  });

  const act = (protocol: Protocol, action: string) =>
    client.infer(protocol, "answers", { inputs: [tensor("ACTION", "BYTES", [action], [1, 1])] });

  const failure = async (request: Promise<unknown>) => {
    const error = await request.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ClientError);
    return error as ClientError;
  };

  describe.skipIf(reason !== "")("core", () => {
    test("is that release", async () => {
      expect((await requestJson(`${server.url}/v2`)).body.version).toBe(tritonVersion);
    });

    test.each(protocols)("datatypes come back bit by bit over %s", async (protocol) => {
      const sent = identitySamples.map(([, each]) => each);
      const reply = await client.infer(protocol, "identity", { inputs: sent });
      const expected = sent.map(identityOutput).map((each) => [each.name, each] as const);
      expect(new Map(reply.outputs.map((output) => [output.name, output]))).toEqual(new Map(expected));
    });

    test("requests that wait together make one batch, and each gets its own answer", async () => {
      const sums = [100, 101, 102, 103];
      const replies = await Promise.all(
        sums.map((_, i) => client.infer("grpc", "mirror", { inputs: [tensor("INPUT", "FP32", [i, 100], [1, 2])] })),
      );
      expect(replies.map((reply) => values(reply.output("SUM")))).toEqual(sums.map((sum) => [sum]));
      const seen = replies.map((reply) => JSON.parse(texts(reply.output("SEEN"))[0]!));
      expect(seen.map(({ batch }) => batch)).toEqual([4, 4, 4, 4]);
      expect(new Set(seen.map(({ call }) => call)).size).toBe(1);
    });

    test.each(protocols)("a request over %s brings what the client set", async (protocol) => {
      const parameters = { text: "zwölf", small: 12, negative: -3, yes: true, no: false };
      const options = { protocol, rows: 4, id: "request 7 ☂", outputs: ["SEEN"], parameters, timeoutUs: 12_345_678 };
      const seen = await look(client, "mirror", options);
      expect([seen.id, seen.requestedOutputs, seen.parameters]).toEqual([options.id, ["SEEN"], parameters]);
      expect(seen.timeoutUs).toBe(since("23.12") ? options.timeoutUs : 0);
      expect(seen.inputs["INPUT"]).toEqual({ datatype: "FP32", shape: [4, 2], data: [1, 1, 1, 1, 1, 1, 1, 1] });
    });

    test.each(protocols)("parameters of a response over %s", async (protocol) => {
      if (since("24.02")) {
        expect((await act(protocol, "parameters")).parameters).toMatchObject({ text: "zwölf", whole: 7, half: 0.5 });
      } else {
        const error = await failure(act(protocol, "parameters"));
        expect(error.message).toMatch(/^Response parameter 'half' is a number that is no integer.*Triton 24\.02/);
      }
    });

    test.each(protocols)("an ensemble works over %s", async (protocol) => {
      const reply = await client.infer(protocol, "twice_doubled", { inputs: [tensor("IN", "FP32", [1, 2.5, -3])] });
      expect(reply.outputs).toEqual([tensor("RESULT", "FP32", [4, 10, -12])]);
    });

    test("an error of a model keeps its code and its sentence", async () => {
      const codes = {
        NOT_FOUND: "NOT_FOUND",
        INVALID_ARG: "INVALID_ARGUMENT",
        UNAVAILABLE: "UNAVAILABLE",
        CANCELLED: since("24.01") ? "CANCELLED" : "UNKNOWN",
      };
      for (const [code, grpc] of Object.entries(codes)) {
        const error = await failure(act("grpc", `return ${code}`));
        expect([error.message, error.status]).toEqual([`asked for ${code}`, `StatusCode.${grpc}`]);
      }
      expect((await failure(act("http", "return NOT_FOUND"))).status).toBe(since("24.01") ? "404" : "400");
      expect((await failure(act("http", "crash"))).message).toMatch(/RangeError: the number 42 is out of range$/);
      expect(texts((await act("http", "ok")).output("DONE"))).toEqual(["ok of 1"]);
    });

    test("a process that dies is replaced", async () => {
      const { status, error } = await inferCase(server, "dies", "kill");
      expect([status, error]).toEqual([since("24.01") ? 503 : 400, expect.stringMatching(/killed by signal 9/)]);
      await until(async () => (await inferCase(server, "dies", "lives")).status === 200, "an answer", 60_000, server);
    });

    test("a model that cannot be loaded says why", async () => {
      const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
      const broken = body.find(({ name }: { name: string }) => name === "broken");
      expect([broken.state, broken.reason]).toEqual(["UNAVAILABLE", expect.stringMatching(/must be a class/)]);
    });

    test("the server stops in order, with every process", async () => {
      const pids = server.stubs();
      expect(pids).toHaveLength(5);
      expect((await server.stop()).code).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
    });
  });
});
