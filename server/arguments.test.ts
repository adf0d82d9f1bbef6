// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { lastValue } from "./argument_values.ts";
import { type ServerOptions, tritonArguments } from "./arguments.ts";

const argumentsFor = (options: ServerOptions, extra: string[] = []) =>
  tritonArguments({ repositories: ["/r"], options, extra, backendDirectory: "/b" });

describe("tritonArguments", () => {
  it("leaves out what the user said behind --, and puts that last", () => {
    const args = argumentsFor({ httpPort: "9000", loadModel: ["a", "b"] }, [
      "--exit-on-error=true",
      "--http-port",
      "1",
    ]);
    expect(args.filter((argument) => argument.startsWith("--exit-on-error"))).toEqual(["--exit-on-error=true"]);
    expect(lastValue(args, "--http-port")).toBe("1");
    expect(args).toContain("--load-model=a");
    expect(args).toContain("--load-model=b");
    expect(args.slice(-3)).toEqual(["--exit-on-error=true", "--http-port", "1"]);
  });
});
