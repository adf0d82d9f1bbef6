// SPDX-License-Identifier: Apache-2.0
// What must hold of each native part of a release.
import { readElf } from "./elf.mjs";
import { newerVersion } from "./versions.mjs";

/** Libraries that glibc brings. */
const GLIBC = /^(lib(c|m|dl|rt|pthread)\.so\.\d+|ld-linux-[\w-]+\.so\.\d+)$/;

/**
 * A sentence for everything that is wrong with a part: for another processor, not loadable where glibc is the oldest one, in need of
 * libraries that may not be there, with paths of the machine that made it. `places` are such paths.
 */
export function releaseProblems(name, bytes, { processor, glibc, places }) {
  const elf = readElf(bytes);
  const problems = [];
  if (elf.processor !== processor) problems.push(`${name} is for ${elf.processor} processors, not for ${processor}.`);
  for (const version of elf.versions) {
    const [, number] = /^GLIBC_([\d.]+)$/.exec(version) ?? [];
    if (number === undefined) {
      problems.push(`${name} needs symbols of ${version}, which are none of glibc's.`);
    } else if (newerVersion(number, glibc)) {
      problems.push(`${name} needs symbols of ${version}, but is to run where glibc is ${glibc}.`);
    }
  }
  for (const library of elf.needed) {
    if (!GLIBC.test(library)) problems.push(`${name} needs ${library}, which not every system has.`);
  }
  for (const place of places) {
    if (bytes.includes(place)) problems.push(`${name} holds a path of the machine that it was made on: ${place}.`);
  }
  return problems;
}
