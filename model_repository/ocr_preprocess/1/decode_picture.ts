// SPDX-License-Identifier: Apache-2.0
// Encoded bytes to pixels.

import sharp from "sharp";
import type { Picture } from "../../ocr/1/picture.ts";

/** A picture with more pixels than this is refused before it is decoded. */
const maxPixels = 100_000_000;

// One picture at a time and nothing kept: the process stays small, and the cores are left to the networks.
sharp.cache(false);
sharp.concurrency(1);
// What else sharp can read is a program rather than a picture: a few bytes of SVG can keep it busy for ever.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp"] });

/**
 * Decodes a JPEG, PNG or WebP picture into blue, green, red pixels. The orientation that a camera wrote into the file
 * is applied, and transparency is laid on white. Throws with a sentence that names the cause when the bytes are no such picture.
 */
export async function decodePicture(encoded: Uint8Array): Promise<Picture> {
  if (encoded.length === 0) {
    throw new Error("IMAGE is empty, but it is to hold the bytes of an encoded JPEG, PNG or WebP picture.");
  }
  try {
    const { data, info } = await sharp(encoded, { limitInputPixels: maxPixels, failOn: "error" })
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { data: toBlueGreenRed(data, info.channels), width: info.width, height: info.height };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(
      `IMAGE holds ${encoded.length} bytes that could not be decoded as a JPEG, PNG or WebP picture: ${cause.split("\n")[0]}.`,
      { cause: error },
    );
  }
}

/** Brings decoded pixels of one or three channels into the order blue, green, red. */
function toBlueGreenRed(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 1) {
    const wide = new Uint8Array(pixels.length * 3);
    for (let i = 0, t = 0; i < pixels.length; i++) {
      const grey = pixels[i]!;
      wide[t++] = grey;
      wide[t++] = grey;
      wide[t++] = grey;
    }
    return wide;
  }
  for (let i = 0; i + 2 < pixels.length; i += 3) {
    const red = pixels[i]!;
    pixels[i] = pixels[i + 2]!;
    pixels[i + 2] = red;
  }
  return pixels;
}
