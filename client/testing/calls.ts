// SPDX-License-Identifier: Apache-2.0
// How what the package's clients were asked for ended.
import { expect } from "vitest";
import { ClientError } from "../index.ts";

/** The error of something that must fail. */
export async function failure(promise: PromiseLike<unknown>): Promise<ClientError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(ClientError);
    return error as ClientError;
  }
  throw new Error("it did not fail");
}

/** All that an iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
