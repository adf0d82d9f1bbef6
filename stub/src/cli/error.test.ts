// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { unsupported } from "../../../server/embedded_server.ts";
import { ServerError } from "../../../server/error.ts";
import { sentenceOf } from "./error.ts";

it("names the options of the command where they are the way out", () => {
  expect(sentenceOf(unsupported({ platform: "linux", arch: "ppc64", glibc: "2.36" }))).toMatch(
    /arm64 only.* on ppc64\. Install Triton and name it with --server PATH or TRITON_SERVER\.$/,
  );
  expect(sentenceOf(new ServerError("PIP", "Install pip."))).toBe(
    "Install pip, or use an installed Triton with --server PATH.",
  );
  expect(sentenceOf(new ServerError("PIP", "Install pip, or set TRITON_SERVER to that of an installed Triton."))).toBe(
    "Install pip, or set TRITON_SERVER to that of an installed Triton, or use it with --server PATH.",
  );
  expect(sentenceOf(new ServerError("LIBRARY", "Install that library."))).toBe(
    "Install that library, or use another Triton with --server PATH.",
  );
  expect(sentenceOf(new ServerError("START", "It ended."))).toBe("It ended.");
  expect(sentenceOf("thrown")).toBe("thrown");
});
