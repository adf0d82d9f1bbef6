// SPDX-License-Identifier: Apache-2.0
// Server-sent events, of which Triton's streams use the data alone.

/** The data of each event, in the order in which they come, however the bytes are cut. What has no end at the end is dropped. */
export async function* eventData(parts: AsyncIterable<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  for await (const part of parts) {
    rest += decoder.decode(part, { stream: true });
    // A "\r" at the end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
      if (line !== "" || data.length === 0) continue;
      yield data.join("\n");
      data = [];
    }
  }
  return undefined;
}
