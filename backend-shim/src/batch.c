// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tsb_batch_table_init(struct tsb_batch_table* table, uint32_t count) {
  *table = (struct tsb_batch_table){.slots = calloc(count, sizeof *table->slots), .count = count};
  return table->slots == NULL ? -ENOMEM : 0;
}

void tsb_batch_table_free(struct tsb_batch_table* table) {
  for (uint32_t i = 0; i < table->count; i++) {
    free(table->slots[i].requests);
    tsb_loans_free(&table->slots[i].loans);
  }
  free(table->slots);
  *table = (struct tsb_batch_table){0};
}

struct tsb_batch_slot* tsb_batch_claim(struct tsb_batch_table* table, TRITONBACKEND_Request** requests,
                                       uint32_t count) {
  struct tsb_batch_slot* slot = table->slots;
  while (slot < table->slots + table->count && slot->in_use) slot++;
  if (slot == table->slots + table->count) return NULL;
  if (slot->request_capacity < count) {
    TRITONBACKEND_Request** larger = realloc(slot->requests, count * sizeof *larger);
    if (larger == NULL) return NULL;
    slot->requests = larger;
    slot->request_capacity = count;
  }
  memcpy(slot->requests, requests, count * sizeof *requests);
  slot->in_use = true;
  slot->sent = false;
  slot->generation++;
  slot->request_count = slot->unanswered = count;
  slot->block_bytes = 0;
  slot->batch_size = 0;
  slot->warned = false;
  table->in_flight++;
  table->claims++;
  return slot;
}

TRITONBACKEND_Request* tsb_batch_request(struct tsb_batch_table* table, const struct tsb_owner* owner) {
  if (owner->table != TSB_TABLE_BATCHES || owner->index >= table->count) return NULL;
  const struct tsb_batch_slot* slot = &table->slots[owner->index];
  if (!slot->in_use || !slot->sent || slot->generation != owner->generation) return NULL;
  return owner->item < slot->request_count ? slot->requests[owner->item] : NULL;
}

struct tsb_owner tsb_batch_owner(const struct tsb_batch_table* table, const struct tsb_batch_slot* slot) {
  return (struct tsb_owner){
      .table = TSB_TABLE_BATCHES, .index = (uint32_t)(slot - table->slots), .generation = slot->generation};
}

void tsb_batch_release(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  slot->in_use = false;
  table->in_flight--;
}
