// SPDX-License-Identifier: Apache-2.0
// Draws boxes and texts over a picture. sharp is only loaded when it is used: it makes the start of every other
// command slower.
import { messageOf } from "../../../server/error.ts";
import { CliError } from "./error.ts";
import type { Point, TextLine } from "./text_lines.ts";

const lineColour = "#e5006d";

function escapeXml(text: string): string {
  // Control characters are not allowed in XML at all.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to take out
  const plain = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");
  return plain.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** A label of one line: above its box, or inside it where the picture ends. */
function label(line: TextLine, width: number, fontSize: number): string {
  const left = Math.min(...line.box.map(({ x }) => x));
  const top = Math.min(...line.box.map(({ y }) => y));
  const text = `${line.text} ${line.confidence.toFixed(2)}`;
  // Fonts differ; what matters is that a label never leaves the picture.
  const wide = Math.min(width, text.length * fontSize * 0.6 + fontSize * 0.6);
  const x = Math.max(0, Math.min(left, width - wide));
  const y = Math.max(0, top - fontSize * 1.5);
  return (
    `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${wide.toFixed(1)}" height="${(fontSize * 1.35).toFixed(1)}" fill="${lineColour}" fill-opacity="0.85"/>` +
    `<text x="${(x + fontSize * 0.3).toFixed(1)}" y="${(y + fontSize).toFixed(1)}" textLength="${(wide - fontSize * 0.6).toFixed(1)}" lengthAdjust="spacingAndGlyphs" fill="white">${escapeXml(text)}</text>`
  );
}

/** The drawing that is laid over a picture of this size. */
export function overlay(lines: readonly TextLine[], width: number, height: number): string {
  const stroke = Math.max(2, Math.min(width, height) / 160);
  const shapes = lines.map((line) => {
    const [topLeft, topRight, , bottomLeft] = line.box as [Point, Point, Point, Point];
    const tall = Math.min(distance(topLeft, bottomLeft), distance(topLeft, topRight));
    const fontSize = Math.max(10, Math.min(tall * 0.45, height / 20));
    const points = line.box.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    return `<polygon points="${points}" fill="none" stroke="${lineColour}" stroke-width="${stroke.toFixed(1)}"/><g font-size="${fontSize.toFixed(1)}">${label(line, width, fontSize)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">${shapes.join("")}</svg>`;
}

/**
 * Writes a copy of an encoded picture with the lines drawn in; the name of the file chooses its format.
 *
 * @throws CliError when the picture cannot be read or the file cannot be written
 */
export async function annotate(picture: Uint8Array, lines: readonly TextLine[], file: string): Promise<void> {
  const { default: sharp } = await import("sharp");
  try {
    // The boxes are in the pixels of the picture as people see it, with its orientation mark applied.
    const { data, info } = await sharp(picture).autoOrient().png().toBuffer({ resolveWithObject: true });
    const drawing = Buffer.from(overlay(lines, info.width, info.height));
    await sharp(data)
      .composite([{ input: drawing }])
      .toFile(file);
  } catch (error) {
    throw new CliError(`The annotated picture ${file} cannot be made: ${messageOf(error)}`);
  }
}
