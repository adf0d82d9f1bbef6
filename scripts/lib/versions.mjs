// SPDX-License-Identifier: Apache-2.0

/** True when the first version, of numbers with dots between them, is newer than the second. */
export function newerVersion(version, other) {
  const [left, right] = [version, other].map((text) => text.split(".").map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
