// SPDX-License-Identifier: Apache-2.0
// Values of parameters as messages, which have the same fields in requests, settings and orders to load.

const choice = <C extends string, V>(name: C, value: V) => ({ parameterChoice: { case: name, value } });

export const boolParameter = (value: boolean) => choice("boolParam", value);
export const stringParameter = (value: string) => choice("stringParam", value);
