// SPDX-License-Identifier: Apache-2.0
// The metrics that one stub has made, by how it names them. What a stub names is looked up, never believed; how much it
// may make is bounded. Any thread may use it.
#ifndef TSB_METRIC_TABLE_H
#define TSB_METRIC_TABLE_H

#include <pthread.h>

#include "metric_family.h"
#include "tsb_protocol.h"

// A slot of either table.
struct tsb_metric_slot {
  uint32_t generation;
  uint32_t next_free;                // index + 1; of a slot that is not in use
  uint32_t of_family;                // index; of a metric
  struct tsb_metric_family* family;  // of a family; NULL: not in use
  struct tsb_metric metric;          // of a metric
};

struct tsb_metric_slots {
  struct tsb_metric_slot* slots;
  uint32_t capacity, used, first_free, count;
};

struct tsb_metric_table {
  pthread_mutex_t lock;  // of all below; process-local; only the lock of families comes after it
  struct tsb_metric_slots families, metrics;
  uint64_t asked_at[TSB_MAX_METRIC_ASKS];  // where the answers to the last questions stand in the ring to the stub
  uint64_t asks;
};

void tsb_metric_table_init(struct tsb_metric_table* table);
// Deletes all of it: metrics first, then families.
void tsb_metric_table_destroy(struct tsb_metric_table* table);

// Makes a family, or a metric of one, and says how the stub is to name it.
TRITONSERVER_Error* tsb_metric_table_add_family(struct tsb_metric_table* table, TRITONSERVER_MetricKind kind,
                                                const char* name, const char* description, struct tsb_owner* owner);
TRITONSERVER_Error* tsb_metric_table_add(struct tsb_metric_table* table, const struct tsb_owner* family,
                                         const struct tsb_metric_plan* plan, struct tsb_owner* owner);
// Does what a METRIC entry says. With ASK *answer is the entry for the stub. 0, or -EPROTO: no correct stub writes
// that.
int tsb_metric_table_apply(struct tsb_metric_table* table, const struct tsb_entry* entry, struct tsb_entry* answer);
// Writes down that an answer is the entry before `position` of the ring to the stub, of which it has taken `taken`.
// 0, or -EPROTO: it asks without reading the answers.
int tsb_metric_table_note_answer(struct tsb_metric_table* table, uint64_t position, uint64_t taken);

#endif
