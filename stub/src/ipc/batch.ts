// SPDX-License-Identifier: Apache-2.0
import { type InferenceRequest, requestFromSource } from "../api/request.ts";
import * as L from "../protocol/layout.gen.ts";
import type { Entry } from "./entries.ts";
import { type Arrival, RequestLife } from "./request_life.ts";
import type { NameTables } from "./request_record.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** How batches are read. */
export interface BatchSettings {
  readonly tables: NameTables;
  readonly strictViews: boolean;
}

/** Requests that came together and that `execute` gets together. Each of them ends by itself. */
export class Batch implements Arrival {
  readonly memory: SharedMemory;
  readonly tables: NameTables;
  readonly strictViews: boolean;
  readonly table: number;
  readonly index: number;
  readonly generation: number;
  /** As the runtime knows the requests. */
  readonly lives: readonly RequestLife[];
  /** As the model knows them; the array is the model's to empty. */
  readonly requests: InferenceRequest[];
  /** `execute` has settled: the batch is not being executed any more, though its requests may be open still. */
  settled = false;

  /** Reads the batch that an EXECUTE entry points at. */
  constructor(memory: SharedMemory, { tables, strictViews }: BatchSettings, entry: Entry) {
    this.memory = memory;
    this.tables = tables;
    this.strictViews = strictViews;
    this.table = entry.table;
    this.index = entry.index;
    this.generation = entry.generation;
    const { offset, bytes } = entry.place;
    const region = memory.region(entry.place.region);
    const limit = offset + bytes;
    const count = region.u32[(offset + L.BATCH_REQUEST_COUNT) / 4]!;
    if (!(count * L.REQUEST_SIZE < bytes))
      throw new Error(`The server sent a batch of ${count} requests in ${bytes} bytes.`);
    const lives = new Array<RequestLife>(count);
    const requests = new Array<InferenceRequest>(count);
    let at = offset + L.BATCH_SIZE;
    for (let i = 0; i < count; i++) {
      const life = new RequestLife(this, i, region, at, limit);
      lives[i] = life;
      requests[i] = requestFromSource(life);
      at = life.end;
    }
    this.lives = lives;
    this.requests = requests;
  }
}
