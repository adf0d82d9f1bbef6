#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// A fake tritonserver: it answers the few requests that the start-up summary of the command line needs. How
// it behaves is told by the environment variable FAKE_BEHAVIOUR.
import { spawn } from "node:child_process";
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
  "/v2/models/good/versions/1/config": {
    name: "good",
    backend: "typescript",
    platform: "",
    max_batch_size: 0,
    input: [],
    output: [],
  },
};

const failing = [
  { name: "unreadable" },
  { name: "untouched" },
  { name: "retried", version: "1", state: "LOADING" },
  { name: "slow", version: "1", state: "LOADING" },
];
if (behaviour === "failing") answers["/v2/repository/index"].push(...failing);

const failures = [
  "Poll failed for model directory 'unreadable': failed to read text proto from /m/config.pbtxt",
  "failed to load model 'versionless': at least one version must be available",
  "failed to load 'retried' version 1: it failed before",
];

function logFailures() {
  process.stderr.write(
    "[libprotobuf ERROR x.cc:337] Error parsing text-format inference.ModelConfig: 2:36: no FLOAT\n",
  );
  for (const text of failures) log("E", text);
}

const unloading = "All models are stopped, unloading models";
const failedReload = ["successfully loaded 'good'", "failed to load 'good' version 1: a syntax error"];

let indexed = 0;

function serve() {
  if (behaviour.includes("reloaded")) for (const text of failedReload) log("I", text);
  if (behaviour === "failing") logFailures();
  const server = http.createServer((request, response) => {
    const answer = answers[request.url];
    // The slow model is loaded when it is asked for the third time.
    if (request.url === "/v2/repository/index" && ++indexed === 3) failing.at(-1).state = "READY";
    response.writeHead(answer ? 200 : 404, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer ?? { error: "fake: unknown" }));
  });
  server.listen(Number(option("http-port")), "127.0.0.1", () => log("I", "Started HTTPService at 127.0.0.1"));
  return server;
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
} else if (behaviour === "silent") {
  setInterval(() => {}, 1000);
} else {
  const server = serve();
  process.on("SIGTERM", () => {
    server.getConnections((_error, count) => {
      log("I", `fake: stopping with ${count} open connections`);
      if (behaviour.startsWith("unload-")) log("I", unloading);
      if (behaviour === "reloaded-quote") log("I", `good_0: ${unloading}`);
      if (behaviour === "unload-reloaded-slowly") spawn("sleep", ["600"], { stdio: "ignore" });
      // Longer than it takes to be taken for one that has nothing left to unload.
      if (/-(inside|quote)$/.test(behaviour)) setTimeout(() => process.exit(0), 3000);
      else if (!/-(never|slowly)$/.test(behaviour)) process.exit(0);
    });
  });
  if (behaviour === "die-later") setTimeout(() => process.kill(process.pid, "SIGKILL"), 1500);
}
