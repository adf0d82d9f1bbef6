// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { type IdleFigures, idle } from "./idle.ts";

const figures = (stubUs: number, serverUs: number, subject: IdleFigures["subject"] = "typescript"): IdleFigures => ({
  subject,
  seconds: 30,
  stubs: { cpuUs: stubUs, switches: 2 },
  serverThreads: { cpuUs: serverUs, switches: 3 },
});

test("what the stub and the server's threads use counts together, in each second", () => {
  expect(idle.verdicts([figures(0, 0)])).toMatchObject([{ met: true }]);
  expect(idle.verdicts([figures(30, 60)])).toMatchObject([{ met: false, worst: "3 us in each second (typescript)" }]);
  expect(idle.verdicts([figures(0, 3)])).toMatchObject([{ met: false }]);
});

test("all models of ours are judged, and others only shown", () => {
  const python = figures(9000, 0, "python");
  expect(idle.verdicts([python, figures(0, 0)])).toMatchObject([{ met: true }]);
  expect(idle.verdicts([figures(0, 0), figures(30, 0, "typescript_allocate")])).toMatchObject([{ met: false }]);
  expect(idle.sections([python])[0]!.body).toContain("| python_backend | 300 | 2 | 0 | 3 |");
});
