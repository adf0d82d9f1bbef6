// SPDX-License-Identifier: Apache-2.0

/** The part of the built-in `Float16Array` that is used here; not every library of types declares it. */
type Float16ArrayConstructor = {
  new (source: ArrayLike<number>): { readonly buffer: ArrayBuffer };
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ArrayLike<number>;
};

const NativeFloat16Array = (globalThis as { Float16Array?: Float16ArrayConstructor }).Float16Array;

/** Converts raw FP16 values to 32-bit floats; exact for every value. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  if (NativeFloat16Array === undefined) return float16ToFloat32Portable(bits);
  const source = new NativeFloat16Array(bits.buffer, bits.byteOffset, bits.length);
  const out = new Float32Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = source[i]!;
  return out;
}

/** Converts 32-bit floats to raw FP16 values, to the nearest one and ties to the even one; too large becomes infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  if (NativeFloat16Array === undefined) return float32ToFloat16Portable(values);
  return new Uint16Array(new NativeFloat16Array(values).buffer);
}

let float32BitsByHalf: Uint32Array | undefined;

/** The 32-bit float of every one of the 65536 raw FP16 values, as bits. */
function halfTable(): Uint32Array {
  if (float32BitsByHalf !== undefined) return float32BitsByHalf;
  const table = new Float32Array(1 << 16);
  for (let exponent = 0; exponent < 31; exponent++) {
    // Subnormals have the exponent of the smallest normal number and no leading one.
    const leading = exponent === 0 ? 0 : 1024;
    const scale = 2 ** (Math.max(exponent, 1) - 25);
    for (let mantissa = 0; mantissa < 1024; mantissa++) {
      const value = (leading + mantissa) * scale;
      table[(exponent << 10) | mantissa] = value;
      table[0x8000 | (exponent << 10) | mantissa] = -value;
    }
  }
  const bits = new Uint32Array(table.buffer);
  for (let mantissa = 0; mantissa < 1024; mantissa++) {
    // Infinity, and every NaN as a quiet one.
    const special = 0x7f800000 | (mantissa << 13) | (mantissa === 0 ? 0 : 0x00400000);
    bits[0x7c00 | mantissa] = special;
    bits[0xfc00 | mantissa] = special | 0x80000000;
  }
  float32BitsByHalf = bits;
  return bits;
}

/** `float16ToFloat32` for a runtime without `Float16Array`. */
export function float16ToFloat32Portable(bits: Uint16Array): Float32Array {
  const table = halfTable();
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]!]!;
  return new Float32Array(out.buffer);
}

function halfFromFloat32Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65520 on, the nearest FP16 value is infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: move the exponent's bias from 127 to 15 and round the 13 bits that go.
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  const exponent = magnitude >>> 23;
  // Below half of the smallest subnormal (2^-25) nothing is left but the sign.
  if (exponent < 102) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** `float32ToFloat16` for a runtime without `Float16Array`. */
export function float32ToFloat16Portable(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = halfFromFloat32Bits(source[i]!);
  return out;
}

/** Converts raw BF16 values to 32-bit floats, of which they are the upper halves; exact for every value. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/** Converts 32-bit floats to raw BF16 values, to the nearest one and ties to the even one; a NaN stays a NaN. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(source.length);
  for (let i = 0; i < out.length; i++) {
    const bits = source[i]!;
    // Rounding could carry a NaN over into infinity or the other sign: it is cut off instead, and made a quiet NaN.
    const notANumber = (bits & 0x7fffffff) > 0x7f800000;
    out[i] = notANumber ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return out;
}
