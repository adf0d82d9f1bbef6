// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { methodsOf, misnamedMethods, resembles } from "./method_names.ts";

const named = (given: string, meant: string, kind = "method") =>
  `The model class has a ${kind} '${given}', which nothing calls. Is '${meant}' meant?`;

class Good {
  execute() {}
}

test("methods that are nearly right are named", () => {
  class Model extends Good {
    initialise() {}
    finalise() {}
    isready() {}
    static autocompleteConfig() {}
  }
  expect(misnamedMethods(Model)).toEqual([
    named("initialise", "initialize"),
    named("finalise", "finalize"),
    named("isready", "isReady"),
    named("autocompleteConfig", "static autoCompleteConfig", "static method"),
  ]);
});

test("the names of Python and a missing static are known, too", () => {
  class Model extends Good {
    is_ready() {}
    autoCompleteConfig() {}
    static initialize() {}
  }
  expect(misnamedMethods(Model)).toEqual([
    named("initialize", "initialize", "static method"),
    named("is_ready", "isReady"),
    named("autoCompleteConfig", "static autoCompleteConfig"),
  ]);
});

test("a method whose like is there, or that is like none, is the model's own", () => {
  class Model extends Good {
    initialize() {}
    initialise() {}
    executes() {}
    streams() {}
    ready() {}
    load() {}
    x() {}
    get finalise() {
      return () => {};
    }
    static autoCompleteConfig() {}
    autocompleteConfig() {}
  }
  class Inherits extends Model {}
  expect(misnamedMethods(Model)).toEqual([]);
  expect(misnamedMethods(Inherits)).toEqual([]);
  expect(methodsOf(Inherits.prototype)).toContain("execute");
});

test.each([
  ["excute", "execute", true],
  ["exceute", "execute", true],
  ["Execute", "execute", true],
  ["intialise", "initialize", true],
  ["run", "execute", false],
  ["ready", "isReady", false],
  ["triton-typescrpt", "triton-typescript", true],
  ["typescript", "triton-typescript", false],
  ["e".repeat(100_000), "execute", false],
])("%s for %s: %s", (given, meant, is) => {
  expect(resembles(given, meant)).toBe(is);
});
