// SPDX-License-Identifier: Apache-2.0
// What code under test logs, which goes to stdout.
import { afterEach, beforeEach, type MockInstance, vi } from "vitest";

/** Takes what each test of the file logs. Gives what reads it; the mark of a line is shown as `#`. */
export function takeLog(): () => string {
  let write: MockInstance<typeof process.stdout.write>;
  beforeEach(() => {
    write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  });
  afterEach(() => write.mockRestore());
  return () =>
    write.mock.calls
      .map(([text]) => String(text))
      .join("")
      .replaceAll("\x1e", "#");
}
