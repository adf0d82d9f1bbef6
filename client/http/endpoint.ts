// SPDX-License-Identifier: Apache-2.0
// Questions over HTTP, by `fetch`: their limits, how they are given up, and what their failures mean.
import { TritonError, type TritonErrorCode } from "../../stub/src/api/errors.ts";
import type { CallOptions } from "../call_options.ts";
import {
  answered,
  type CallSubject,
  ClientError,
  cancelled,
  described,
  overdue,
  reasonOf,
  refused,
  unreachable,
  unreadable,
} from "../client_error.ts";

/** What is used of `fetch`. */
export interface Fetch {
  (url: string, init: RequestInit): Promise<Response>;
  /**
   * Whether it sends such a name as it stands in the path of an address, in UTF-8. Without this, names are refused that
   * `fetch` itself would write in another way: Triton decodes none.
   */
  keepsInPath?: ((name: string) => boolean) | undefined;
}

/** What is asked. */
export interface Question {
  /** A POST where it is there. */
  body?: string | Uint8Array<ArrayBuffer> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** What was answered, whole. */
export interface Answer {
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
}

/** A call while it is open. */
interface Life {
  readonly signal: AbortSignal;
  end(): void;
  failure(error: unknown): ClientError;
}

const DEFAULT_PORT = 8000;

/** Triton has no status of its own for each of its codes: 400 stands for several. */
const CODES: ReadonlyMap<number, TritonErrorCode> = new Map([
  [400, "INVALID_ARG"],
  [404, "NOT_FOUND"],
  [409, "ALREADY_EXISTS"],
  [413, "INVALID_ARG"],
  [429, "UNAVAILABLE"],
  [499, "CANCELLED"],
  [500, "INTERNAL"],
  [501, "UNSUPPORTED"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "UNAVAILABLE"],
]);

/**
 * The base address of a server, without a slash at the end.
 *
 * @throws TritonError INVALID_ARG when it is none
 */
export function baseOf(url: unknown): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const text = typeof url === "string" ? url : "";
  const isAuthority = text !== "" && !text.startsWith("/") && !/^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const full = isAuthority ? `http://${/:\d+$/.test(text) ? text : `${text}:${DEFAULT_PORT}`}` : text;
  const base = page !== undefined && text.startsWith("/") ? page : undefined;
  if (text === "" || /\s/.test(text) || !URL.canParse(full, base) || !/^https?:$/.test(new URL(full, base).protocol)) {
    throw new TritonError(
      `The HTTP endpoint of a Triton server has an address such as http://127.0.0.1:8000, not ${JSON.stringify(url)}.`,
      "INVALID_ARG",
    );
  }
  const { origin, pathname } = new URL(full, base);
  return `${origin}${pathname.replace(/\/+$/, "")}`;
}

