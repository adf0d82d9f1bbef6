// SPDX-License-Identifier: Apache-2.0
// Numbers that a step takes from `parameters` of its config.pbtxt.

/** The part of a parsed model configuration that is read here. */
export interface WithParameters {
  readonly parameters?: Readonly<Record<string, { readonly string_value: string } | undefined>>;
}

/** The parameter as a number, or `fallback` where the configuration does not name it. Throws when it is no number. */
export function numberParameter(config: WithParameters, name: string, fallback: number): number {
  const text = config.parameters?.[name]?.string_value;
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new Error(`The parameter ${name} is to be a number, but config.pbtxt says "${text}".`);
  }
  return value;
}
