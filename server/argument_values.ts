// SPDX-License-Identifier: Apache-2.0
// Reads values of options out of arguments for tritonserver, written as --name=value or --name value.

/** Every value of an option, in order. */
export function allValues(args: readonly string[], option: string): string[] {
  return args.flatMap((argument, at) => {
    if (argument === option) return args[at + 1] ?? [];
    return argument.startsWith(`${option}=`) ? [argument.slice(option.length + 1)] : [];
  });
}

/** The last value of an option, which is the one that counts. */
export function lastValue(args: readonly string[], option: string): string | undefined {
  return allValues(args, option).at(-1);
}

/** The model repositories that these arguments name. */
export function repositoriesOf(args: readonly string[]): string[] {
  return [...allValues(args, "--model-repository"), ...allValues(args, "--model-store")];
}

/** The models that the server is to load at its start. */
export function startupModels(args: readonly string[]): "all" | string[] {
  const named = allValues(args, "--load-model");
  return lastValue(args, "--model-control-mode") !== "explicit" || named.includes("*") ? "all" : named;
}
