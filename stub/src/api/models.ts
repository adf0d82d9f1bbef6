// SPDX-License-Identifier: Apache-2.0
import { TritonError } from "./errors.ts";
import { theModelServer } from "./model_server.ts";

/** The models of the server. */
export interface Models {
  /**
   * Whether a model takes requests. False for one that the server does not know.
   *
   * @param version default: the one that the server's version policy says
   * @throws TritonError INVALID_ARG at once when an argument is wrong; rejects with UNAVAILABLE while the server itself starts
   */
  isReady(name: string, version?: number | string): Promise<boolean>;
}

function checkName(method: string, name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  throw new TritonError(
    `models.${method} needs the name of a model as its first argument 'name', but got ${name === "" ? "an empty text" : typeof name}.`,
    "INVALID_ARG",
  );
}

const LARGEST_VERSION = 2n ** 63n - 1n;

function checkVersion(method: string, version: unknown): string {
  if (version === undefined || version === "") return "-1";
  const isNumber = typeof version === "number" && Number.isSafeInteger(version) && version >= -1;
  const isText = typeof version === "string" && /^(-1|\d+)$/.test(version) && BigInt(version) <= LARGEST_VERSION;
  if (isNumber || isText) return `${version}`;
  throw new TritonError(
    `The argument 'version' of models.${method} must be a whole number, or a text of one, or be left out, but is ` +
      `${typeof version === "number" || typeof version === "string" ? `'${version}'` : `a ${typeof version}`}.`,
    "INVALID_ARG",
  );
}

/** Asks the server about its models. */
export const models: Models = {
  isReady(name, version) {
    const [checkedName, checkedVersion] = [checkName("isReady", name), checkVersion("isReady", version)];
    return theModelServer().isReady(checkedName, checkedVersion);
  },
};
