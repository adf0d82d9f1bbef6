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

// A slot that was in use before is taken first, so that those who look at all slots look at few.
static struct tsb_batch_slot* batch__take_free(struct tsb_batch_table* table) {
  if (table->first_free == 0) return table->used_count < table->count ? &table->slots[table->used_count++] : NULL;
  struct tsb_batch_slot* slot = &table->slots[table->first_free - 1];
  table->first_free = slot->next_free;
  return slot;
}

static void batch__put_free(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  slot->in_use = false;
  slot->next_free = table->first_free;
  table->first_free = (uint32_t)(slot - table->slots) + 1;
}

struct tsb_batch_slot* tsb_batch_claim(struct tsb_batch_table* table, TRITONBACKEND_Request** requests,
                                       uint32_t count) {
  struct tsb_batch_slot* slot = batch__take_free(table);
  if (slot == NULL) return NULL;
  if (!batch__reserve(slot, count)) {
    batch__put_free(table, slot);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    slot->requests[i] = (struct tsb_batch_request){.triton = requests[i], .state = TSB_REQUEST_FILLED};
  }
  slot->in_use = slot->is_executing = true;
  slot->generation++;
  slot->request_count = slot->open_count = count;
  slot->block_bytes = 0;
  slot->batch_size = slot->waited_ns = 0;
  slot->warned = slot->is_in_cycle = false;
  table->open_count++;
  table->request_count += count;
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

static struct tsb_batch_slot* batch__find(struct tsb_batch_table* table, const struct tsb_owner* owner) {
  if (owner->table != TSB_TABLE_BATCHES || owner->index >= table->used_count) return NULL;
  struct tsb_batch_slot* slot = &table->slots[owner->index];
  bool is_named = slot->in_use && slot->generation == owner->generation && owner->item < slot->request_count;
  return is_named ? slot : NULL;
}

void tsb_batch_take(struct tsb_batch_table* table, struct tsb_batch_slot* slot, uint32_t item) {
  slot->requests[item].state = TSB_REQUEST_ANSWERED;
  table->request_count--;
}

struct tsb_batch_slot* tsb_batch_answer(struct tsb_batch_table* table, const struct tsb_owner* owner, bool ends) {
  struct tsb_batch_slot* slot = batch__find(table, owner);
  if (slot == NULL || slot->requests[owner->item].state != TSB_REQUEST_RUNNING) return NULL;
  if (ends) tsb_batch_take(table, slot, owner->item);
  return slot;
}

struct tsb_batch_slot* tsb_batch_executing(struct tsb_batch_table* table, const struct tsb_owner* owner) {
  struct tsb_batch_slot* slot = batch__find(table, owner);
  // A slot whose block is not written yet is executing, too, but the stub does not know of it.
  bool is_known = slot != NULL && owner->item == 0 && slot->requests[0].state != TSB_REQUEST_FILLED;
  return is_known && slot->is_executing ? slot : NULL;
}

bool tsb_batch_note_release(struct tsb_batch_slot* slot) { return --slot->open_count == 0; }

void tsb_batch_settle(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  if (!slot->is_executing) return;
  slot->is_executing = false;
  table->executing_count--;
}

void tsb_batch_close(struct tsb_batch_table* table, struct tsb_batch_slot* slot) {
  tsb_batch_settle(table, slot);
  for (uint32_t i = 0; i < slot->request_count; i++) {  // of a batch that was never handed over
    if (slot->requests[i].state < TSB_REQUEST_ANSWERED) tsb_batch_take(table, slot, i);
  }
  batch__put_free(table, slot);
  table->open_count--;
}
