// SPDX-License-Identifier: Apache-2.0
// Server-sent events, of which Triton's streams use the data alone.
import { type CallSubject, unreadable } from "../client_error.ts";

/** What an event may have: its lines with data, or a line whose end has not come. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

/** So much room is kept from one line to the next. */
const KEPT_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/** The beginning of a line whose end has not come. However small its pieces are, each byte is copied a few times at most. */
class OpenLine {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const more = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      more.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = more;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** The line with its last piece, for the moment: it is written over by the next. */
  end(piece: Uint8Array): Uint8Array {
    if (this.#length === 0) return piece;
    this.push(piece);
    const line = this.#bytes.subarray(0, this.#length);
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return line;
  }
}

/** Where the line ends that begins at `from`; the length of the bytes where it does not. */
function lineEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

/**
 * The data of each event, in the order in which they come, however the bytes are cut. What has no end at the end is dropped.
 *
 * @throws ClientError PROTOCOL when an event is too long
 */
export async function* eventData(
  subject: CallSubject,
  parts: AsyncIterable<Uint8Array>,
  maxBytes = MAX_EVENT_BYTES,
): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  const open = new OpenLine();
  let data: string[] = [];
  let dataBytes = 0;
  // A "\n" right behind a "\r", also in the next part, is the other half of a line's end.
  let isAfterCr = false;
  for await (const part of parts) {
    for (let from = 0; from < part.length; ) {
      if (isAfterCr && part[from] === LF) from++;
      isAfterCr = false;
      const to = lineEnd(part, from);
      const bytes = dataBytes + open.length + (to - from);
      if (bytes > maxBytes) throw tooLong(subject, bytes, maxBytes);
      if (to === part.length) {
        open.push(part.subarray(from, to));
        break;
      }
      isAfterCr = part[to] === CR;
      const line = open.end(part.subarray(from, to));
      from = to + 1;
      const text = decoder.decode(line);
      if (text.startsWith("data:")) {
        data.push(text.slice(text.startsWith("data: ") ? 6 : 5));
        dataBytes += line.length + 1;
      }
      if (text !== "" || data.length === 0) continue;
      yield data.join("\n");
      data = [];
      dataBytes = 0;
    }
  }
  return undefined;
}

function tooLong(subject: CallSubject, bytes: number, maxBytes: number) {
  return unreadable(
    subject,
    `an event of ${bytes} bytes or more came, but one may have ${maxBytes} at most. ` +
      "Tensors of that size are asked for with infer(), or over gRPC.",
  );
}
