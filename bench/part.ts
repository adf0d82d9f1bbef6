// SPDX-License-Identifier: Apache-2.0
// What a part of the benchmark is: it measures, shows what it saw, and says which of its aims were met.

import type { Highlight } from "./grid.ts";
import type { Subject } from "./models.ts";
import type { Server, ServerOptions } from "./server.ts";
import type { Workbench } from "./setup.ts";
import type { Verdict } from "./verdict.ts";

export const SIZES = [
  { label: "64B", bytes: 64 },
  { label: "64KiB", bytes: 64 << 10 },
  { label: "1MiB", bytes: 1 << 20 },
  { label: "16MiB", bytes: 16 << 20 },
];

/** How much is measured. */
export interface Extent {
  /** The backends that take part. */
  subjects: readonly Subject[];
  /** The cells of the identity measurements: each size at each number of concurrent requests. */
  sizes: readonly (typeof SIZES)[number][];
  concurrencies: readonly number[];
  /** How often each cell is measured; the backends take turns within a round. */
  rounds: number;
  /** One of the three windows of a measurement, milliseconds. */
  windowMs: number;
  /** Requests of the flatness part. */
  requests: number;
  /** One short round that shows that everything works; its figures mean nothing. */
  quick: boolean;
}

export interface PartContext extends Extent {
  bench: Workbench;
  /** Progress, one line. */
  say(text: string): void;
  /** A fresh server on `bench.repository` with no model loaded; it is stopped afterwards, whatever happens. */
  withServer<T>(use: (server: Server) => Promise<T>, options?: ServerOptions): Promise<T>;
}

/** A picture of docs/performance.md. */
export interface Picture {
  /** Its name in the folder of images. */
  file: string;
  /** What it shows, for those who cannot see it. */
  alt: string;
  svg: string;
}

/** `Figures` is plain data: it is written as JSON as it is. */
export interface Part<Figures> {
  /** As it is named on the command line. */
  name: string;
  /** One line for --help. */
  about: string;
  measure(context: PartContext): Promise<Figures>;
  /** Tables, by the headings of docs/performance.md under which they stand. */
  sections(figures: Figures): Readonly<Record<string, string>>;
  verdicts(figures: Figures): readonly Verdict[];
  highlights?(figures: Figures): readonly Highlight[];
  pictures?(figures: Figures): readonly Picture[];
}
