// SPDX-License-Identifier: Apache-2.0
// The one place that knows how the server writes a line of its log: in its default format or in ISO8601
// (--log-format), the text as a JSON string or, in older releases, as it is.

export type Level = "info" | "warning" | "error" | "other";

const mark = /^(?:([IWEF])\d{4} \d\d:\d\d:[\d.]+|\d{4}-\d\d-\d\dT[\d:.]+Z ([IWEF])) \d+ \S+:\d+\] ?(.*)$/s;
const levels: Readonly<Record<string, Level>> = { I: "info", W: "warning", E: "error", F: "error" };

export interface LogLine {
  level: Level;
  /** The text without time, process and source place. */
  text: string;
}

function unquoted(text: string): string {
  if (!/^".*"$/s.test(text)) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1); // a server before the escaping of log messages
  }
}

/** Takes a line of the server's log apart; undefined for a line of something else. */
export function parseLogLine(line: string): LogLine | undefined {
  const [, byDefault, iso, text = ""] = mark.exec(line) ?? [];
  const letter = byDefault ?? iso;
  return letter === undefined ? undefined : { level: levels[letter] ?? "other", text: unquoted(text) };
}

/** The text of a line, also of one in a format that is not known here: there it is the JSON string at its end. */
export function textIn(line: string): string {
  return parseLogLine(line)?.text ?? unquoted(/(?:^|\s)("(?:[^"\\]|\\.)*")$/.exec(line)?.[1] ?? line);
}
