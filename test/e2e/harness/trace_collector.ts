// SPDX-License-Identifier: Apache-2.0
// A collector of OpenTelemetry's traces, to which a server posts its spans as JSON.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Left out by the one that a trace begins with. */
  readonly parentSpanId?: string;
}

interface Posted {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

export class TraceCollector {
  /** What has come in so far. */
  readonly spans: Span[] = [];
  readonly #server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { resourceSpans } = JSON.parse(Buffer.concat(parts).toString()) as Posted;
    this.spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
    response.end("{}");
  });

  /** Begins to listen, and gives the arguments of a server that traces every request and posts its spans here at once. */
  async open(): Promise<string[]> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo;
    return [
      "--trace-config=mode=opentelemetry",
      "--trace-config=rate=1",
      "--trace-config=level=TIMESTAMPS",
      `--trace-config=opentelemetry,url=http://127.0.0.1:${port}/v1/traces`,
      "--trace-config=opentelemetry,bsp_schedule_delay=50",
    ];
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
