// SPDX-License-Identifier: Apache-2.0
#include "metric_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
  FIRST_CAPACITY = 16,
  MAX_FAMILIES = 1024,
  MAX_METRICS = 1 << 14,
  MAX_LABELS = 64,
  MAX_BUCKETS = 256,
  MAX_NAME_BYTES = 256,
  MAX_TEXT_BYTES = 4096,  // of a description, and of all labels of a metric
};

// Names that say whose they are: Triton's, and this library's.
static const char* const RESERVED[] = {"nv_", "triton_typescript_"};

void tsb_metric_table_init(struct tsb_metric_table* table) {
  *table = (struct tsb_metric_table){0};
  pthread_mutex_init(&table->lock, NULL);
}

void tsb_metric_table_destroy(struct tsb_metric_table* table) {
  for (uint32_t i = 0; i < table->metrics.used; i++) tsb_metric_delete(&table->metrics.slots[i].metric);
  for (uint32_t i = 0; i < table->families.used; i++) {
    if (table->families.slots[i].family != NULL) tsb_metric_family_close(table->families.slots[i].family);
  }
  free(table->metrics.slots);
  free(table->families.slots);
  pthread_mutex_destroy(&table->lock);
}

static bool metric_table__in_use(const struct tsb_metric_slot* slot) {
  return slot->family != NULL || slot->metric.family != NULL;
}

// A slot that is free, which is to be taken or left; NULL: no memory.
static struct tsb_metric_slot* metric_table__free_slot(struct tsb_metric_slots* slots) {
  if (slots->first_free != 0) return &slots->slots[slots->first_free - 1];
  if (slots->used == slots->capacity) {
    uint32_t capacity = slots->capacity == 0 ? FIRST_CAPACITY : 2 * slots->capacity;
    struct tsb_metric_slot* larger = realloc(slots->slots, capacity * sizeof *larger);
    if (larger == NULL) return NULL;
    memset(larger + slots->capacity, 0, (capacity - slots->capacity) * sizeof *larger);
    slots->slots = larger;
    slots->capacity = capacity;
  }
  return &slots->slots[slots->used];
}

static struct tsb_owner metric_table__take(struct tsb_metric_slots* slots, struct tsb_metric_slot* slot,
                                           uint32_t number) {
  if (slots->first_free != 0) {
    slots->first_free = slot->next_free;
  } else {
    slots->used++;
  }
  slots->count++;
  slot->generation++;
  return (struct tsb_owner){.table = number, .index = (uint32_t)(slot - slots->slots), .generation = slot->generation};
}

static void metric_table__give_back(struct tsb_metric_slots* slots, struct tsb_metric_slot* slot) {
  slot->next_free = slots->first_free;
  slots->first_free = (uint32_t)(slot - slots->slots) + 1;
  slots->count--;
}

static struct tsb_metric_slot* metric_table__find(struct tsb_metric_slots* slots, const struct tsb_owner* owner) {
  if (owner->index >= slots->used || owner->item != 0) return NULL;
  struct tsb_metric_slot* slot = &slots->slots[owner->index];
  return metric_table__in_use(slot) && slot->generation == owner->generation ? slot : NULL;
}

static TRITONSERVER_Error* metric_table__out_of_memory(void) {
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while making a metric.");
}

static TRITONSERVER_Error* metric_table__check_family(const struct tsb_metric_table* table, const char* name,
                                                      const char* description) {
  for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++) {
    if (strncmp(name, RESERVED[i], strlen(RESERVED[i])) != 0) continue;
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The metric family '%s' cannot be made: names that begin with '%s' are those of the %s's own "
                         "metrics. Choose another name.",
                         name, RESERVED[i], i == 0 ? "server" : "backend");
  }
  if (strlen(name) > MAX_NAME_BYTES || strlen(description) > MAX_TEXT_BYTES) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "A metric family may have a name of %d bytes and a description of %d, but '%.40s...' has %zu "
                         "and %zu.",
                         MAX_NAME_BYTES, MAX_TEXT_BYTES, name, strlen(name), strlen(description));
  }
  // The server writes it as it is into /metrics, where a line that is none makes a scraper refuse all others.
  if (strpbrk(description, "\r\n") != NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The description of the metric family '%s' has a line break, with which /metrics could not be "
                         "read. Write it in one line.",
                         name);
  }
  if (table->families.count == MAX_FAMILIES) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE,
                         "The metric family '%s' cannot be made: this process has %d families already. Make each of "
                         "them once, and dispose of those that are not needed.",
                         name, MAX_FAMILIES);
  }
  return NULL;
}

TRITONSERVER_Error* tsb_metric_table_add_family(struct tsb_metric_table* table, TRITONSERVER_MetricKind kind,
                                                const char* name, const char* description, struct tsb_owner* owner) {
  pthread_mutex_lock(&table->lock);
  TRITONSERVER_Error* error = metric_table__check_family(table, name, description);
  struct tsb_metric_slot* slot = error == NULL ? metric_table__free_slot(&table->families) : NULL;
  if (error == NULL && slot == NULL) error = metric_table__out_of_memory();
  if (error == NULL) error = tsb_metric_family_open(&slot->family, kind, name, description);
  if (error == NULL) *owner = metric_table__take(&table->families, slot, TSB_TABLE_METRIC_FAMILIES);
  pthread_mutex_unlock(&table->lock);
  return error;
}