/** Whether an address can name it: servers take names as they stand there, and decode nothing. */
function canBeAddressed(name: string): boolean {
  return /^[^/?#\\%]+$/.test(name) && !/^\.{1,2}$/.test(name) && new URL(`http://h/${name}`).pathname === `/${name}`;
}

/** A server, by the base address of its HTTP endpoint. */
export class HttpEndpoint {
  readonly host: string;
  readonly #fetch: Fetch;
  readonly #keepsInPath: (name: string) => boolean;
  readonly #open = new Set<(why: string) => void>();
  #isClosed = false;

  /** @throws TritonError INVALID_ARG when the address is none */
  constructor(url: string, fetch: Fetch | undefined) {
    this.host = baseOf(url);
    // A browser's fetch wants to be called as that of its window.
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#keepsInPath = fetch?.keepsInPath ?? canBeAddressed;
  }

  /** A part of a path. @throws ClientError when an address cannot have it */
  inPath(subject: CallSubject, what: string, name: string): string {
    if (typeof name === "string" && this.#keepsInPath(name)) return name;
    throw refused(
      subject,
      name === "" || typeof name !== "string"
        ? `the name of the ${what} must be a string that is not empty.`
        : `the ${what} '${name}' has a name that an address over HTTP cannot hold. Ask over gRPC, or give it another name.`,
    );
  }

  /** Asks, and gives all that is answered. Rejects with a `ClientError`, also when the answer is an error. */
  async ask(subject: CallSubject, path: string, question: Question, options: CallOptions): Promise<Answer> {
    const life = this.#begin(subject, options);
    try {
      const response = await this.#send(path, question, options, life.signal);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw errorOf(subject, response.status, new TextDecoder().decode(bytes));
      return { headers: response.headers, bytes };
    } catch (error) {
      throw error instanceof ClientError ? error : life.failure(error);
    } finally {
      life.end();
    }
  }

  /** The JSON that is answered; undefined where nothing is. */
  async json<T>(subject: CallSubject, path: string, question: Question, options: CallOptions): Promise<T> {
    const { bytes } = await this.ask(subject, path, question, options);
    return parsed<T>(subject, new TextDecoder().decode(bytes));
  }

  /**
   * Asks for a stream of events, and gives its bytes as they come. Leaving the loop cancels the call.
   *
   * @throws ClientError
   */
  async *stream(
    subject: CallSubject,
    path: string,
    question: Question,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, undefined> {
    const life = this.#begin(subject, options);
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      const response = await this.#send(path, question, options, life.signal);
      if (!response.ok) throw errorOf(subject, response.status, await response.text());
      reader = response.body?.getReader();
      const type = response.headers.get("Content-Type") ?? "";
      if (!/^text\/event-stream\s*(;|$)/i.test(type)) throw noEvents(subject, response.status, type);
      for (;;) {
        const part = await reader?.read();
        if (part === undefined || part.done) return undefined;
        yield part.value;
      }
    } catch (error) {
      throw error instanceof ClientError ? error : life.failure(error);
    } finally {
      life.end();
      // Not waited for: a server that is silent need not hear of it soon.
      reader?.cancel().catch(() => {});
    }
  }

  /** Cancels what is open, and takes no more calls. */
  close(): void {
    this.#isClosed = true;
    for (const giveUp of this.#open) giveUp("the client was closed");
  }

  #send(path: string, question: Question, { headers }: CallOptions, signal: AbortSignal): Promise<Response> {
    const { body } = question;
    const method = body === undefined ? "GET" : "POST";
    const all = { ...headers, ...question.headers };
    return this.#fetch(`${this.host}${path}`, {
      method,
      headers: all,
      signal,
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Takes up a call, unless it is over before it began. */
  #begin(subject: CallSubject, { signal, deadlineMs }: CallOptions): Life {
    if (deadlineMs !== undefined && !(deadlineMs > 0)) {
      throw refused(subject, `the option 'deadlineMs' must be a number above 0, but is ${String(deadlineMs)}.`);
    }
    if (this.#isClosed) throw cancelled(subject, "the client was closed");
    if (signal?.aborted) throw cancelled(subject, reasonOf(signal), signal.reason);
    const controller = new AbortController();
    let givenUp: ClientError | undefined;
    const giveUp = (error: ClientError) => {
      givenUp ??= error;
      controller.abort(givenUp);
    };
    const abort = () => giveUp(cancelled(subject, reasonOf(signal!), signal!.reason));
    const close = (why: string) => giveUp(cancelled(subject, why));
    const isLimited = deadlineMs !== undefined && deadlineMs < 2 ** 31;
    const timer = isLimited ? setTimeout(() => giveUp(overdue(subject, deadlineMs)), deadlineMs) : undefined;
    signal?.addEventListener("abort", abort, { once: true });
    this.#open.add(close);
    return {
      signal: controller.signal,
      end: () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#open.delete(close);
      },
      failure: (error) => givenUp ?? noAnswer(subject, error),
    };
  }
}

/** @throws ClientError when it is no JSON */
export function parsed<T>(subject: CallSubject, text: string): T {
  try {
    return (text === "" ? undefined : JSON.parse(text)) as T;
  } catch (error) {
    throw unreadable(subject, "it is not JSON. Is this the HTTP endpoint of a Triton server?", error);
  }
}

/** The error for a success that is no stream of events. */
function noEvents(subject: CallSubject, status: number, type: string): ClientError {
  const came = type === "" ? "has no content type" : `has the content type ${described(type)}`;
  return unreadable(
    subject,
    `it should be a stream of events (text/event-stream), but ${came} and the status ${status}. ` +
      "Is this the HTTP endpoint of a Triton server?",
  );
}

/** The error that a server answered, in JSON or, where something stands in between, in any form. */
export function errorOf(subject: CallSubject, status: number, text: string): ClientError {
  let serverMessage = text.trim();
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") serverMessage = error;
  } catch {
    // What answered is no Triton, or an old one; its text is all there is.
  }
  return answered(subject, { code: CODES.get(status) ?? "UNKNOWN", status, serverMessage });
}

/** `fetch` tells the cause of its failure in Node, and nothing at all in browsers. */
function noAnswer(subject: CallSubject, error: unknown): ClientError {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  const why = cause?.message || cause?.code || message || String(error);
  const code = cause?.code ?? "";
  if (/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(code)) {
    return unreachable(subject, why, "Node's fetch waits for 300 s; GrpcClient waits as long as it takes.", error);
  }
  // Something listens there, but speaks another protocol.
  const isStranger = code.startsWith("HPE_") || /HTTP\/1\.1 protocol|Parse Error/i.test(why);
  const advice = isStranger
    ? "Is this the gRPC port? HTTP is on 8000 unless it was moved."
    : cause === undefined
      ? "In a browser, the server or what stands in front of it must allow this page (CORS)."
      : "";
  return unreachable(subject, why, advice, error);
}
