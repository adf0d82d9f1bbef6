// SPDX-License-Identifier: Apache-2.0
// Everything that is fetched is pinned here and nowhere else.

/** The Python wheel that carries a complete tritonserver. */
export const serverWheel = {
  package: "nvidia-pytriton",
  version: "0.7.0",
  fileName: "nvidia_pytriton-0.7.0-py3-none-manylinux_2_35_x86_64.whl",
  sha256: "21f063ff93bb426d0c06b7a55e7eb9efcfe62c0dddd9a908e9877e18710128df",
  bytes: 55369373,
  /** Of the list of its unpacked files, see file_list.ts. */
  filesSha256: "36212df42b756f67e0300e6f342002a087abb79ae22698063ed9a37d3ba5da7b",
  platform: "manylinux_2_35_x86_64",
  pythonVersion: "3.11",
  glibc: "2.35",
  tritonVersion: "2.51.0",
} as const;

/** The places inside the wheel that are unpacked; the rest is PyTriton's own Python code. */
export const wheelParts = [
  "pytriton/tritonserver/",
  "nvidia_pytriton.libs/",
  "nvidia_pytriton-0.7.0.dist-info/",
] as const;

/** Files that lose their execute bit in the wheel. */
export const wheelExecutables = /^pytriton\/tritonserver\/(bin\/[^/]+|.*\/triton_python_backend_stub)$/;
