// SPDX-License-Identifier: Apache-2.0
// Tells whether an output is older than its sources: a digest over names, sizes and times of the source files
// also notices a file that was deleted or brought back from an older commit.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRoot, root } from "./paths.mjs";

/** Every file at or under the given places (relative to the root), sorted; places that are not there count as empty. */
export function filesUnder(places, accept = () => true) {
  const found = [];
  const visit = (relative) => {
    const absolute = path.join(root, relative);
    if (!existsSync(absolute)) return;
    if (!statSync(absolute).isDirectory()) {
      if (accept(relative)) found.push(relative);
      return;
    }
    for (const entry of readdirSync(absolute).sort()) {
      if (entry !== "node_modules") visit(path.join(relative, entry));
    }
  };
  for (const place of places) visit(place);
  return found;
}

/** A digest of the state of source files, by name, size and modification time. */
export function stateOf(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    const { size, mtimeMs } = statSync(inRoot(file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

export function contentOf(file) {
  return createHash("sha256")
    .update(readFileSync(inRoot(file)))
    .digest("hex");
}

/** A stamp file beside an output, holding the digest that the output was made from. */
export function stamp(file) {
  const absolute = inRoot(file);
  return {
    matches: (digest) => existsSync(absolute) && readFileSync(absolute, "utf8").trim() === digest,
    write: (digest) => {
      mkdirSync(path.dirname(absolute), { recursive: true });
      writeFileSync(absolute, `${digest}\n`);
    },
  };
}
