// SPDX-License-Identifier: Apache-2.0
// The program that a robot starts: main.js ADDRESS [--log-level=LEVEL] [--tcp-mode]
// For tests, which cannot wait that long: --parent-gone-ms=N, how long the robot may be unreachable before the module ends.
import { parseArgs } from "node:util";
import { messageOf } from "../server/error.ts";
import { parseLevel } from "./log.ts";
import { ViamModule } from "./module.ts";
import { onOrphaned } from "./parent.ts";

interface Arguments {
  address: string;
  logLevel: string | undefined;
  parentGoneMs: number | undefined;
}

/** A robot may have options that this module does not know yet. */
function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    strict: false,
    options: {
      "log-level": { type: "string" },
      "tcp-mode": { type: "boolean" },
      "parent-gone-ms": { type: "string" },
    },
  });
  const address = process.env["VIAM_MODULE_ADDRESS"] || positionals[0];
  if (!address) {
    throw new Error(
      "The robot tells this program the address to listen at: a path of a socket, or host and port, as the first argument " +
        "or in VIAM_MODULE_ADDRESS. Neither is there; it is not meant to be started by hand.",
    );
  }
  const level = values["log-level"];
  const goneMs = Number(values["parent-gone-ms"]);
  return {
    address,
    logLevel: typeof level === "string" ? level : undefined,
    parentGoneMs: goneMs > 0 ? goneMs : undefined,
  };
}

async function run(): Promise<void> {
  const { address, logLevel, parentGoneMs } = readArguments();
  const hasParent = process.env["VIAM_NO_MODULE_PARENT"] !== "true";
  let stopping = false;
  const module = new ViamModule({
    address,
    logLevel: parseLevel(logLevel ?? "") ?? "info",
    hasParent,
    parentGoneMs,
    onParentGone: () => stop("the robot cannot be reached any more"),
  });
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    module.log.info(`The module stops: ${why}.`);
    module.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(messageOf(error));
        process.exit(1);
      },
    );
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stop(signal));
  if (hasParent) onOrphaned(() => stop("the robot has ended"));
  const port = await module.listen();
  module.log.debug(`The module listens at ${address}${port > 0 ? ` (port ${port})` : ""}.`);
}

run().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exit(1);
});
