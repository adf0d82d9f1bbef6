// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeMiddle, normalise, side } from "../../model_repository/image_preprocess/1/picture.ts";
import { directionWindows } from "../../model_repository/ocr/1/direction_windows.ts";
import { numberParameter } from "../../model_repository/ocr/1/parameters.ts";
import { loadAlphabet } from "../../model_repository/ocr_decode/1/alphabet.ts";
import { alphabetFrom, readLine, readLines } from "../../model_repository/ocr_decode/1/decode.ts";
import { decodePicture } from "../../model_repository/ocr_preprocess/1/decode_picture.ts";
import { detectionSize, preparePicture } from "../../model_repository/ocr_preprocess/1/detection_input.ts";
import {
  batchShape,
  rowsOf,
  splitByWidth,
  upsideDown,
  writeBatch,
} from "../../model_repository/ocr_upright/1/batches.ts";

const blank = (width: number, height: number) => ({ data: new Uint8Array(width * height * 3), width, height });

describe("sizes", () => {
  test.each([
    [640, 480, 992, 736],
    [1000, 940, 992, 928],
    [300, 200, 1088, 736],
  ])("%i x %i is seen as %i x %i", (width, height, seenWidth, seenHeight) => {
    const { picture, geometry } = preparePicture(blank(width, height));
    expect([picture.width, picture.height]).toEqual([width, height]);
    expect(geometry).toEqual({ width, height, scaleX: 1, scaleY: 1, top: 0 });
    expect(detectionSize(picture)).toEqual({ width: seenWidth, height: seenHeight });
  });

  test("a large picture is made smaller", () => {
    const { picture, geometry } = preparePicture(blank(4000, 2000));
    expect([picture.width, picture.height]).toEqual([1984, 992]);
    expect(geometry.scaleX).toBeCloseTo(4000 / 1984);
  });

  test("a tiny picture is made larger, and a line gets black rows", () => {
    const { picture, geometry } = preparePicture(blank(200, 20));
    expect(picture.width).toBe(288);
    expect(geometry.top).toBeGreaterThan(0);
    expect(picture.height).toBe(32 + 2 * geometry.top);
  });

  test("a flat picture gets black rows", () => {
    const { picture, geometry } = preparePicture(blank(900, 64));
    expect(geometry.top).toBe(80);
    expect(picture.height).toBe(224);
  });

  test.each([
    [1, 1],
    [3000, 1],
    [1, 3000],
    [200, 1],
    [1000, 1],
    [65_000, 1],
    [1, 65_000],
    [400, 2],
    [1000, 7],
    [1900, 29],
    [29, 1900],
    [9000, 9000],
  ])("%i x %i neither vanishes nor becomes endless", (width, height) => {
    const { picture } = preparePicture(blank(width, height));
    const seen = detectionSize(picture);
    for (const size of [picture, seen]) expect(Math.min(size.width, size.height)).toBeGreaterThanOrEqual(32);
    expect(picture.width * picture.height).toBeLessThanOrEqual(2000 * 2000);
    expect(seen.width * seen.height).toBeLessThanOrEqual(736 * 8 * 736);
  });

  test.each([
    [320, 20, 480],
    [900, 15, 1792],
  ])("a strip of %i x %i keeps its proportions", (width, height, wide) => {
    expect(preparePicture(blank(width, height)).picture.width).toBe(wide);
  });
});

describe("decoding pictures", () => {
  const red = () => sharp({ create: { width: 4, height: 2, channels: 3, background: "#ff0000" } });

  test("JPEG, PNG and WebP are read, other formats are not", async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"/>');
    for (const decode of [decodePicture, decodeMiddle]) {
      for (const good of [red().jpeg(), red().png(), red().webp()]) await decode(await good.toBuffer());
      for (const bad of [svg, await red().gif().toBuffer(), await red().tiff().toBuffer()]) {
        await expect(decode(bad)).rejects.toThrow("could not be decoded as a JPEG, PNG or WebP picture");
      }
    }
  });

  test("pixels are blue, green, red", async () => {
    const picture = await decodePicture(await red().png().toBuffer());
    expect([picture.width, picture.height]).toEqual([4, 2]);
    expect([...picture.data.subarray(0, 3)]).toEqual([0, 0, 255]);
  });

  test("grey, palette, transparent and 16-bit pictures become three channels", async () => {
    const grey = await decodePicture(await red().toColourspace("b-w").png().toBuffer());
    expect(grey.data).toHaveLength(24);
    const palette = await decodePicture(await red().png({ palette: true }).toBuffer());
    expect([...palette.data.subarray(0, 3)]).toEqual([0, 0, 255]);
    const clear = sharp({ create: { width: 2, height: 2, channels: 4, background: "#00000000" } });
    expect([...(await decodePicture(await clear.png().toBuffer())).data]).toEqual(new Array(12).fill(255));
    const deep = await decodePicture(await red().toColourspace("rgb16").png().toBuffer());
    expect([...deep.data.subarray(0, 3)]).toEqual([0, 0, 255]);
  });

  test("the orientation that a camera wrote is applied", async () => {
    const picture = await decodePicture(await red().withMetadata({ orientation: 6 }).jpeg().toBuffer());
    expect([picture.width, picture.height]).toEqual([2, 4]);
  });

  test.each([
    ["no bytes", new Uint8Array(0), /IMAGE is empty/],
    ["a text", Buffer.from("hello"), /IMAGE holds 5 bytes that could not be decoded/],
    [
      "half a picture",
      readFileSync(`${import.meta.dirname}/../pictures/empty.jpg`).subarray(0, 9000),
      /could not be decoded/,
    ],
  ])("%s is refused", async (_what, bytes, message) => {
    await expect(decodePicture(bytes)).rejects.toThrow(message);
    await expect(decodeMiddle(bytes)).rejects.toThrow(message);
  });
});

