// SPDX-License-Identifier: Apache-2.0
// What a compiled library asks of the machine that loads it, read from the file itself: 64-bit little-endian ELF.

const MACHINES = { 62: "x86_64", 183: "aarch64" };
const SECTION = { DYNAMIC: 6, VERNEED: 0x6ffffffe };
const NEEDED = 1;

function sectionsOf(bytes) {
  const offset = Number(bytes.readBigUInt64LE(0x28));
  const size = bytes.readUInt16LE(0x3a);
  return Array.from({ length: bytes.readUInt16LE(0x3c) }, (_, i) => {
    const at = offset + i * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      start: Number(bytes.readBigUInt64LE(at + 0x18)),
      length: Number(bytes.readBigUInt64LE(at + 0x20)),
      link: bytes.readUInt32LE(at + 0x28),
      info: bytes.readUInt32LE(at + 0x2c),
    };
  });
}

/** The processor that a library is for, the libraries that it needs, and the versions of symbols that it wants of them. */
export function readElf(bytes) {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error("This is no library for 64-bit Linux.");
  }
  const sections = sectionsOf(bytes);
  const text = (section, offset) => {
    const from = sections[section.link].start + offset;
    return bytes.toString("latin1", from, bytes.indexOf(0, from));
  };
  const needed = [];
  const versions = [];
  for (const section of sections) {
    if (section.type === SECTION.DYNAMIC) {
      for (let at = section.start; at < section.start + section.length; at += 16) {
        if (Number(bytes.readBigInt64LE(at)) === NEEDED) {
          needed.push(text(section, Number(bytes.readBigUInt64LE(at + 8))));
        }
      }
    }
    if (section.type !== SECTION.VERNEED) continue;
    // One record for each library, behind it a list of the versions of its symbols.
    let library = section.start;
    for (let i = 0; i < section.info; i++) {
      let version = library + bytes.readUInt32LE(library + 8);
      for (let j = 0; j < bytes.readUInt16LE(library + 2); j++) {
        versions.push(text(section, bytes.readUInt32LE(version + 8)));
        version += bytes.readUInt32LE(version + 12);
      }
      library += bytes.readUInt32LE(library + 12);
    }
  }
  return { processor: MACHINES[bytes.readUInt16LE(18)] ?? "another", needed, versions: [...new Set(versions)] };
}
