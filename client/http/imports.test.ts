// SPDX-License-Identifier: Apache-2.0
// Browsers load the entry for HTTP as it is: what it imports, directly or not, lies in this package and needs nothing of Node.
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const entry = fileURLToPath(new URL("./index.ts", import.meta.url));

/** Imports that are there at run time, too. */
function importsOf(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"/gm);
  const calls = text.matchAll(/\b(?:import|require)\(\s*"([^"]+)"/g);
  return [...statements, ...calls].map((match) => match[1] ?? match[2]!);
}

function graph(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const imports = importsOf(readFileSync(file, "utf8"));
    found.set(file, imports);
    for (const specifier of imports)
      if (specifier.startsWith(".")) waiting.push(path.resolve(path.dirname(file), specifier));
  }
  return found;
}

describe("triton-typescript/client/http", () => {
  const files = graph();

  it("imports files of this package only", () => {
    expect([...files.values()].flat().filter((specifier) => !specifier.startsWith("."))).toEqual([]);
    const names = [...files.keys()].map((file) => path.basename(file));
    expect(names).toEqual(expect.arrayContaining(["http_client.ts", "tensor.ts", "bytes.ts", "client_error.ts"]));
    expect(names).not.toContain("shared_memory.ts");
  });

  it.each([...files.keys()].map((file) => [path.relative(path.dirname(path.dirname(entry)), file), file]))(
    "%s uses no global of Node",
    (_name, file) => {
      const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      // utf8.ts takes Node's process and Buffer where they are there.
      const globals =
        path.basename(file) === "utf8.ts"
          ? /\b(setImmediate|__dirname)\b/
          : /\b(Buffer|process|setImmediate|__dirname)\b/;
      expect(code.match(globals)).toBeNull();
    },
  );
});

describe("importsOf", () => {
  it("sees every form", () => {
    const text = `import a from "a";\nimport {\n  type B,\n  c,\n} from "c";\nimport type { D } from "d";\nexport type { E } from "e";
export { f } from "f";\nimport "g";\nconst h = await import("h");\nconst i = require("i");\nexport const j = "from k";`;
    expect(importsOf(text)).toEqual(["a", "c", "f", "g", "h", "i"]);
  });
});
