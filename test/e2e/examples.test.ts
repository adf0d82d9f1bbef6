// SPDX-License-Identifier: Apache-2.0
// The repository that comes along, as a new user meets it: every model is served, the clients of the examples work as they
// are written, the ensemble `ocr` reads as well through the server as without it, and `ocr_bls` as the ensemble.
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { packageRoot, stubNode } from "../../server/package_root.ts";
import {
  type Comparison,
  compareAll,
  percent,
  pictureNames,
  picturesFolder,
  readPictureFile,
} from "../ocr/accuracy.ts";
import { serverReader } from "../ocr/server_reader.ts";
import { fetchOnce, requestJson, startServer, type TestServer, TritonClient } from "./harness/index.ts";

const picture = path.join(picturesFolder, "stop_sign.jpg");
const scratch = mkdtempSync(path.join(os.tmpdir(), "triton-typescript-examples-"));
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ repository: path.join(packageRoot, "model_repository") });
});

afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** What a program prints; rejects when it fails. */
async function output(command: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd: packageRoot })).stdout;
}

const withoutCurl = spawnSync("curl", ["--version"]).status !== 0;
const example = (name: string, file: string) => path.join(packageRoot, "examples", name, file);

test("every model is ready", async () => {
  const { body } = await requestJson(`${server.url}/v2/repository/index`, {});
  expect(body.length).toBeGreaterThan(0);
  expect(body.filter(({ state }: { state: string }) => state !== "READY")).toEqual([]);
});

