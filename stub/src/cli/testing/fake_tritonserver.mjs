#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// A fake tritonserver for tests of the command line: it answers the few requests that the start-up summary needs. How
// it behaves is told by the environment variable FAKE_BEHAVIOUR.
import { writeFileSync } from "node:fs";
import http from "node:http";

const behaviour = process.env.FAKE_BEHAVIOUR ?? "serve";
const option = (name) => process.argv.findLast((argument) => argument.startsWith(`--${name}=`))?.split("=")[1];
const log = (level, text) => process.stderr.write(`${level}1121 04:10:18.238346 1 server.cc:273] "${text}"\n`);

if (process.env.FAKE_RECORD) {
  const { LD_LIBRARY_PATH, TRITON_TYPESCRIPT_RUNTIME, TRITON_TYPESCRIPT_NODE } = process.env;
  const env = { LD_LIBRARY_PATH, TRITON_TYPESCRIPT_RUNTIME, TRITON_TYPESCRIPT_NODE };
  writeFileSync(process.env.FAKE_RECORD, JSON.stringify({ pid: process.pid, args: process.argv.slice(2), env }));
}

const answers = {
  "/v2/health/live": {},
  "/v2": { name: "triton", version: "9.9.9", extensions: [] },
  "/v2/repository/index": [
    { name: "good", version: "1", state: "READY" },
    { name: "bad", version: "1", state: "UNAVAILABLE", reason: "SyntaxError in model.ts" },
  ],
  "/v2/models/good/versions/1/config": { name: "good", backend: "typescript", platform: "", max_batch_size: 0 },
};

function serve() {
  const server = http.createServer((request, response) => {
    const answer = answers[request.url];
    response.writeHead(answer ? 200 : 404, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer ?? { error: "fake: unknown" }));
  });
  server.listen(Number(option("http-port")), "127.0.0.1", () => log("I", "Started HTTPService at 127.0.0.1"));
}

log("W", "Unable to allocate pinned system memory, pinned memory pool will not be available");
if (behaviour === "port-taken") {
  log("E", `failed to start HTTP service: Unavailable - Socket '127.0.0.1:${option("http-port")}' already in use `);
  process.exitCode = 1;
} else if (behaviour === "die-early") {
  process.stderr.write("error: creating server: Internal - something broke\n");
  process.exitCode = 1;
} else if (behaviour === "wrong-option") {
  process.stderr.write("tritonserver: unrecognized option '--nonsense'\nUsage: tritonserver [options]\n  --help\n");
  process.exitCode = 1;
} else {
  process.on("SIGTERM", () => {
    log("I", "fake: stopping");
    if (behaviour !== "stop-never") process.exit(0);
  });
  serve();
  if (behaviour === "die-later") setTimeout(() => process.kill(process.pid, "SIGKILL"), 1500);
}
