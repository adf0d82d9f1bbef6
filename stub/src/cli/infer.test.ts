// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePorts } from "../../../server/ports.ts";
import { scratchFolder } from "../../../server/testing/scratch.ts";
import { overlay } from "./annotate.ts";
import { outputLine } from "./infer.ts";
import { encodeElements } from "./tensor_values.ts";
import { runCli } from "./testing/run_cli.ts";

interface Request {
  header: { inputs: { name: string; shape: number[]; parameters: { binary_data_size: number } }[] };
  data: Buffer;
}

const metadata = {
  name: "ocr",
  versions: ["1"],
  platform: "ensemble",
  inputs: [{ name: "IMAGE", datatype: "UINT8", shape: [-1] }],
  outputs: [],
};
const box = [5, 40, 90, 40, 90, 80, 5, 80];
const outputs = [
  { name: "TEXT", datatype: "BYTES", shape: [1], bytes: encodeElements(["STOP & <go>"], "BYTES", "") },
  { name: "CONFIDENCE", datatype: "FP32", shape: [1], bytes: encodeElements([0.987], "FP32", "") },
  { name: "BOX", datatype: "FP32", shape: [1, 4, 2], bytes: encodeElements(box, "FP32", "") },
];

/** A fake server that speaks the protocol with bytes put together by hand. */
function fakeTriton(requests: Request[]): http.Server {
  return http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url === "/v2/models/ocr") return response.end(JSON.stringify(metadata));
      if (request.url === "/v2/models/story") return response.end(JSON.stringify({ ...metadata, name: "story" }));
      if (request.url === "/v2/models/story/infer") {
        response.statusCode = 501;
        const error = "HTTP end point doesn't support models with decoupled transaction policy";
        return response.end(JSON.stringify({ error }));
      }
      if (request.url === "/v2/repository/index") {
        const failed = { name: "bad", version: "1", state: "UNAVAILABLE", reason: "a syntax error" };
        return response.end(JSON.stringify([failed, { name: "bad", version: "2", state: "READY" }]));
      }
      if (request.url !== "/v2/models/ocr/infer") {
        response.statusCode = 400;
        return response.end(JSON.stringify({ error: "Request for unknown model: 'nope' is not found" }));
      }
      const body = Buffer.concat(chunks);
      const split = Number(request.headers["inference-header-content-length"]);
      requests.push({ header: JSON.parse(body.subarray(0, split).toString()), data: body.subarray(split) });
      const header = JSON.stringify({
        id: "seven",
        model_name: "ocr",
        model_version: "1",
        parameters: { took: 3, cached: false },
        outputs: outputs.map(({ bytes, ...rest }) => ({ ...rest, parameters: { binary_data_size: bytes.length } })),
      });
      response.setHeader("Inference-Header-Content-Length", Buffer.byteLength(header));
      return response.end(Buffer.concat([Buffer.from(header), ...outputs.map(({ bytes }) => bytes)]));
    });
  });
}

