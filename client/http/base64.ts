// SPDX-License-Identifier: Apache-2.0

/** So many bytes at a time become characters: an argument each. */
const PIECE_BYTES = 0x8000;

/** Bytes, or the UTF-8 of a text, as base64. */
export function base64(content: Uint8Array | string): string {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  let characters = "";
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    characters += String.fromCharCode(...bytes.subarray(at, at + PIECE_BYTES));
  }
  return btoa(characters);
}
