// SPDX-License-Identifier: Apache-2.0
import { defect, type TritonError } from "./errors.ts";

/** The error for an option that there is not; `what` as below. */
export function noOption(what: string, name: string, names: readonly string[]): TritonError {
  return defect(
    `${what} has no option '${name}'. ${names.length === 1 ? "Its option is" : "Its options are"} ${names.join(", ")}.`,
  );
}

/**
 * Refuses an option that there is not: a name that is misspelt would be missed by nobody.
 *
 * @param what whose options they are, as the sentence begins: `send()`, `A MetricFamily`
 * @throws TritonError INTERNAL that names the option, and those that there are
 */
export function checkOptionNames(what: string, given: object, names: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) throw noOption(what, name, names);
  }
}
