// SPDX-License-Identifier: Apache-2.0
// Stands in the place of a worker thread's own file; see thread_preload.ts.
import { importer } from "./thread_preload.ts";

await importer.import();
