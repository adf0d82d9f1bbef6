// SPDX-License-Identifier: Apache-2.0
// Writes zip archives byte by byte, so that tests can make ones that no honest program would.
import { crc32 } from "node:zlib";

export interface ZipMember {
  name: string;
  text: string;
  /** Unix mode, such as 0o120777 for a symbolic link. */
  mode?: number;
}

function header(signature: number, size: number, member: ZipMember, at: number): { view: DataView; bytes: Uint8Array } {
  const name = new TextEncoder().encode(member.name);
  const data = new TextEncoder().encode(member.text);
  const bytes = new Uint8Array(size + name.length);
  const view = new DataView(bytes.buffer);
  bytes.set(name, size);
  view.setUint32(0, signature, true);
  view.setUint16(at, 20, true);
  view.setUint32(at + 10, crc32(data), true);
  view.setUint32(at + 14, data.length, true);
  view.setUint32(at + 18, data.length, true);
  view.setUint16(at + 22, name.length, true);
  return { view, bytes };
}

/** An archive with its members stored as they are. */
export function zipOf(members: readonly ZipMember[]): Buffer {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const member of members) {
    const local = [header(0x04034b50, 30, member, 4).bytes, new TextEncoder().encode(member.text)];
    const { view, bytes } = header(0x02014b50, 46, member, 6);
    view.setUint16(4, (3 << 8) | 20, true); // made on Unix: the upper half of the attributes is a mode
    view.setUint32(38, ((member.mode ?? 0o100644) << 16) >>> 0, true);
    view.setUint32(42, offset, true);
    locals.push(...local);
    central.push(bytes);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, members.length, true);
  end.setUint16(10, members.length, true);
  end.setUint32(
    12,
    central.reduce((sum, part) => sum + part.length, 0),
    true,
  );
  end.setUint32(16, offset, true);
  return Buffer.concat([...locals, ...central, new Uint8Array(end.buffer)]);
}
