// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { blamedOnModel, defect, TritonError } from "../api/errors.ts";
import { Tensor } from "../api/tensor.ts";
import { Failures, finding } from "./failures.ts";

let write: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  // No time goes by, in which more lines would be allowed.
  vi.spyOn(performance, "now").mockReturnValue(0);
});
afterEach(() => {
  write.mockRestore();
  vi.mocked(performance.now).mockRestore();
});
/** The lines that were logged; the mark of a line is shown as `#`. */
const logged = () =>
  write.mock.calls
    .map(([text]) => String(text).replaceAll("\x1e", "#"))
    .join("")
    .split("\n")
    .slice(0, -1);
const here = import.meta.filename;

describe("who is to blame", () => {
  test("the model's own word to the client is no line of the log", () => {
    const error = new TritonError("no such picture", "NOT_FOUND");
    expect(new Failures("m_0").report(error)).toEqual({ code: "NOT_FOUND", message: "no such picture" });
    expect(logged()).toEqual([]);
  });

  test("anything else is told in one sentence, and has its stack in the log", () => {
    expect(new Failures("m_0").report(new TypeError("a\nb"))).toEqual({
      code: "INTERNAL",
      message: "Failed to process the request(s) for model 'm_0', message: TypeError: a b",
    });
    expect(logged().slice(0, 3)).toEqual(["#ETypeError: a", "#Eb", expect.stringContaining(here)]);
  });

  test("so has a mistake in the use of the API, which is told as it is", () => {
    expect(new Failures("m_0").report(defect("the shape"))).toEqual({ code: "INTERNAL", message: "the shape" });
    expect(logged()[0]).toBe("#ETritonError: the shape");
  });

  test("and so has what the server refused to the model, whose code is for the model alone", () => {
    const error = blamedOnModel(new TritonError("Invalid metric name", "INVALID_ARG"));
    expect(new Failures("m_0").report(error)).toEqual({ code: "INTERNAL", message: "Invalid metric name" });
    expect(error.code).toBe("INVALID_ARG");
    expect(logged()[0]).toBe("#ETritonError: Invalid metric name");
  });
});

describe("what the runtime found is one line", () => {
  const failures = new Failures("m_0", { file: "/models/m/1/model.ts" });
  const make = () => new Tensor("OUT", new Int32Array(1), [1]);

  test("with the model's file", () => {
    expect(failures.report(finding("Two answers."))).toEqual({ code: "INTERNAL", message: "Two answers." });
    expect(logged()).toEqual(["#ETwo answers. (answered by execute of '/models/m/1/model.ts')"]);
  });

  test("with the place where the tensor was made, from the second time on", () => {
    failures.report(finding("Wrong.", make()));
    expect(logged()[0]).toMatch(/^#EWrong\. \(/);
    write.mockClear();
    failures.report(finding("Wrong.", make()));
    expect(logged()).toEqual([expect.stringMatching(`^#EWrong\\. \\(made at ${here}:\\d+:\\d+\\)$`)]);
  });
});

test("a model may change how stacks read", () => {
  const failures = new Failures("m_0");
  const { prepareStackTrace } = Error;
  try {
    Error.prepareStackTrace = () => 5;
    const make = () => new Tensor("OUT", new Int32Array(1), [1]);
    for (let i = 0; i < 2; i++) expect(failures.report(finding("Wrong.", make())).message).toBe("Wrong.");
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
  expect(logged()).toHaveLength(2);
});

test("a flood of them is kept from the log", () => {
  const failures = new Failures("m_0");
  for (let i = 0; i < 1000; i++) failures.report(finding(`Wrong ${i}.`));
  expect(logged()).toHaveLength(100);
});

describe("errors that clients may not read", () => {
  const failures = () => new Failures("m_0", { exposesErrors: false });
  const secret = () => new Error("postgres://user:secret@db");

  test("get an id, which the log has with text and stack", () => {
    const { code, message } = failures().report(secret());
    expect(code).toBe("INTERNAL");
    const id =
      /^Failed to process the request\(s\) for model 'm_0'\. The server's log says more under error id ([0-9a-f]{10})\.$/.exec(
        message,
      )?.[1];
    expect(logged()[0]).toBe(`#EError ${id}: Error: postgres://user:secret@db`);
    expect(logged()[1]).toContain(here);
  });

  const idOf = (message: string) => /error id (\w+)\.$/.exec(message)?.[1];
  const loggedIds = () => logged().flatMap((line) => /^#EError (\w+): /.exec(line)?.[1] ?? []);

  test("each have their own id, which the log has; none where the log is spared", () => {
    const many = failures();
    const messages = Array.from({ length: 200 }, () => many.report(secret()).message);
    expect(new Set(messages.slice(0, 100)).size).toBe(100);
    expect(loggedIds()).toEqual(messages.slice(0, 100).map(idOf));
    expect(new Set(messages.slice(100))).toEqual(
      new Set([
        "Failed to process the request(s) for model 'm_0'. There were too many errors for the server's log to say more about this one.",
      ]),
    );
  });

  test("the log says how many it left out, when it goes on", () => {
    const many = failures();
    for (let i = 0; i < 150; i++) many.report(secret());
    write.mockClear();
    vi.mocked(performance.now).mockReturnValue(1000);
    const { message } = many.report(secret());
    expect(logged()[0]).toBe("#E50 more failures of the model were not logged.");
    expect(loggedIds()).toEqual([idOf(message)]);
  });

  test("a TritonError is always told, and so is what the runtime found", () => {
    expect(failures().report(new TritonError("own", "NOT_FOUND")).message).toBe("own");
    expect(failures().report(finding("found")).message).toBe("found");
  });
});
