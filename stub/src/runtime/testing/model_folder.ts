// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("./load_model.ts", import.meta.url));
const apiUrl = new URL("../../api/index.ts", import.meta.url).href;
/** The words of `--import`, as the server starts a stub with them. */
export const PRELOAD = literalOf("PRELOAD", "../../../../backend-shim/src/stub_process.c");

/** The text of a `static const char NAME[]` of a C file that lies at a place relative to this one. */
function literalOf(name: string, place: string): string {
  const source = readFileSync(new URL(place, import.meta.url), "utf8");
  const [, literals = ""] =
    new RegExp(`static const char ${name}\\[\\] =([^;]*(?:"[^"]*"[^;]*)*);\\n`).exec(source) ?? [];
  return [...literals.matchAll(/"([^"]*)"/g)].map(([, text]) => text).join("");
}

/** What came of a load. */
export interface Report {
  file?: string;
  name?: string;
  autoComplete?: boolean;
  result?: unknown;
  thrown?: { message: string; stack: string };
  ours?: boolean;
  message?: string;
  code?: string;
  causeStack?: string;
  /** What the process wrote besides the report. */
  noise: string;
}

/** The source of a model whose `execute` does this. */
export const model = (body: string, head = "") => `${head}\nexport default class Model { execute() { ${body} } }\n`;

/** A folder with a repository, a model `m` and its version 1. */
export class ModelFolder {
  readonly root = mkdtempSync(join(tmpdir(), "model-folder-"));

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Writes files; a name without a folder goes into the version folder. */
  write(files: Record<string, string | Uint8Array>): void {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.root, name.includes("/") ? name : join("repository/m/1", name));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  /** The options of a load. */
  options<O extends object>(more: O) {
    const { root } = this;
    return {
      versionDir: join(root, "repository/m/1"),
      modelDir: join(root, "repository/m"),
      repositoryDir: join(root, "repository"),
      backendDir: join(root, "backends/typescript"),
      apiUrl,
      ...more,
    };
  }

  /** Loads the model, and runs its `execute`. Hooks change a whole process, so every load runs in one of its own. */
  load(options: Record<string, unknown> = {}): Promise<Report> {
    const all = this.options(options);
    return new Promise((done, failed) => {
      execFile(
        process.execPath,
        ["--import", PRELOAD, script, JSON.stringify(all)],
        { cwd: "/", timeout: 60_000 },
        (error, stdout, stderr) => {
          const lines = stdout.trimEnd().split("\n");
          const last = lines.pop() ?? "";
          if (error !== null || !last.startsWith("{")) failed(error ?? new Error(`no report: ${stdout}${stderr}`));
          else done({ ...JSON.parse(last), noise: lines.join("\n").trim() + stderr });
        },
      );
    });
  }
}