/** A PNG file that claims to be of the given size; it is never decoded as far as its pixels. */
function claimedPng(width: number, height: number): Uint8Array {
  const chunk = (type: string, body: Uint8Array) => {
    const content = Buffer.concat([Buffer.from(type), body]);
    const out = Buffer.alloc(content.length + 8);
    out.writeUInt32BE(body.length, 0);
    content.copy(out, 4);
    out.writeUInt32BE(crc32(content), content.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.alloc(64));
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

test("a file that claims more than 100 million pixels is refused before it is decoded", async () => {
  await expect(decodePicture(claimedPng(10_001, 10_000))).rejects.toThrow(/pixel limit/);
  await expect(decodeMiddle(claimedPng(10_001, 10_000))).rejects.toThrow(/pixel limit/);
});

describe("batches for recognition", () => {
  test("crops of like width stay together", () => {
    const { narrow, wide } = splitByWidth(Int32Array.of(900, 100, 950, 120));
    expect(narrow).toEqual({ crops: [1, 3], width: 160 });
    expect(wide).toEqual({ crops: [0, 2], width: 950 });
    expect([...rowsOf(narrow, wide, 4)]).toEqual([1, 0, 0, 0, 1, 1, 0, 1]);
  });

  test("batches are as much work each as they can be", () => {
    const short = splitByWidth(Int32Array.of(200, 100, 150, 50));
    expect([short.narrow.crops, short.wide.crops]).toEqual([
      [3, 1],
      [2, 0],
    ]);
    const long = splitByWidth(Int32Array.of(1200, 300, 300, 300, 300));
    expect([long.narrow.crops, long.wide.crops]).toEqual([[1, 2, 3, 4], [0]]);
  });

  test("one crop needs one batch only", () => {
    const { narrow, wide } = splitByWidth(Int32Array.of(200));
    expect(narrow.crops).toEqual([0]);
    expect(batchShape(wide)).toEqual([1, 3, 48, 32]);
  });

  test("a crop of width zero is in no batch", () => {
    const { narrow, wide } = splitByWidth(Int32Array.of(0));
    expect([...rowsOf(narrow, wide, 1)]).toEqual([-1, -1]);
    expect(batchShape(narrow)).toEqual([1, 3, 48, 32]);
  });

  test("crops are written as planes, turned where asked", () => {
    const widths = Int32Array.of(1, 2);
    const pixels = new Uint8Array(3 * 48 * 3);
    const second = 48 * 3;
    pixels.set([255, 0, 0], second); // first pixel of the second crop, blue
    const narrow = { crops: [0, 1], width: 320 };
    const shape = batchShape(narrow);
    const target = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(5);
    const row = 3 * 48 * 320;
    writeBatch(narrow, { pixels, widths }, [false, false], target);
    expect([target[row], target[row + 1], target[row + 2]]).toEqual([1, -1, 0]);
    writeBatch(narrow, { pixels, widths }, [false, true], target);
    expect(target[row]).toBe(-1);
    expect(target[row + 47 * 320 + 1]).toBe(1);
  });

  test("only a sure answer turns a crop", () => {
    const widths = Int32Array.of(100, 100, 100);
    expect(upsideDown(Float32Array.of(0.05, 0.95, 0.2, 0.8, 0.99, 0.01), widths, 0.9)).toEqual([true, false, false]);
    expect(upsideDown(Float32Array.of(0.6, 0.4), Int32Array.of(100), 0.1)).toEqual([false]);
  });

  test("a long crop is turned when its windows say so on the average", () => {
    const scores = Float32Array.of(0, 1, 0.2, 0.8, 0, 1, 0.9, 0.1, 0.1, 0.9, 0, 1);
    expect(upsideDown(scores, Int32Array.of(5000, 192, 384), 0.9)).toEqual([true, false, true]);
    expect(upsideDown(scores, Int32Array.of(5000, 192, 384), 0.94)).toEqual([false, false, true]);
  });
});

test("windows lie evenly between the start and the end of a line", () => {
  expect([0, 1, 192, 193, 384, 385, 3000].map(directionWindows)).toEqual([
    [0],
    [0],
    [0],
    [0, 1],
    [0, 192],
    [0, 97, 193],
    [0, 1404, 2808],
  ]);
});

describe("decoding scores", () => {
  const alphabet = alphabetFrom("a\r\nb\n");
  const scores = (...best: number[]) => {
    const data = new Float32Array(best.length * 4).fill(0.1);
    for (const [i, letter] of best.entries()) data[i * 4 + letter] = 0.7;
    return { data, steps: best.length, letters: 4 };
  };

  test("blank first, space last", () => {
    expect(alphabet).toEqual(["", "a", "b", " "]);
    expect(loadAlphabet()).toHaveLength(6625);
  });

  test("repetitions and blanks drop out, a blank keeps a double letter", () => {
    const line = readLine(scores(1, 1, 0, 1, 2, 3, 3, 2, 0), 0, alphabet);
    expect(line.text).toBe("aab b");
    expect(line.confidence).toBeCloseTo(0.7);
    expect(readLine(scores(0, 0), 0, alphabet)).toEqual({ text: "", confidence: 0 });
  });

  test("lines come in the order of their boxes, without weak ones and dropped crops", () => {
    const narrow = { data: Float32Array.of(0.1, 0.9, 0, 0, 0.2, 0.1, 0.4, 0.3), steps: 1, letters: 4 };
    const rows = Int32Array.of(0, 1, -1, -1, 0, 0);
    expect(readLines([narrow, scores(1)], rows, alphabet, 0.5)).toEqual([
      { text: "a", confidence: expect.closeTo(0.9), box: 2 },
    ]);
    expect(readLines([narrow, scores(1)], rows, alphabet, 0.4).map((line) => line.text)).toEqual(["b", "a"]);
  });
});

describe("image_preprocess", () => {
  test("the middle of a picture, as three planes of unit deviation", async () => {
    const orange = sharp({ create: { width: 500, height: 300, channels: 3, background: { r: 255, g: 128, b: 0 } } });
    const pixels = await decodeMiddle(await orange.png().toBuffer());
    expect(pixels).toHaveLength(side * side * 3);
    expect([...pixels.subarray(0, 3)]).toEqual([255, 128, 0]);
    const planes = new Float32Array(3 * side * side);
    normalise(pixels, planes);
    expect(planes[0]).toBeCloseTo((1 - 0.485) / 0.229, 4);
    expect(planes[side * side]).toBeCloseTo((128 / 255 - 0.456) / 0.224, 4);
    expect(planes[2 * side * side]).toBeCloseTo(-0.406 / 0.225, 4);
  });

  test.each([
    ["a row", 65_000, 1, 1, [0, side - 1]],
    ["a column", 1, 65_000, 1, [0, (side - 1) * side]],
    ["a column that a camera laid on its side", 65_000, 1, 6, [0, (side - 1) * side]],
    ["a row of a few pixels", 901, 3, 1, [0, side - 1]],
  ])("of %s, one pixel thin, only the middle is scaled", async (_what, width, height, orientation, ends) => {
    // White, and in its second half black.
    const raw = Buffer.alloc(width * height * 3, 255);
    for (let y = 0; y < height; y++) {
      const from = height === 65_000 ? 0 : Math.floor(width / 2);
      if (height !== 65_000 || y >= height / 2) raw.fill(0, (y * width + from) * 3, (y + 1) * width * 3);
    }
    const picture = sharp(raw, { raw: { width, height, channels: 3 } }).withMetadata({ orientation });
    const pixels = await decodeMiddle(await picture.jpeg({ quality: 100 }).toBuffer());
    expect(ends.map((at) => Math.round(pixels[at * 3]! / 255))).toEqual([1, 0]);
  });

  test("the cut is centred", async () => {
    const left = await sharp({ create: { width: 300, height: 300, channels: 3, background: "#000" } })
      .png()
      .toBuffer();
    const two = await sharp({ create: { width: 600, height: 300, channels: 3, background: "#fff" } })
      .composite([{ input: left, left: 0, top: 0 }])
      .png()
      .toBuffer();
    const pixels = await decodeMiddle(two);
    expect(pixels[0]).toBe(0);
    expect(pixels[(side - 1) * 3]).toBe(255);
    expect(pixels[(side / 2 - 2) * 3]).toBe(0);
    expect(pixels[(side / 2 + 1) * 3]).toBe(255);
  });
});

test("a parameter that is no number is named", () => {
  const config = {
    parameters: { A: { string_value: "0.25" }, B: { string_value: "a lot" }, C: { string_value: " " } },
  };
  expect(numberParameter(config, "A", 1)).toBe(0.25);
  expect(numberParameter(config, "X", 1)).toBe(1);
  expect(() => numberParameter(config, "B", 1)).toThrow(/parameter B .*"a lot"/);
  expect(() => numberParameter(config, "C", 1)).toThrow(/parameter C/);
});
