// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { request } from "./http.ts";

test("no connection is kept, so that a server can end at once", async () => {
  const server = createServer((asked, reply) => reply.end(`${asked.method} ${asked.url} ${asked.headers["x-more"]}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const httpUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reply = await request({ httpUrl }, "/place", { method: "POST", headers: { "x-more": "one" }, body: "" });
  expect(await reply.text()).toBe("POST /place one");
  await expect.poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(0);
  server.close();
});