static TRITONSERVER_Error* metric_table__check_plan(const struct tsb_metric_table* table,
                                                    const struct tsb_metric_plan* plan) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < plan->label_count; i++)
    bytes += strlen(plan->labels[i].name) + strlen(plan->labels[i].value);
  if (plan->label_count > MAX_LABELS || bytes > MAX_TEXT_BYTES || plan->bucket_count > MAX_BUCKETS) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "A metric may have %d labels of %d bytes together and %d buckets, but this one has %u of %zu "
                         "bytes and %u buckets.",
                         MAX_LABELS, MAX_TEXT_BYTES, MAX_BUCKETS, plan->label_count, bytes, plan->bucket_count);
  }
  if (table->metrics.count < MAX_METRICS) return NULL;
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE,
                       "No more metrics can be made: this process has %d already. Labels are for a few values, not for "
                       "ids; dispose of metrics that are not needed.",
                       MAX_METRICS);
}

TRITONSERVER_Error* tsb_metric_table_add(struct tsb_metric_table* table, const struct tsb_owner* owner_of_family,
                                         const struct tsb_metric_plan* plan, struct tsb_owner* owner) {
  pthread_mutex_lock(&table->lock);
  struct tsb_metric_slot* family = owner_of_family->table == TSB_TABLE_METRIC_FAMILIES
                                       ? metric_table__find(&table->families, owner_of_family)
                                       : NULL;
  TRITONSERVER_Error* error =
      family != NULL ? metric_table__check_plan(table, plan)
                     : tsb_error_new(TRITONSERVER_ERROR_NOT_FOUND, "There is no such metric family any more.");
  struct tsb_metric_slot* slot = error == NULL ? metric_table__free_slot(&table->metrics) : NULL;
  if (error == NULL && slot == NULL) error = metric_table__out_of_memory();
  if (error == NULL) error = tsb_metric_new(&slot->metric, family->family, plan);
  if (error == NULL) {
    slot->of_family = owner_of_family->index;
    *owner = metric_table__take(&table->metrics, slot, TSB_TABLE_METRICS);
  }
  pthread_mutex_unlock(&table->lock);
  return error;
}

static void metric_table__delete(struct tsb_metric_table* table, struct tsb_metric_slot* slot) {
  tsb_metric_delete(&slot->metric);
  metric_table__give_back(&table->metrics, slot);
}

// Its metrics go first.
static int metric_table__delete_family(struct tsb_metric_table* table, const struct tsb_entry* entry) {
  struct tsb_metric_slot* family = metric_table__find(&table->families, &entry->owner);
  if (family == NULL || entry->flags != TSB_METRIC_DELETE) return -EPROTO;
  for (uint32_t i = 0; i < table->metrics.used; i++) {
    struct tsb_metric_slot* slot = &table->metrics.slots[i];
    if (slot->metric.family != NULL && slot->of_family == entry->owner.index) metric_table__delete(table, slot);
  }
  tsb_metric_family_close(family->family);
  family->family = NULL;
  metric_table__give_back(&table->families, family);
  return 0;
}

static void metric_table__answer(const struct tsb_metric* metric, const struct tsb_owner* owner,
                                 struct tsb_entry* answer) {
  double value;
  *answer = (struct tsb_entry){.kind = TSB_ENTRY_METRIC_VALUE, .owner = *owner};
  if (!tsb_metric_value(metric, &value)) answer->flags = TSB_METRIC_VALUE_FAILED;
  memcpy(&answer->value, &value, sizeof value);
}

static int metric_table__apply(struct tsb_metric_table* table, const struct tsb_entry* entry,
                               struct tsb_entry* answer) {
  double value;
  memcpy(&value, &entry->value, sizeof value);
  if (entry->owner.table == TSB_TABLE_METRIC_FAMILIES) return metric_table__delete_family(table, entry);
  struct tsb_metric_slot* slot =
      entry->owner.table == TSB_TABLE_METRICS ? metric_table__find(&table->metrics, &entry->owner) : NULL;
  if (slot == NULL) return -EPROTO;
  switch (entry->flags) {
    case TSB_METRIC_INCREMENT:
      if (!tsb_metric_may_increment(&slot->metric, value)) return -EPROTO;
      tsb_metric_increment(&slot->metric, value);
      return 0;
    case TSB_METRIC_SET:
      if (!tsb_metric_may_set(&slot->metric)) return -EPROTO;
      tsb_metric_set(&slot->metric, value);
      return 0;
    case TSB_METRIC_OBSERVE:
      if (!tsb_metric_may_observe(&slot->metric, value)) return -EPROTO;
      tsb_metric_observe(&slot->metric, value);
      return 0;
    case TSB_METRIC_DELETE: metric_table__delete(table, slot); return 0;
    case TSB_METRIC_ASK: metric_table__answer(&slot->metric, &entry->owner, answer); return 0;
    default: return -EPROTO;
  }
}

int tsb_metric_table_apply(struct tsb_metric_table* table, const struct tsb_entry* entry, struct tsb_entry* answer) {
  if (entry->place.bytes != 0) return -EPROTO;
  pthread_mutex_lock(&table->lock);
  int status = metric_table__apply(table, entry, answer);
  pthread_mutex_unlock(&table->lock);
  return status;
}

int tsb_metric_table_note_answer(struct tsb_metric_table* table, uint64_t position, uint64_t taken) {
  pthread_mutex_lock(&table->lock);
  uint64_t* at = &table->asked_at[table->asks++ % TSB_MAX_METRIC_ASKS];
  int status = *at > taken ? -EPROTO : 0;
  *at = position;
  pthread_mutex_unlock(&table->lock);
  return status;
}
