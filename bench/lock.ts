// SPDX-License-Identifier: Apache-2.0
// One benchmark at a time on a machine: two would disturb each other's figures, and perf_analyzer gives its shared
// memory fixed names, so that a second one crashes the server of the first.

import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const NAME = "triton-typescript-bench";

/** An abstract socket: its name is taken while its process lives, however that ends, and leaves no file behind. */
function tryTake(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    server.listen(`\0${name}`, () => resolve(server.unref()));
  });
}

/** Waits for its turn, saying so once through `onWait`. The lock lasts until it is closed or the process ends. */
export async function takeTurn(onWait: () => void, name = NAME): Promise<Server> {
  let waiting = false;
  for (;;) {
    const lock = await tryTake(name);
    if (lock) return lock;
    if (!waiting) onWait();
    waiting = true;
    await sleep(200);
  }
}
