// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { allValues, repositoriesOf, startupModels } from "./argument_values.ts";

it("reads options in both of their forms", () => {
  const args = ["--model-repository=/a", "--model-repository", "/b", "--model-store=/c", "--x"];
  expect(repositoriesOf(args)).toEqual(["/a", "/b", "/c"]);
  expect([allValues(args, "--x"), allValues(args, "--model")]).toEqual([[], []]);
});

it("knows which models the server loads at its start", () => {
  expect(startupModels([])).toBe("all");
  expect(startupModels(["--load-model=a", "--model-control-mode=poll"])).toBe("all");
  expect(startupModels(["--load-model=a", "--load-model", "b", "--model-control-mode=explicit"])).toEqual(["a", "b"]);
  expect(startupModels(["--load-model=*", "--model-control-mode=explicit"])).toBe("all");
});
