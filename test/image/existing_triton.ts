// SPDX-License-Identifier: Apache-2.0
// A stand-in for NVIDIA's image, which no registry gives here: the embedded server laid out in /opt/tritonserver as it is there,
// with the same variables, on Debian. Official headers come into it when TRITON_INCLUDE_DIR names their folder.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { IMAGE } from "./images.ts";
import { BASE, build, work } from "./podman.ts";

export const EXISTING_TRITON = "localhost/existing-triton:latest";

const DOCKERFILE = `FROM ${IMAGE} AS ours
FROM ${BASE}
COPY --from=ours /opt/triton-typescript/cache/triton-typescript/servers/*/pytriton/tritonserver /opt/tritonserver
COPY --from=ours /opt/triton-typescript/cache/triton-typescript/servers/*/nvidia_pytriton.libs /opt/tritonserver/lib
COPY include /opt/tritonserver/include
ENV PATH=/opt/tritonserver/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    LD_LIBRARY_PATH=/opt/tritonserver/lib
RUN mkdir -p /opt/tritonserver/backends && ldd /opt/tritonserver/bin/tritonserver | grep -c 'not found' | grep -qx 0
WORKDIR /opt/tritonserver
`;

/** Builds the stand-in. */
export async function buildExistingTriton(): Promise<void> {
  const folder = mkdtempSync(path.join(work, "existing-"));
  try {
    const headers = process.env["TRITON_INCLUDE_DIR"];
    mkdirSync(path.join(folder, "include"));
    if (headers) cpSync(headers, path.join(folder, "include"), { recursive: true });
    writeFileSync(path.join(folder, "Dockerfile"), DOCKERFILE);
    await build(EXISTING_TRITON, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
