// SPDX-License-Identifier: Apache-2.0
// The usual preparation of a picture for networks trained on ImageNet.

import sharp, { type Sharp } from "sharp";

/** Width and height of the result in pixels. */
export const side = 224;

/** The shorter side is brought to this length, then the middle is cut out. */
const shorterSide = 256;
/** Mean and standard deviation of red, green and blue over ImageNet, for values from 0 to 1. */
const mean = [0.485, 0.456, 0.406] as const;
const deviation = [0.229, 0.224, 0.225] as const;
/**
 * Of a picture that is longer than this (longer side to shorter), only its middle of this length is scaled: a column one
 * pixel wide would else become one of 256 times its length.
 */
const maxLength = 8;
/** A picture with more pixels than this is refused before it is decoded. */
const maxPixels = 100_000_000;

// Pictures are not met twice, and a request is one picture: neither a cache nor more threads help.
sharp.cache(false);
sharp.concurrency(1);
// What else sharp can read is a program rather than a picture: a few bytes of SVG can keep it busy for ever.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp"] });

/**
 * Decodes a JPEG, PNG or WebP picture and gives its middle as `side * side` pixels of red, green, blue bytes.
 * Throws with a sentence that names the cause when the bytes are no such picture.
 */
export async function decodeMiddle(encoded: Uint8Array): Promise<Uint8Array> {
  if (encoded.length === 0) {
    throw new Error("IMAGE is empty, but it is to hold the bytes of an encoded JPEG, PNG or WebP picture.");
  }
  try {
    const { data, info } = await (await openMiddle(encoded))
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .resize(shorterSide, shorterSide, { fit: "outside", kernel: "linear" })
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return cutMiddle(data, info.width, info.height, info.channels);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(
      `IMAGE holds ${encoded.length} bytes that could not be decoded as a JPEG, PNG or WebP picture: ${cause.split("\n")[0]}.`,
      { cause: error },
    );
  }
}

/** Opens a picture, upright, without the ends of a very long one. */
async function openMiddle(encoded: Uint8Array): Promise<Sharp> {
  const picture = sharp(encoded, { limitInputPixels: maxPixels, failOn: "error" });
  const { width, height } = (await picture.metadata()).autoOrient;
  const longest = maxLength * Math.min(width, height);
  if (Math.max(width, height) <= longest) return picture.autoOrient();
  const [wide, high] = [Math.min(width, longest), Math.min(height, longest)];
  return picture.autoOrient().extract({
    left: Math.floor((width - wide) / 2),
    top: Math.floor((height - high) / 2),
    width: wide,
    height: high,
  });
}

/** Cuts `side * side` pixels out of the middle; pixels are red, green, blue, or grey ones that become so. */
function cutMiddle(pixels: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  const left = Math.floor((width - side) / 2);
  const top = Math.floor((height - side) / 2);
  const middle = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * channels;
    const row = pixels.subarray(from, from + side * channels);
    const to = y * side * 3;
    if (channels === 3) middle.set(row, to);
    else for (let i = 0; i < side * 3; i++) middle[to + i] = row[Math.floor(i / 3) * channels]!;
  }
  return middle;
}

/** What each of the 256 values of a byte becomes, for red, green and blue. */
const [red, green, blue] = [0, 1, 2].map((c) => {
  const scale = 1 / (255 * deviation[c]!);
  const shift = mean[c]! / deviation[c]!;
  return Float32Array.from({ length: 256 }, (_, byte) => byte * scale - shift);
}) as [Float32Array, Float32Array, Float32Array];

/** Writes pixels as three planes (red, green, blue) with zero mean and unit deviation. `target` has 3 * side * side floats. */
export function normalise(pixels: Uint8Array, target: Float32Array): void {
  const plane = side * side;
  for (let i = 0, from = 0; i < plane; i++, from += 3) {
    target[i] = red[pixels[from]!]!;
    target[plane + i] = green[pixels[from + 1]!]!;
    target[2 * plane + i] = blue[pixels[from + 2]!]!;
  }
}
