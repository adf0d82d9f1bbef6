// SPDX-License-Identifier: Apache-2.0
import { parseLogLine } from "../../../server/log_line.ts";
import { LogFilter, type LogTarget } from "../../../server/server_log.ts";
import { type Paint, painter } from "./terminal.ts";

/** The line in the colour of its level. */
export function paintLine(line: string, paint: Paint): string {
  const level = parseLogLine(line)?.level;
  if (level === "error") return paint("red", line);
  return level === "warning" ? paint("yellow", line) : line;
}

/** Shows the server's log: every line, or those that say something. */
export function logView(stream: NodeJS.WriteStream, verbose: boolean): LogTarget {
  const paint = painter(stream);
  const show = (lines: readonly string[]) => {
    for (const line of lines) stream.write(`${paintLine(line, paint)}\n`);
  };
  return {
    place: "above",
    open() {
      const filter = new LogFilter();
      return { line: (text) => show(verbose ? [text] : filter.take(text)), end: () => show(filter.flush()) };
    },
  };
}
