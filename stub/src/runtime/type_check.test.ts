// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { checkTypes } from "./type_check.ts";

// What the compiler finds in models is tested with the loader.
test("without a compiler the check says what to install", async () => {
  const apiUrl = new URL("../api/index.ts", import.meta.url).href;
  await expect(checkTypes({ file: "/m/1/model.ts", apiUrl, lookupFolders: ["/"] })).rejects.toThrow(
    expect.objectContaining({
      code: "UNAVAILABLE",
      message: expect.stringContaining("the package 'typescript' is not installed. Install it"),
    }),
  );
});
