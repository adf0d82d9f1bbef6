// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { type DataType, dataTypeInfo } from "../stub/src/api/datatype.ts";
import { TritonError } from "../stub/src/api/errors.ts";
import { type Tensor, trustedTensor } from "../stub/src/api/tensor.ts";
import { checkedElementCount, checkName } from "../stub/src/api/tensor_checks.ts";
import { placeTensor, type SharedMemoryRange, type SharedMemoryRegion } from "./memory_place.ts";
import { arrayOver, rawBytes } from "./output_tensor.ts";

/** The methods of the native part (client/native/shared_memory.c). */
interface Native {
  /** Maps shared memory, and makes it before if told to. Throws with a code of the system. */
  map(key: string, byteSize: number, makes: boolean): ArrayBuffer;
  /** Empties the buffer, so that its memory is unmapped. */
  detach(buffer: ArrayBuffer): void;
  /** Takes the name away; who has mapped the memory keeps it. */
  unlink(key: string): void;
}

let loaded: Native | undefined;

function native(): Native {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  // What was built here, else what the package brings; from the sources, and from dist/.
  const folders = ["build/lib", `prebuilds/linux-${process.arch}`];
  for (const place of folders.flatMap((folder) => [`../${folder}`, `../../${folder}`])) {
    try {
      loaded = require(`${place}/triton_typescript_client.node`) as Native;
      return loaded;
    } catch (error) {
      if ((error as { code?: string }).code !== "MODULE_NOT_FOUND") throw unsupported(error);
    }
  }
  throw unsupported(undefined);
}

function unsupported(cause: unknown): TritonError {
  const why = cause === undefined ? "its native part is not built (npm run setup)" : (cause as Error).message;
  return new TritonError(`SharedMemory works on Linux, where the package is installed whole: ${why}.`, "UNSUPPORTED", {
    cause,
  });
}

/** Which shared memory is meant. */
export interface SharedMemoryOptions {
  byteSize: number;
  /** The name of shm_open: a slash, then no other one. Made up when left out. */
  key?: string | undefined;
  /** The name for its registration with servers; the key without its slash when left out. */
  name?: string | undefined;
}

/** What was made here and not closed; it outlives this process where nobody takes its name away. */
const made = new Set<string>();
let looksAtExit = false;
/** Memory that nobody can close any more. */
const lost = new FinalizationRegistry<string>((key) => takeNameAway(key));
let next = 0;

function takeNameAway(key: string): void {
  if (made.delete(key)) native().unlink(key);
}

function noteMade(memory: SharedMemory): void {
  if (!looksAtExit) process.once("exit", () => made.forEach(takeNameAway));
  looksAtExit = true;
  made.add(memory.key);
  lost.register(memory, memory.key, memory);
}

function wrong(message: string): TritonError {
  return new TritonError(message, "INVALID_ARG");
}

const ADVICE: Readonly<Record<string, string>> = {
  EEXIST: "There is one of that key already: open it with SharedMemory.open(), or choose another key.",
  ENOENT: "There is none of that key: who made it may have closed it.",
  ERANGE: "It is shorter than that.",
  ENOSPC: "/dev/shm is full: in a container, give it more with --shm-size.",
  EACCES: "It belongs to another user.",
};

/**
 * Memory of this machine that a server can map, too (Linux), so that large tensors need not be sent: register it with
 * `client.registerSystemSharedMemory(memory)`, make inputs in it by `tensor()` or `place()`, and request outputs in a
 * `range()`. `close()` it when no request needs it any more.
 */
export class SharedMemory implements SharedMemoryRegion {
  readonly name: string;
  readonly key: string;
  readonly byteSize: number;
  readonly #buffer: ArrayBuffer;
  readonly #isOwn: boolean;

  private constructor({ byteSize, key, name }: SharedMemoryOptions, makes: boolean) {
    if (!Number.isSafeInteger(byteSize) || byteSize < 1) {
      throw wrong(`Shared memory needs a byteSize of at least 1, but got ${String(byteSize)}.`);
    }
    if (typeof key !== "string" || !/^\/[^/\0]{1,250}$/.test(key)) {
      throw wrong(`The key of shared memory must be a slash and a name without one, but is ${JSON.stringify(key)}.`);
    }
    this.byteSize = byteSize;
    this.key = key;
    this.name = name ?? key.slice(1);
    this.#isOwn = makes;
    try {
      this.#buffer = native().map(key, byteSize, makes);
    } catch (error) {
      if (error instanceof TritonError) throw error;
      const { code = "", message } = error as { code?: string; message: string };
      const what = makes ? "be made" : "be opened";
      const advice = ADVICE[code] ?? `${message}.`;
      const kind = code === "EEXIST" ? "ALREADY_EXISTS" : code === "ENOENT" ? "NOT_FOUND" : "UNAVAILABLE";
      throw new TritonError(`Shared memory '${key}' of ${byteSize} bytes could not ${what}. ${advice}`, kind, {
        cause: error,
      });
    }
    if (makes) noteMade(this);
  }

