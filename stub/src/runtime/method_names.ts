// SPDX-License-Identifier: Apache-2.0
// Methods of a model whose names are nearly those that the runtime calls: they would never be called, and nobody would say so.

/** A method that is not there, and how it is written. */
interface Known {
  readonly name: string;
  readonly isStatic: boolean;
}

const KNOWN: readonly Known[] = [
  ...["execute", "stream", "initialize", "finalize", "isReady"].map((name) => ({ name, isStatic: false })),
  { name: "autoCompleteConfig", isStatic: true },
];

/** The more letters, the more of them may be wrong. */
const LETTERS_PER_SLIP = 5;
/** Longer names are none of ours, and would take long to compare. */
const LONGEST = 40;

/** How many letters must be changed, put in, left out or swapped with their neighbour to make one name the other. */
function slips(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Whether somebody who wrote `given` may have meant `meant`. Case, "_" and "-" do not count. */
export function resembles(given: string, meant: string): boolean {
  if (given.length > LONGEST) return false;
  const [a, b] = [given, meant].map((name) => name.toLowerCase().replaceAll(/[-_]/g, "")) as [string, string];
  return slips(a, b) <= Math.max(1, Math.floor(b.length / LETTERS_PER_SLIP));
}

function ownMethods(of: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(of))
    .filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
    .map(([name]) => name);
}

/** The names of the methods that the instances of a class have, inherited ones, too. */
export function methodsOf(prototype: object): string[] {
  const names = new Set<string>();
  let at: object | null = prototype;
  while (at !== null && at !== Object.prototype) {
    for (const name of ownMethods(at)) names.add(name);
    at = Object.getPrototypeOf(at) as object | null;
  }
  return [...names];
}

/** A sentence for each method whose name is nearly one that the runtime calls and that the class does not have. */
export function misnamedMethods(found: { readonly prototype: object; readonly name: string }): string[] {
  const methods = methodsOf(found.prototype);
  const statics = ownMethods(found);
  const answers = methods.includes("execute") || methods.includes("stream");
  const sentences: string[] = [];
  for (const { name, isStatic } of KNOWN) {
    if (answers && (name === "execute" || name === "stream")) continue;
    if (isStatic ? name in found : methods.includes(name)) continue;
    for (const given of new Set([...methods, ...statics])) {
      if (KNOWN.some((known) => known.name === given) && given !== name) continue;
      if (!resembles(given, name)) continue;
      const meant = `${isStatic ? "static " : ""}${name}`;
      const kind = statics.includes(given) ? "static method" : "method";
      sentences.push(`The model class has a ${kind} '${given}', which nothing calls. Is '${meant}' meant?`);
    }
  }
  return sentences;
}