describe("triton-ts infer with a fake server", () => {
  const scratch = scratchFolder();
  const requests: Request[] = [];
  const server = fakeTriton(requests);
  const picture = path.join(scratch.folder, "photo.png");
  let url = "";

  beforeAll(async () => {
    await sharp({ create: { width: 100, height: 100, channels: 3, background: "#808080" } })
      .png()
      .toFile(picture);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    scratch.remove();
  });
  const run = async (...args: string[]) => {
    const started = runCli(["infer", ...args], {});
    const code = await started.ended;
    return { code, stdout: started.stdout(), stderr: started.stderr() };
  };

  it("sends the picture as it is and prints the lines", async () => {
    expect(await run("ocr", "--url", url, "--image", picture)).toEqual({
      code: 0,
      stdout: "0.987  STOP & <go>\n",
      stderr: "",
    });
    const size = readFileSync(picture).length;
    expect(requests.at(-1)?.header.inputs).toMatchObject([
      { name: "IMAGE", shape: [size], parameters: { binary_data_size: size } },
    ]);
    expect(requests.at(-1)?.data.equals(readFileSync(picture))).toBe(true);
  });

  it("says how to ask a model that streams", async () => {
    const { code, stderr } = await run("story", "--url", `${url}/`, "--image", picture);
    expect([code, stderr]).toEqual([
      1,
      "error: The model story streams its answers (decoupled: true), and this command asks for a single one. " +
        `Ask ${url}/v2/models/story/generate_stream with curl -N, or use a client over gRPC.\n`,
    ]);
  });

  it("prints JSON", async () => {
    const { stdout } = await run("ocr", "--url", url, "--image", picture, "--json");
    const answer = JSON.parse(stdout);
    expect([answer.id, answer.parameters]).toEqual(["seven", { took: 3, cached: false }]);
    expect(answer.outputs.TEXT).toEqual({ datatype: "BYTES", shape: [1], data: ["STOP & <go>"] });
    expect(answer.outputs.BOX.data).toEqual([
      [
        [5, 40],
        [90, 40],
        [90, 80],
        [5, 80],
      ],
    ]);
  });

  it("passes name and password of the address on", async () => {
    const guarded = http.createServer((request, response) => {
      response.statusCode = 401;
      response.end(JSON.stringify({ error: `${request.url} by ${request.headers.authorization}` }));
    });
    await new Promise<void>((resolve) => guarded.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = guarded.address() as AddressInfo;
      const { stderr } = await run("m", "--url", `http://me:a%40b@127.0.0.1:${port}/there`);
      const login = Buffer.from("me:a@b").toString("base64");
      expect(stderr).toBe(
        `error: The server answered with an error (HTTP 401): /there/v2/models/m by Basic ${login}\n`,
      );
    } finally {
      guarded.close();
    }
  });

  it("draws the boxes into a copy", async () => {
    const saved = path.join(scratch.folder, "annotated.png");
    const { code, stderr } = await run("ocr", "--url", url, "--image", picture, "--save", saved);
    expect([code, stderr]).toEqual([0, `saved ${saved}\n`]);
    const { data, info } = await sharp(saved).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const pixel = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
    expect([info.width, info.height]).toEqual([100, 100]);
    expect(pixel(50, 80)).not.toEqual([128, 128, 128]); // on the lower edge of the box
    expect(pixel(50, 70)).toEqual([128, 128, 128]); // inside the box
    expect(pixel(50, 95)).toEqual([128, 128, 128]); // outside
  });

  it("asks whether it is the gRPC port when the answer is not HTTP/1.1", async () => {
    // The settings frame that every HTTP/2 server sends first.
    const grpc = net.createServer((socket) =>
      socket.on("error", () => undefined).end(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])),
    );
    await new Promise<void>((resolve) => grpc.listen(0, "127.0.0.1", resolve));
    try {
      const there = `127.0.0.1:${(grpc.address() as AddressInfo).port}`;
      const { code, stderr } = await run("ocr", "--url", there, "--image", picture);
      expect([code, stderr]).toEqual([1, expect.stringContaining("Is this the gRPC port?")]);
    } finally {
      grpc.close();
    }
  });

  it("has one sentence for each failure", async () => {
    const absent = await run("ocr", "--url", `127.0.0.1:${(await freePorts(1))[0]}`, "--image", picture);
    expect(absent.stderr).not.toContain("gRPC");
    expect(absent.stderr).toMatch(/^error: No Triton server answers at .*triton-ts serve.*\n$/);
    const noHttp = await run("ocr", "--url", "grpc://localhost", "--image", picture);
    expect(noHttp.stderr).toBe(
      'error: --url needs an address such as http://127.0.0.1:8000, not "grpc://localhost".\n',
    );
    const unknown = await run("nope", "--url", url, "--image", picture);
    expect(unknown.stderr).toBe("error: The server has no model nope. It has bad.\n");
    expect((await run("bad", "--url", url)).stderr).toBe(
      "error: The server could not load the model bad: a syntax error\n",
    );
    expect((await run("a b", "--url", url)).stderr).toContain("Triton's HTTP takes no model name with a blank");
    expect(unknown.stderr).not.toContain("modelMetadata("); // advice for programs
    expect((await run("", "--url", url)).stderr).toContain("The name of the model is empty.");
    expect((await run("ocr", "--model-version", "x")).stderr).toContain('needs a number such as 1, not "x".');
    const noFile = await run("ocr", "--url", url, "--image", "/absent.png");
    expect(noFile.stderr).toBe("error: The picture /absent.png does not exist. Check its path.\n");
    const noImage = await run("ocr", "--url", url, "--save", "x.png");
    expect(noImage.stderr).toContain("Add --image FILE");
    expect([absent.code, noHttp.code, unknown.code, noFile.code, noImage.code]).toEqual([1, 1, 1, 1, 1]);
    // Eleven commands are started, which takes long on a busy machine.
  }, 120_000);

  it("says when the picture cannot be annotated, and leaves no file", async () => {
    const broken = path.join(scratch.folder, "broken.png");
    writeFileSync(broken, "no picture");
    const saved = path.join(scratch.folder, "broken-annotated.png");
    const { code, stderr } = await run("ocr", "--url", url, "--image", broken, "--save", saved);
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot be made/);
    expect(existsSync(saved)).toBe(false);
  });
});

describe("parts of an answer", () => {
  it("are one line for an output, cut when it is long", () => {
    const bytes = encodeElements(
      Array.from({ length: 40 }, (_, at) => at + 0.1),
      "FP32",
      "",
    );
    const line = outputLine({ name: "OUT", datatype: "FP32", shape: [40], bytes });
    expect(line).toMatch(/^OUT FP32 \[40\]: 0\.1, 1\.1, .*31\.1, \.\.\. \(8 more\)$/);
  });

  it("escape what XML would take for its own", () => {
    const corners = [0, 1, 2, 3].map((at) => ({ x: box[at * 2] ?? 0, y: box[at * 2 + 1] ?? 0 }));
    const svg = overlay([{ text: "<a>&\u0001", confidence: 1, box: corners }], 100, 100);
    expect(svg).toContain("&lt;a&gt;&amp; 1.00");
    expect(svg).toContain('points="5.0,40.0 90.0,40.0 90.0,80.0 5.0,80.0"');
  });
});
