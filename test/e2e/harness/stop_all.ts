// SPDX-License-Identifier: Apache-2.0
// A setup file of every end-to-end test file: what a test started ends with its file, also when the test failed.
import { afterAll } from "vitest";
import { openGates, removeGates } from "./gate.ts";
import { killServers } from "./server.ts";
import { closeClients } from "./triton_client.ts";

afterAll(async () => {
  openGates();
  closeClients();
  await killServers();
  removeGates();
});
