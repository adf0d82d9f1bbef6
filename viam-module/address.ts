// SPDX-License-Identifier: Apache-2.0
// Addresses as a robot hands them out: a path of a socket, or host and port.
import { accessSync, constants, lstatSync, unlinkSync } from "node:fs";
import nodePath from "node:path";
import { ModuleError } from "./errors.ts";

/** Linux has no room for more in the address of a socket. */
const longestPath = 107;

/** The path of a unix socket, or undefined for host and port. */
export function socketPath(address: string): string | undefined {
  const plain = address.replace(/^unix:(\/\/)?/, "");
  return plain === address && /:\d+$/.test(address) ? undefined : plain;
}

/**
 * An address as grpc-js takes it, to listen there or to connect.
 *
 * @throws ModuleError for a path that is too long for a socket
 */
export function grpcTarget(address: string): string {
  const path = socketPath(address);
  if (path === undefined) return address.startsWith(":") ? `127.0.0.1${address}` : address;
  if (Buffer.byteLength(path) > longestPath) {
    const sentence = `The path of the socket ${path} is longer than the ${longestPath} bytes that Linux allows.`;
    throw new ModuleError(
      "INVALID_ARGUMENT",
      `${sentence} Set the robot's temporary folder to a shorter one, or use TCP.`,
    );
  }
  return `unix:${path}`;
}

/**
 * Why nobody could listen at an address, where that is plain to see.
 *
 * @returns the end of a sentence, or undefined when it is for gRPC to say
 */
export function whyNoListening(address: string): string | undefined {
  const path = socketPath(address);
  if (path === undefined) return undefined;
  try {
    accessSync(nodePath.dirname(path), constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") return undefined;
    return `no permission (EACCES); user ${process.getuid?.() ?? "?"} cannot write in its folder.`;
  }
}

/** Removes the socket that a module which was killed has left, so that its place is free. Leaves anything else there. */
export function freeSocket(address: string): void {
  const path = socketPath(address);
  if (path === undefined || lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  unlinkSync(path);
}