  /**
   * Makes new memory, of zeros. Its name is taken away when it is closed, and when this process exits.
   *
   * @throws TritonError ALREADY_EXISTS when there is memory of that key, UNAVAILABLE when there is no room
   */
  static create({
    key = `/triton-ts-${process.pid}-${next++}-${nonce()}`,
    ...options
  }: SharedMemoryOptions): SharedMemory {
    return new SharedMemory({ key, ...options }, true);
  }

  /**
   * Maps memory that another process made.
   *
   * @throws TritonError NOT_FOUND when there is none of that key, UNAVAILABLE when it is shorter than `byteSize`
   */
  static open(options: SharedMemoryOptions & { key: string }): SharedMemory {
    return new SharedMemory(options, false);
  }

  /** All of it. Empty once it is closed. */
  get buffer(): Buffer {
    return this.#buffer.byteLength === 0 ? Buffer.alloc(0) : Buffer.from(this.#buffer);
  }

  /**
   * A part of it, for an output.
   *
   * @param byteLength up to the end when left out
   */
  range(offset = 0, byteLength = this.byteSize - offset): SharedMemoryRange {
    if (this.#buffer.byteLength === 0) throw wrong(`Shared memory '${this.key}' is closed.`);
    const isSound = Number.isSafeInteger(offset) && Number.isSafeInteger(byteLength) && offset >= 0 && byteLength >= 0;
    if (!isSound || offset + byteLength > this.byteSize) {
      throw wrong(
        `Shared memory '${this.key}' has ${this.byteSize} bytes, but ${byteLength} bytes from ${offset} on were asked for.`,
      );
    }
    return { region: this, offset, byteLength, bytes: new Uint8Array(this.#buffer, offset, byteLength) };
  }

  /**
   * A tensor whose data is that memory, to be filled before it is sent.
   *
   * @param offset where its data begins, in bytes: a multiple of the size of an element
   * @throws TritonError INVALID_ARG when it does not fit, or for BYTES, whose length nobody knows: use `place()`
   */
  tensor<D extends DataType>(name: string, datatype: D, shape: readonly number[], offset = 0): Tensor<D> {
    checkName(name);
    const { byteSize } = dataTypeInfo(datatype);
    if (byteSize === 0) throw wrong("A BYTES tensor has no fixed length. Make it as usual, then place() it.");
    if (offset % byteSize !== 0) {
      throw wrong(`Tensor '${name}' is ${datatype}, so its offset must be a multiple of ${byteSize}, not ${offset}.`);
    }
    const range = this.range(offset, checkedElementCount(name, shape) * byteSize);
    return placeTensor(trustedTensor(name, datatype, shape.slice(), arrayOver(datatype, range.bytes!)), range);
  }

  /** Copies a tensor to `offset`, and gives one whose data lies there. */
  place<D extends DataType>(tensor: Tensor<D>, offset = 0): Tensor<D> {
    const source = rawBytes(tensor as Tensor);
    if (tensor.datatype !== "BYTES") {
      const placed = this.tensor(tensor.name, tensor.datatype, tensor.shape, offset);
      rawBytes(placed as Tensor).set(source);
      return placed;
    }
    const range = this.range(offset, source.byteLength);
    range.bytes!.set(source);
    return placeTensor(trustedTensor(tensor.name, tensor.datatype, tensor.shape.slice(), range.bytes!), range);
  }

  /**
   * Gives the memory up: all tensors and buffers in it are empty from then on. A server that it is registered with keeps its own
   * mapping until it is unregistered there. Does nothing the second time.
   */
  close(): void {
    if (this.#buffer.byteLength === 0) return;
    native().detach(this.#buffer);
    lost.unregister(this);
    if (this.#isOwn) takeNameAway(this.key);
  }

  /** `using memory = SharedMemory.create(...)` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function nonce(): string {
  return randomBytes(4).toString("hex");
}
