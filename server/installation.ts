// SPDX-License-Identifier: Apache-2.0

/** A tritonserver to run, and what belongs to it. */
export interface Installation {
  kind: "embedded" | "installed";
  /** The tritonserver binary. */
  binary: string;
  /** Folders for LD_LIBRARY_PATH, before the user's own. */
  libraryPath: string[];
  /** A folder of compiled backends that comes with it. */
  backendDirectory?: string;
  /** The folder of its response caches. */
  cacheDirectory?: string;
  /** The folder of its repository agents. */
  agentDirectory?: string;
}