test("story and the decoupled twins of python_backend stream", async () => {
  const stream = async (model: string, body: object) => {
    const reply = await fetchOnce(`${server.url}/v2/models/${model}/generate_stream`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const lines = (await reply.text()).split("\n").filter((line) => line.startsWith("data: "));
    return lines.map((line) => JSON.parse(line.slice("data: ".length)));
  };
  const words = (await stream("story", { text_input: "a cat", max_words: 6 })).map(({ text_output }) => text_output);
  expect(words).toEqual(["Once", " upon", " a", " time", " a", " cat"]);
  const { body } = await requestJson(`${server.url}/v2/models/story/generate`, { text_input: "a cat", stream: false });
  expect(body.text_output).toMatch(/^Once upon a time a cat lived .*\.$/);
  expect(await stream("story", { text_input: "" })).toEqual([{ error: expect.stringContaining("is empty") }]);
  expect((await stream("square_int32", { IN: 3 })).map(({ OUT }) => OUT)).toEqual([3, 3, 3]);
  const repeated = await stream("repeat_int32", { IN: [4, 2, 0, 1], DELAY: [4, 3, 2, 1], WAIT: 5 });
  expect(repeated.map(({ OUT, IDX }) => [OUT, IDX])).toEqual([
    [4, 0],
    [2, 1],
    [0, 2],
    [1, 3],
  ]);
});

describe("the clients of add_sub", () => {
  test.each([["--url"], ["--grpc", "--url"]])("client.py %s", async (...args) => {
    const url = args.includes("--grpc") ? server.grpcUrl : server.url.replace("http://", "");
    expect(await output(inject("python"), example("add_sub", "client.py"), ...args, url)).toMatch(/PASS$/m);
  });

  test("client.ts", async () => {
    expect(await output(stubNode(), example("add_sub", "client.ts"), server.url)).toMatch(/PASS$/m);
  });

  test.skipIf(withoutCurl)("client.sh (skipped where curl is missing)", async () => {
    const answer = JSON.parse(await output("sh", example("add_sub", "client.sh"), server.url));
    expect(answer.outputs[0].data[15]).toBe(17);
  });
});

describe("the clients of image_preprocess", () => {
  test("client.py", async () => {
    const url = server.url.replace("http://", "");
    const text = await output(inject("python"), example("image_preprocess", "client.py"), picture, "--url", url);
    expect(text).toMatch(/^PIXELS float32 \[3, 224, 224\]$/m);
  });

  test.skipIf(withoutCurl)("client.sh (skipped where curl is missing)", async () => {
    const pixels = path.join(scratch, "pixels.bin");
    await output("sh", example("image_preprocess", "client.sh"), picture, pixels, server.url);
    expect(readFileSync(pixels).byteLength).toBe(3 * 224 * 224 * 4);
  });
});

describe("the clients of ocr", () => {
  test("client.py", async () => {
    const url = server.url.replace("http://", "");
    const text = await output(inject("python"), example("ocr", "client.py"), picture, "--url", url);
    expect(text).toMatch(/ {2}STOP {2}\[/);
  });

  test("client.ts", async () => {
    expect(await output(stubNode(), example("ocr", "client.ts"), picture, server.url)).toMatch(/ {2}STOP {2}\[/);
  });

  test("triton-ts infer prints the text and draws the boxes", async () => {
    const annotated = path.join(scratch, "annotated.png");
    const command = path.join(packageRoot, "bin", "triton-ts.js");
    const args = ["infer", "ocr", "--url", server.url, "--image", picture, "--save", annotated];
    expect(await output(process.execPath, command, ...args)).toMatch(/^0\.9\d+ {2}STOP$/m);
    const [before, after] = [await sharp(picture).metadata(), await sharp(annotated).metadata()];
    expect([after.format, after.width, after.height]).toEqual(["png", before.width, before.height]);
  });
});

describe("the twins of python_backend's examples", () => {
  const models = (name: string) => example(name, "models");
  let twins: TestServer;
  beforeAll(async () => {
    const more = ["auto_complete", "bls_decoupled", "custom_metrics", "instance_kind"].map(
      (name) => `--model-repository=${models(name)}`,
    );
    twins = await startServer({ repository: models("bls"), args: more });
  });
  afterAll(() => twins.stop());

  test.each(["auto_complete", "bls", "bls_decoupled", "custom_metrics", "instance_kind"])(
    "the client of %s",
    async (name) => {
      const urls = [twins.url, new URL(twins.metricsUrl).origin];
      expect(await output(stubNode(), example(name, "client.ts"), ...urls)).toMatch(/^PASS$/m);
    },
  );

  test("batches of batch_auto_complete are put together", async () => {
    const client = new TritonClient(twins);
    const data = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const inputs = ["INPUT0", "INPUT1"].map((name) => ({ name, datatype: "FP32" as const, shape: [2, 4], data }));
    const reply = await client.infer("grpc", "batch_auto_complete", { inputs });
    expect(reply.output("OUTPUT0")).toMatchObject({ shape: [2, 4], data: data.map((x) => 2 * x) });
    await expect(client.infer("grpc", "nobatch_auto_complete", { inputs })).rejects.toThrow(/unexpected shape/);
  });
});

describe("the ensemble ocr against the reference", () => {
  let comparisons: Comparison[];
  beforeAll(async () => {
    comparisons = await compareAll(serverReader(server.url));
  });

  test("character accuracy is within one point", () => {
    const ours = percent(comparisons.map(({ accuracy }) => accuracy));
    const theirs = percent(comparisons.map(({ referenceAccuracy }) => referenceAccuracy));
    expect(ours).toBeGreaterThanOrEqual(theirs - 1);
  });

  test.each(pictureNames())("%s: as many lines", (name) => {
    const { lines, reference } = comparisons.find((comparison) => comparison.picture === name)!;
    expect(lines).toHaveLength(reference.length);
  });

  test("bytes that are no picture are the client's mistake", async () => {
    await expect(serverReader(server.url)(Buffer.from("no picture"))).rejects.toThrow(/could not be decoded/);
  });
});

describe("ocr_bls, the pipeline in one model", () => {
  const read = (model: string, picture: string) => serverReader(server.url, model)(readPictureFile(picture));

  test.each(pictureNames())("%s: exactly what ocr gives", async (name) => {
    expect(await read("ocr_bls", name)).toEqual(await read("ocr", name));
  });

  test("direction and recognition are not called where detection finds nothing", async () => {
    const repository = path.join(packageRoot, "model_repository");
    const loadModels = ["ocr_bls", "ocr_detection"];
    const without = await startServer({ repository, modelControlMode: "explicit", loadModels });
    const readWithout = serverReader(without.url, "ocr_bls");
    const wall = sharp({ create: { width: 640, height: 420, channels: 3, background: "#9db4a0" } });
    expect(await readWithout(await wall.jpeg().toBuffer())).toEqual([]);
    await expect(readWithout(readPictureFile("stop_sign.jpg"))).rejects.toThrow(/'ocr_direction'.*not/);
    await without.stop();
  });

  test("pictures that come at the same time keep apart", async () => {
    const names = ["stop_sign.jpg", "empty.jpg", "shop_sign.jpg", "stop_sign.jpg"];
    const [stop, none, shop, again] = await Promise.all(names.map((name) => read("ocr_bls", name)));
    expect([stop!.length, none, again]).toEqual([1, [], stop]);
    expect(shop!.map(({ text }) => text)).toContain("OPEN");
  });

  test("bytes that are no picture are the client's mistake", async () => {
    await expect(serverReader(server.url, "ocr_bls")(Buffer.from("no picture"))).rejects.toThrow(
      /answered 400: .*could not be decoded/,
    );
  });
});
