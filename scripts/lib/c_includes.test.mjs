// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { circles, missingHeaders, wrongDirections, wrongLayers } from "./c_includes.mjs";

/** Sources from a list of files with the names that each includes. */
function sources(files) {
  const text = (names) => names.map((name) => `#include "${name}"\n`).join("#include <stdio.h>\n");
  return new Map(Object.entries(files).map(([file, names]) => [file, text(names)]));
}

describe("the direction of includes", () => {
  it.each([
    ["backend-shim/shared/a.c", "backend-shim/src/b.h"],
    ["backend-shim/shared/a.c", "stub/native/b.h"],
    ["backend-shim/src/a.c", "stub/native/b.h"],
    ["stub/native/a.c", "backend-shim/src/b.h"],
    ["backend-shim/tools/a.c", "backend-shim/src/b.h"],
    ["backend-shim/src/a.c", "test/faults/b.h"],
    ["stub/native/a.c", "stub/native/test/b.h"],
  ])("forbids %s to include %s", (file, target) => {
    const [told, ...more] = wrongDirections(sources({ [file]: ["b.h"], [target]: [] }));
    expect(told).toContain(`${file} includes ${target}, but `);
    expect(more).toEqual([]);
  });

  it.each([
    ["backend-shim/src/a.c", "backend-shim/shared/b.h"],
    ["backend-shim/src/a.c", "backend-shim/src/b.h"],
    ["stub/native/a.c", "backend-shim/shared/b.def"],
    ["bench/native_identity/a.c", "backend-shim/src/b.h"],
    ["test/faults/a.c", "backend-shim/src/b.h"],
    ["backend-shim/test/a.c", "stub/native/b.h"],
  ])("lets %s include %s", (file, target) => {
    expect(wrongDirections(sources({ [file]: [target.replace(/.*\//, "")], [target]: [] }))).toEqual([]);
  });

  it("takes a name as the compiler does: beside the file first, then from the folders that it may include", () => {
    const files = { "stub/native/b.h": [], "backend-shim/src/b.h": [], "backend-shim/shared/b.h": [] };
    expect(wrongDirections(sources({ ...files, "stub/native/a.c": ["b.h"] }))).toEqual([]);
    expect(wrongDirections(sources({ ...files, "backend-shim/tools/a.c": ["b.h"] }))).toEqual([]);
    const told = wrongDirections(sources({ ...files, "stub/native/a.c": ["../../backend-shim/src/b.h"] }));
    expect(told).toHaveLength(1);
  });
});

describe("circles of includes", () => {
  const inSrc = (files) =>
    sources(Object.fromEntries(Object.entries(files).map(([name, names]) => [`backend-shim/src/${name}`, names])));

  it("are found between a .c and a .h, however long they are", () => {
    expect(circles(inSrc({ "a.c": ["b.h"], "a.h": [], "b.c": ["b.h", "a.h"], "b.h": [] }))).toEqual([
      "backend-shim/src/a -> backend-shim/src/b -> backend-shim/src/a is a circle of includes.",
    ]);
    expect(circles(inSrc({ "a.c": ["b.h"], "b.h": ["c.h"], "c.h": ["d.h"], "d.c": ["b.h"], "d.h": [] }))).toHaveLength(
      1,
    );
  });

  it("are not where two files include a third, or a .c its own header", () => {
    expect(
      circles(inSrc({ "a.c": ["a.h", "b.h", "c.h"], "a.h": [], "b.h": ["c.h"], "c.c": ["c.h"], "c.h": [] })),
    ).toEqual([]);
  });
});

it("each .c has a header of its name, save entry points, programs and tests", () => {
  const files = ["backend-shim/src/a.c", "backend-shim/src/a.h", "stub/native/b.c", "backend-shim/src/backend_api.c"];
  const more = ["stub/native/addon.c", "backend-shim/tools/gen.c", "stub/native/test/test_b.c", "test/faults/c.c"];
  expect(missingHeaders(sources(Object.fromEntries([...files, ...more].map((file) => [file, []]))))).toEqual([
    "stub/native/b.c has no header of its name; its functions stand in the header of another file.",
  ]);
});

describe("the layers of the library", () => {
  const lib = "backend-shim/src";
  it("let a file know those of its layer and of those below", () => {
    const files = { [`${lib}/batch.c`]: ["error.h", "model.h"], [`${lib}/error.h`]: [], [`${lib}/model.h`]: [] };
    expect(wrongLayers(sources(files))).toEqual([]);
  });

  it("forbid an include that goes up", () => {
    const files = { [`${lib}/stub.c`]: ["instance.h"], [`${lib}/instance.h`]: [] };
    expect(wrongLayers(sources(files))).toEqual([
      "backend-shim/src/stub.c includes backend-shim/src/instance.h, which lies in a layer above it.",
    ]);
  });

  it("want to know each file", () => {
    expect(wrongLayers(sources({ [`${lib}/novelty.c`]: [] }))[0]).toContain("novelty.c is in no layer");
  });
});
