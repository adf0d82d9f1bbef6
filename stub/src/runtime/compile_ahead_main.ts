// SPDX-License-Identifier: Apache-2.0
// Entry of the process that strips a model's types ahead of its import; compile_ahead.ts starts it.
import { enableCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import type { CompileAheadJob } from "./compile_ahead.ts";
import { installResolver } from "./model_resolver.ts";

const job = JSON.parse(process.argv[2] ?? "") as CompileAheadJob;
enableCompileCache(job.compileCacheDir);
installResolver(job);

const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
// All modules of a graph are read and linked before the first one runs, and that one ends the process.
const end = asModule('import { flushCompileCache } from "node:module"; flushCompileCache(); process.exit(0);');
const graph = [end, pathToFileURL(job.file).href].map((url) => `import ${JSON.stringify(url)};`);
await import(asModule(graph.join("\n")));
