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

  it("forgets a model that was loaded later", () => {
    const failures = read(error("failed to load 'm' version 1: not now"), `I${prefix}"successfully loaded 'm'"`);
    expect(failures.models).toEqual([]);
  });
});
