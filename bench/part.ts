// SPDX-License-Identifier: Apache-2.0
// What a part of the benchmark is: it measures, shows what it saw, and says which of its aims were met.

import type { Server, ServerOptions } from "./server.ts";
import type { Workbench } from "./setup.ts";
import type { Subject, TensorSize } from "./subjects.ts";

export interface PartContext {
  bench: Workbench;
  /** The backends that take part in identity measurements. */
  subjects: readonly Subject[];
  /** The cells of the identity measurements: each size at each number of concurrent requests. */
  sizes: readonly TensorSize[];
  concurrencies: readonly number[];
  /** How often each cell is measured; the backends take turns within a round. */
  rounds: number;
  /** One of the three windows of a measurement, milliseconds. */
  windowMs: number;
  /** Requests of the flatness part. */
  requests: number;
  /** One short round that shows that everything works; its figures mean nothing. */
  quick: boolean;
  /** Progress, one line. */
  say(text: string): void;
  /** A fresh server on `bench.repository` with no model loaded; it is stopped afterwards, whatever happens. */
  withServer<T>(use: (server: Server) => Promise<T>, options?: ServerOptions): Promise<T>;
}

/** A section of docs/performance.md. All are Markdown. */
export interface Section {
  heading: string;
  /** What was done, and how to read the figures. */
  text: string;
  /** Tables. */
  body: string;
}

/** A picture of docs/performance.md; it stands below the verdicts. */
export interface Picture {
  /** Its name in the folder of images. */
  file: string;
  /** What it shows, for those who cannot see it. */
  alt: string;
  svg: string;
}

export interface Verdict {
  aim: string;
  met: boolean;
  /** The worst figure and where it was taken; nothing when none was taken at all. */
  worst?: string;
}

/** `Figures` is plain data: it is written as JSON as it is. */
export interface Part<Figures> {
  /** As it is named on the command line. */
  name: string;
  /** One line for --help. */
  about: string;
  /**
   * What its Python models import beside numpy: `name==version`, with all that they need in turn. Nothing is resolved, so
   * that every run has the same versions.
   */
  pythonPackages?: readonly string[];
  measure(context: PartContext): Promise<Figures>;
  sections(figures: Figures): readonly Section[];
  verdicts(figures: Figures): readonly Verdict[];
  pictures?(figures: Figures): readonly Picture[];
}
