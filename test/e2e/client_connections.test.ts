// SPDX-License-Identifier: Apache-2.0
// How the package's gRPC client reaches a real server: over TLS, with and without a certificate of its own, and by a socket
// of this machine.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GrpcClient, type GrpcClientOptions, Tensor } from "../../client/index.ts";
import { collect, failure } from "../../client/testing/calls.ts";
import { startServer, type TestServer } from "./harness/index.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "connections-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const input = new Tensor("INPUT_FP32", Float32Array.of(0.5, -1), [2]);

function clientOf(server: TestServer, options: GrpcClientOptions): GrpcClient {
  const client = new GrpcClient(options);
  server.closeAtStop(client);
  return client;
}

/** Asks for an answer and for a stream. */
async function expectAnswers(client: GrpcClient): Promise<void> {
  const answer = await client.infer("identity", [input], { requestedOutputs: ["OUTPUT_FP32"] });
  expect(answer.output("OUTPUT_FP32", "FP32").data).toEqual(input.data);
  const parts = await collect(client.stream("identity", [input], { requestedOutputs: ["OUTPUT_FP32"] }));
  expect(parts.map((part) => part.output("OUTPUT_FP32", "FP32").data)).toEqual([input.data]);
}

/** `openssl req` signs with another certificate (-CA) from 3.0 on. Other programs of this name have numbers of their own. */
function hasOpenssl(): boolean {
  const { stdout } = spawnSync("openssl", ["version"], { encoding: "utf8" });
  return Number(/^OpenSSL (\d+)\./.exec(stdout ?? "")?.[1] ?? 0) >= 3;
}

/** Makes a key and a certificate for it, NAME.key and NAME.pem; signed by another one, or by itself. */
function makeCertificate(name: string, more: readonly string[], issuer?: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
  const signed = issuer === undefined ? [] : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`];
  const args = ["req", "-x509", ...key, "-out", `${name}.pem`, "-days", "2", ...more, ...signed];
  execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
}

const file = (name: string) => path.join(folder, name);
const pem = (name: string) => readFileSync(file(name), "utf8");

describe.skipIf(!hasOpenssl())("TLS (skipped where there is no OpenSSL 3.0 or newer to make certificates)", () => {
  let server: TestServer;
  let mutual: TestServer;
  const urlOf = ({ grpcUrl }: TestServer) => `grpcs://${grpcUrl.replace("127.0.0.1", "localhost")}`;

  beforeAll(async () => {
    makeCertificate("authority", ["-subj", "/CN=authority"]);
    makeCertificate("stranger", ["-subj", "/CN=stranger"]);
    const namesOf = (names: string) => ["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`];
    makeCertificate("server", namesOf("DNS:localhost,IP:127.0.0.1"), "authority");
    makeCertificate("named", namesOf("DNS:localhost"), "authority");
    makeCertificate("client", ["-subj", "/CN=client"], "authority");
    const argsOf = (name: string) => [
      "--grpc-use-ssl=true",
      `--grpc-server-cert=${file(`${name}.pem`)}`,
      `--grpc-server-key=${file(`${name}.key`)}`,
      `--grpc-root-cert=${file("authority.pem")}`,
    ];
    [server, mutual] = await Promise.all([
      startServer({ models: ["identity"], args: argsOf("server") }),
      startServer({ models: ["identity"], args: [...argsOf("named"), "--grpc-use-ssl-mutual=true"] }),
    ]);
  });
  afterAll(() => Promise.all([server, mutual].map((started) => started?.stop())));

  test("a server whose certificate is of a trusted authority answers", async () => {
    await expectAnswers(clientOf(server, { url: urlOf(server), tls: { rootCertificates: pem("authority.pem") } }));
  });

  test("a certificate may be for an address of numbers", async () => {
    const tls = { rootCertificates: pem("authority.pem") };
    await expectAnswers(clientOf(server, { url: `grpcs://${server.grpcUrl}`, tls }));
  });

  test("a name that the user overrides the address with is the one that the certificate must be for", async () => {
    const rootCertificates = pem("authority.pem");
    const tls = { rootCertificates, privateKey: pem("client.key"), certificateChain: pem("client.pem") };
    const named = (name: string) => ({ "grpc.ssl_target_name_override": name });
    const url = `grpcs://${mutual.grpcUrl}`;
    await expectAnswers(clientOf(mutual, { url, tls, channelOptions: named("localhost") }));
    const stranger = clientOf(mutual, { url, tls, channelOptions: named("stranger.example") });
    expect(await failure(stranger.infer("identity", [input]))).toMatchObject({ reason: "UNREACHABLE" });
  });

  test("the option alone encrypts, without a scheme in the address", async () => {
    const url = urlOf(server).replace("grpcs://", "");
    await expectAnswers(clientOf(server, { url, tls: { rootCertificates: pem("authority.pem") } }));
  });

  test("one whose certificate nobody trusts, or which is for another name, gets no request", async () => {
    const trusted = { rootCertificates: pem("authority.pem") };
    for (const [url, tls] of [
      [urlOf(server), undefined],
      [urlOf(server), { rootCertificates: pem("stranger.pem") }],
      [`grpcs://${mutual.grpcUrl}`, trusted],
    ] as const) {
      const error = await failure(clientOf(server, { url, tls }).infer("identity", [input]));
      expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "UNREACHABLE" });
      expect(error.message).toMatch(/certificate|altnames/i);
    }
  });

  test("a client that does not encrypt is not answered", async () => {
    const error = await failure(clientOf(server, { url: server.grpcUrl }).infer("identity", [input]));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "UNREACHABLE" });
  });

  test("a server that wants to know who asks takes the client's own certificate, and no call without", async () => {
    const rootCertificates = pem("authority.pem");
    const own = { privateKey: pem("client.key"), certificateChain: pem("client.pem") };
    await expectAnswers(clientOf(mutual, { url: urlOf(mutual), tls: { rootCertificates, ...own } }));
    const unknown = clientOf(mutual, { url: urlOf(mutual), tls: { rootCertificates } });
    expect(await failure(unknown.infer("identity", [input]))).toMatchObject({ reason: "UNREACHABLE" });
  });
});

describe("a socket of this machine", () => {
  test("carries calls and streams", async () => {
    const socket = file("triton.sock");
    const args = [`--grpc-address=unix:${socket}`, "--grpc-port=8001"];
    const server = await startServer({ models: ["identity"], args });
    // Triton puts the port behind every address.
    await expectAnswers(clientOf(server, { url: `unix:${socket}:8001` }));
    await server.stop();
  });

  test("that nobody listens at is named in the error", async () => {
    const client = new GrpcClient({ url: `unix:${file("nobody.sock")}` });
    const error = await failure(client.infer("identity", [input]));
    client.close();
    expect(error.reason).toBe("UNREACHABLE");
    expect(error.message).toContain("nobody.sock");
  });
});
