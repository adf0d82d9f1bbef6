// SPDX-License-Identifier: Apache-2.0
// One run of a network: tensors in and out by name, whatever the names are.

import type { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import type { Network } from "./network.ts";

/** What the library's own class calls to run; not part of its declared interface. */
interface Handler {
  run(
    feeds: Feeds,
    fetches: Record<string, null>,
    options: InferenceSession.RunOptions,
  ): Promise<Record<string, OnnxTensor>>;
}

/** Inputs of a run by name; made by `newFeeds`. */
export type Feeds = Record<string, OnnxTensor>;

/** An object for the inputs of a run. It inherits nothing, so that any name is just a name. */
export function newFeeds(): Feeds {
  return Object.create(null) as Feeds;
}

/**
 * Runs the network and gives the wanted outputs by name. The library could also write an output into an array that it is
 * handed, but it leaves such an array as it was when the output is a value that no operator makes (an input of the graph,
 * for one), and nothing in its result tells. So the tensors that it returns, which are its own, are the only truth.
 */
export async function runNetwork(
  network: Network,
  feeds: Feeds,
  wanted: Iterable<string>,
  options: InferenceSession.RunOptions,
): Promise<Map<string, OnnxTensor>> {
  const names = [...wanted];
  if (names.length === 0) return new Map();
  const results = network.outputs.some(({ name }) => name in Object.prototype)
    ? await runAnyNames(network.session, feeds, names, options)
    : await network.session.run(feeds, names, options);
  return new Map(names.map((name) => [name, ownOrPrototype(results, name)]));
}

/**
 * Runs a network of which an output has the name of something that every object inherits, such as `constructor`. The
 * library's class asks plain objects whether they have an output of that name, and they always have one.
 */
function runAnyNames(
  session: InferenceSession,
  feeds: Feeds,
  names: readonly string[],
  options: InferenceSession.RunOptions,
): Promise<Record<string, OnnxTensor>> {
  const fetches = Object.create(null) as Record<string, null>;
  for (const name of names) fetches[name] = null;
  return (session as unknown as { readonly handler: Handler }).handler.run(feeds, fetches, options);
}

/** A result called `__proto__` becomes the prototype of the object that holds the results. */
function ownOrPrototype(results: Record<string, OnnxTensor>, name: string): OnnxTensor {
  return (name === "__proto__" ? Object.getPrototypeOf(results) : results[name]) as OnnxTensor;
}
