// SPDX-License-Identifier: Apache-2.0
import { Command, Option } from "commander";
import { type ServeOptions, serve } from "./serve.ts";

const collect = (value: string, previous: string[]) => [...previous, value];

const examples = `
Options named as tritonserver's own mean what they mean there; anything else goes behind "--".

Examples:
  $ triton-ts serve                                    ./model_repository, or the one that comes along
  $ triton-ts serve models more_models --http-port 9000
  $ triton-ts serve models --backends my_backends      TypeScript-based backends: my_backends/<name>/model.ts
  $ triton-ts serve models --server /opt/tritonserver  an installed Triton (or set TRITON_SERVER)
  $ triton-ts serve models --model-control-mode explicit --load-model ocr
  $ triton-ts serve models -- --grpc-infer-response-compression-level=high`;

/** The command "triton-ts serve". `extra` is what stood behind "--". */
export function serveCommand(extra: readonly string[]): Command {
  return new Command("serve")
    .description("start a Triton server with the TypeScript backend and stay with it until Ctrl-C")
    .argument("[repository...]", "model repositories")
    .option("--server <path>", "use an installed tritonserver: its binary or its folder")
    .option("--backends <folder>", "more TypeScript-based backends, one subfolder each (repeatable)", collect, [])
    .option("--backend-directory <folder>", "more compiled backends, one subfolder each (repeatable)", collect, [])
    .option("--verbose", "show every line of the server's log")
    .option("--http-port <port>", "port for HTTP (default: 8000)")
    .option("--grpc-port <port>", "port for gRPC (default: 8001)")
    .option("--metrics-port <port>", "port for metrics (default: 8002)")
    .option("--http-address <address>", "address for HTTP (default: 127.0.0.1)")
    .option("--grpc-address <address>", "address for gRPC (default: 127.0.0.1)")
    .option("--metrics-address <address>", "address for metrics (default: 127.0.0.1)")
    .addOption(
      new Option("--model-control-mode <mode>", "how models come and go").choices(["none", "poll", "explicit"]),
    )
    .option("--repository-poll-secs <seconds>", "how often to look for changed models in mode poll")
    .option("--load-model <model>", "a model to load at start in mode explicit (repeatable)", collect, [])
    .option("--backend-config <config>", "<backend>,<key>=<value> (repeatable)", collect, [])
    .option("--cache-config <config>", "<cache>,<key>=<value> (repeatable)", collect, [])
    .addOption(new Option("--rate-limit <mode>", "the server's rate limiter").choices(["off", "execution_count"]))
    .option("--log-verbose <level>", "the server's own verbose log, 0 to 9")
    .option("--exit-timeout-secs <seconds>", "how long a stop waits for requests (default: 30)")
    .option("--strict-readiness <boolean>", "ready only when every model is (default: true)")
    .option("--exit-on-error <boolean>", "end when a model fails to load (default: false)")
    .addHelpText("after", examples)
    .action(async (repositories: string[], options: ServeOptions) => {
      process.exitCode = await serve(repositories, options, extra);
    });
}
