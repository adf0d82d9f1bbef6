// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { LoadFailures } from "./load_failures.ts";

const prefix = "1121 04:10:18.238346 7078 model_repository_manager.cc:1460] ";
const error = (text: string) => `E${prefix}${JSON.stringify(text)}`;
const protobuf = (text: string) =>
  `[libprotobuf ERROR /build/text_format.cc:337] Error parsing text-format inference.ModelConfig: ${text}`;

function read(...lines: string[]): LoadFailures {
  const failures = new LoadFailures();
  for (const line of lines) failures.take(line);
  return failures;
}

describe("LoadFailures", () => {
  it("joins the parser's line to the model that the next line names, and to no other", () => {
    const failures = read(
      protobuf('2:36: Unknown enumeration value of "FLOAT" for field "data_type".'),
      error("Poll failed for model directory 'a': failed to read text proto from /m/a/config.pbtxt"),
      error("Poll failed for model directory 'b': failed to read text proto from /m/b/config.pbtxt"),
      protobuf("9:9: of something else"),
      error("Poll failed for model directory 'c': Invalid model name: Could not determine backend"),
    );
    expect(failures.reason("a")).toBe(
      'failed to read text proto from /m/a/config.pbtxt: 2:36: Unknown enumeration value of "FLOAT" for field "data_type".',
    );
    expect(failures.reason("b")).toBe("failed to read text proto from /m/b/config.pbtxt");
    expect(failures.reason("c")).toBe("Invalid model name: Could not determine backend");
    expect(failures.models).toEqual(["a", "b", "c"]);
  });

  it("keeps the reasons of models and of versions, with their line ends", () => {
    const failures = read(
      error("failed to load model 'm': at least one version must be available"),
      error("failed to load 'n' version 2: Invalid argument: first\n  second"),
      'E1121 04:10:18.2 1 model_lifecycle.cc:642] "failed to load \'o\' version 1: an "old" server"',
    );
    expect(failures.reason("m", "1")).toBe("at least one version must be available");
    expect(failures.reason("n", "2")).toBe("Invalid argument: first\n  second");
    expect(failures.reason("n", "1")).toBeUndefined();
    expect(failures.reason("o", "1")).toBe('an "old" server');
  });

  it("knows what broken ensembles and models that are not found are called, without what stands at their steps", () => {
    const failures = read(
      error("Invalid argument: ensemble typo contains models that are not available or ambiguous: stepp"),
      error(
        "Invalid argument: in ensemble my map, ensemble tensor IN is mapping to non-existing input X in model good",
      ),
      error("Invalid argument: ensemble small allows maximum batch size 4, but it contains model good which only ..."),
      error("Invalid argument: circular dependency between ensembles: a -> ... -> b -> a"),
      error(
        "Invalid argument: ensemble 'pipe' depends on 'step' which has no loaded version. Model 'step' loading failed with error: version 1 is at UNAVAILABLE state: two\nlines;",
      ),
      error(
        "Invalid argument: ensemble 'deep' depends on 'pipe' which is not valid. Model 'pipe' failed with error: ensemble 'pipe' depends on 'step' which has no loaded version.",
      ),
      error("failed to poll model 'stepp': model not found in any model repository."),
      `2026-11-29T07:20:04Z E 18791 model_lifecycle.cc:642] "failed to load 'iso' version 1: why"`,
    );
    expect(Object.fromEntries(failures.models.map((model) => [model, failures.reason(model)]))).toEqual({
      typo: "ensemble typo contains models that are not available or ambiguous: stepp",
      "my map": "in ensemble my map, ensemble tensor IN is mapping to non-existing input X in model good",
      small: "ensemble small allows maximum batch size 4, but it contains model good which only ...",
      a: "circular dependency between ensembles: a -> ... -> b -> a",
      pipe: "ensemble 'pipe' depends on 'step' which has no loaded version.",
      deep: "ensemble 'deep' depends on 'pipe' which is not valid.",
      stepp: "model not found in any model repository.",
      iso: "why", // of its one version
    });
    expect(failures.reason("iso", "1")).toBe("why");
  });

  it("joins the parser's lines in their order when the log is kept in a file", () => {
    const failures = new LoadFailures({ apart: true });
    for (const text of ["1:1: first", "2:2: second"]) failures.take(protobuf(text));
    failures.take(error("Poll failed for model directory 'a': failed to read text proto from /m/a/config.pbtxt"));
    failures.take(error("failed to load model 'm': at least one version must be available"));
    failures.take(error("Poll failed for model directory 'b': failed to read text proto from /m/b/config.pbtxt"));
    expect([failures.reason("a"), failures.reason("b")]).toEqual([
      "failed to read text proto from /m/a/config.pbtxt: 1:1: first",
      "failed to read text proto from /m/b/config.pbtxt: 2:2: second",
    ]);
  });

  it("knows whether a model that was loaded has failed later", () => {
    const loaded = `I${prefix}"successfully loaded 'm'"`;
    const failed = error("failed to load 'm' version 1: not now");
    expect(read(failed, loaded).reloadHasFailed).toBe(false);
    expect(read(loaded, failed, loaded).reloadHasFailed).toBe(true);
  });

  it("forgets a model that was loaded later", () => {
    const failures = read(error("failed to load 'm' version 1: not now"), `I${prefix}"successfully loaded 'm'"`);
    expect(failures.models).toEqual([]);
    expect(failures.loaded).toEqual(["m"]);
  });
});
