// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

#include <errno.h>
#include <stdlib.h>

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

static bool batch__reserve(struct tsb_batch_slot* slot, uint32_t count) {
  if (slot->request_capacity >= count) return true;
  struct tsb_batch_request* larger = realloc(slot->requests, count * sizeof *larger);
  if (larger == NULL) return false;
  slot->requests = larger;
  slot->request_capacity = count;
  return true;
}

struct tsb_batch_slot* tsb_batch_claim(struct tsb_batch_table* table, TRITONBACKEND_Request** requests,
                                       uint32_t count) {
  struct tsb_batch_slot* slot = table->slots;
  while (slot < table->slots + table->count && slot->in_use) slot++;
  if (slot == table->slots + table->count || !batch__reserve(slot, count)) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    slot->requests[i] = (struct tsb_batch_request){.triton = requests[i], .state = TSB_REQUEST_FILLED};
  }
  slot->in_use = slot->is_executing = true;
  slot->generation++;
  slot->request_count = slot->open_count = count;
  slot->block_bytes = 0;
  slot->batch_size = 0;
  slot->warned = false;
  table->open_count++;
  table->executing_count++;
  table->claims++;
  return slot;
}

struct tsb_owner tsb_batch_owner(const struct tsb_batch_table* table, const struct tsb_batch_slot* slot) {
  return (struct tsb_owner){
      .table = TSB_TABLE_BATCHES, .index = (uint32_t)(slot - table->slots), .generation = slot->generation};
}

void tsb_batch_run(struct tsb_batch_slot* slot) {
  for (uint32_t i = 0; i < slot->request_count; i++) slot->requests[i].state = TSB_REQUEST_RUNNING;
}

struct tsb_batch_slot* tsb_batch_answer(struct tsb_batch_table* table, const struct tsb_owner* owner) {
  if (owner->table != TSB_TABLE_BATCHES || owner->index >= table->count) return NULL;
  struct tsb_batch_slot* slot = &table->slots[owner->index];
  if (!slot->in_use || slot->generation != owner->generation || owner->item >= slot->request_count) return NULL;
  if (slot->requests[owner->item].state != TSB_REQUEST_RUNNING) return NULL;
  slot->requests[owner->item].state = TSB_REQUEST_ANSWERED;
  return slot;
}

bool tsb_batch_note_release(struct tsb_batch_slot* slot, uint32_t item) {
  slot->requests[item].state = TSB_REQUEST_RELEASED;
  return --slot->open_count == 0;
}

void tsb_batch_settle(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  if (!slot->is_executing) return;
  slot->is_executing = false;
  table->executing_count--;
}

void tsb_batch_close(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  tsb_batch_settle(table, slot);
  slot->in_use = false;
  table->open_count--;
}
