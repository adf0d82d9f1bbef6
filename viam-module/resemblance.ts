// SPDX-License-Identifier: Apache-2.0
// Finds what somebody meant who mistyped a name.

/** How many letters must be changed, put in, left out or swapped with their neighbour to make one text the other. */
export function distance(a: string, b: string): number {
  let last: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const steps = [row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + change];
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) steps.push(last[j - 2]! + 1);
      next.push(Math.min(...steps));
    }
    last = row;
    row = next;
  }
  return row[b.length]!;
}

/** Longer texts are no names that somebody typed, and would take long to compare. */
const longest = 200;

/** The name that is most like `typed`, or undefined when none is like it. Case, "_", "-" and blanks do not count. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  if (typed.length > longest) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_\s]/g, "");
  const asked = plain(typed);
  const found = names.map((name) => ({ name, far: distance(asked, plain(name)) })).sort((a, b) => a.far - b.far)[0];
  if (found === undefined) return undefined;
  return found.far <= Math.max(1, Math.floor(found.name.length / 3)) ? found.name : undefined;
}

/** A sentence with a blank before it that names what was meant; nothing when that is not clear. */
export function didYouMean(typed: string, names: readonly string[]): string {
  const name = nearest(typed, names);
  return name === undefined ? "" : ` Did you mean ${JSON.stringify(name)}?`;
}
