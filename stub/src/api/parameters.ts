// SPDX-License-Identifier: Apache-2.0

/** A request or response parameter. Integers beyond 2^53 are bigints. */
export type ParameterValue = string | number | bigint | boolean;

/** Named parameters of a request or response. */
export type Parameters = Readonly<Record<string, ParameterValue>>;
