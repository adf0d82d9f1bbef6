// SPDX-License-Identifier: Apache-2.0
#include "wait_cycle.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "text.h"

enum {
  OLD_LOOKS = 3,    // ticks for which a call has waited before it is taken for one that may wait for ever
  MAX_TARGETS = 4,  // models that one batch calls; more are not looked at
};

// The models that a call may be executed by: all of this name, of any version if that is -1.
struct target {
  const char* name;  // of a model of the backend
  int64_t version;
};

// A batch that is executed, and what its calls wait for.
struct waiting_batch {
  uint32_t generation;
  uint32_t target_count;
  struct target targets[MAX_TARGETS];
};

// An instance as it is at this moment. `is_stuck` is what is to be found out: whether it will never take another batch.
struct node {
  struct tsb_instance* instance;
  bool is_stuck;
  bool is_known;  // the log was told of it
  bool is_on_path;
  struct waiting_batch* batches;  // by their index in the instance's table
  uint32_t batch_count;
};

struct graph {
  struct node* nodes;
  uint32_t count;
};

static bool wait_cycle__is_full(const struct tsb_instance* instance) {
  return instance->state == TSB_INSTANCE_RUNNING && instance->stub != NULL &&
         instance->batches.executing_count >= instance->concurrency;
}

static bool wait_cycle__may_take(const struct node* node, const struct target* target) {
  const struct tsb_model* model = node->instance->model;
  return strcmp(model->name, target->name) == 0 &&
         (target->version == -1 || (uint64_t)target->version == model->version);
}

// The name of a model of the backend that a call is of, which stays; NULL: there is none.
static const char* wait_cycle__name(const struct graph* graph, const struct tsb_open_call* call) {
  const struct target target = {call->model, call->model_version};
  for (uint32_t i = 0; i < graph->count; i++) {
    if (wait_cycle__may_take(&graph->nodes[i], &target)) return graph->nodes[i].instance->model->name;
  }
  return NULL;
}

static void wait_cycle__add_target(struct waiting_batch* batch, struct target target) {
  for (uint32_t i = 0; i < batch->target_count; i++) {
    if (batch->targets[i].name == target.name && batch->targets[i].version == target.version) return;
  }
  if (batch->target_count < MAX_TARGETS) batch->targets[batch->target_count++] = target;
}

// Whether a call has waited for long, and for which batch that is executed: the index of one, or UINT32_MAX.
static uint32_t wait_cycle__batch_of(const struct tsb_batch_table* batches, const struct tsb_open_call* call) {
  const struct tsb_owner* parent = &call->parent;
  if (!call->was_sent || call->looks < OLD_LOOKS || parent->table != TSB_TABLE_BATCHES ||
      parent->index >= batches->used_count) {
    return UINT32_MAX;
  }
  const struct tsb_batch_slot* slot = &batches->slots[parent->index];
  bool is_executed = slot->in_use && slot->is_executing && slot->generation == parent->generation;
  return is_executed ? parent->index : UINT32_MAX;
}

// Writes down what the instance of a node waits for. False: out of memory. The caller holds the instance's lock.
static bool wait_cycle__read_calls(const struct graph* graph, struct node* node) {
  struct tsb_batch_table* batches = &node->instance->batches;
  struct tsb_open_calls* calls = &node->instance->stub->calls;
  struct target last = {NULL, -1};
  const char* last_name = "";  // as the last call has it, which the next one probably has, too
  node->batch_count = batches->used_count;
  node->batches = calloc(node->batch_count, sizeof *node->batches);
  if (node->batches == NULL) return false;
  pthread_mutex_lock(&calls->lock);
  for (uint32_t i = 0; i < calls->capacity; i++) {
    const struct tsb_open_call* call = calls->calls[i];
    uint32_t index = call == NULL ? UINT32_MAX : wait_cycle__batch_of(batches, call);
    if (index == UINT32_MAX) continue;
    if (call->model_version != last.version || strcmp(call->model, last_name) != 0) {
      last = (struct target){wait_cycle__name(graph, call), call->model_version};
      last_name = call->model;
    }
    if (last.name == NULL) continue;
    node->batches[index].generation = call->parent.generation;
    node->is_known |= batches->slots[index].is_in_cycle;
    wait_cycle__add_target(&node->batches[index], last);
  }
  pthread_mutex_unlock(&calls->lock);
  return true;
}

// The caller holds the backend's lock of instances, so none of them goes.
static bool wait_cycle__read(struct graph* graph, struct tsb_backend* backend) {
  uint32_t count = 0;
  for (struct tsb_instance* at = backend->instances; at != NULL; at = at->next_of_backend) count++;
  *graph = (struct graph){.nodes = calloc(count, sizeof *graph->nodes), .count = count};
  if (graph->nodes == NULL) return false;
  struct node* node = graph->nodes;
  for (struct tsb_instance* at = backend->instances; at != NULL; at = at->next_of_backend) (node++)->instance = at;
  bool all_read = true;
  for (uint32_t i = 0; i < count && all_read; i++) {
    node = &graph->nodes[i];
    pthread_mutex_lock(&node->instance->lock);
    node->is_stuck = wait_cycle__is_full(node->instance);
    if (node->is_stuck) all_read = wait_cycle__read_calls(graph, node);
    pthread_mutex_unlock(&node->instance->lock);
  }
  return all_read;
}

static void wait_cycle__free(struct graph* graph) {
  for (uint32_t i = 0; graph->nodes != NULL && i < graph->count; i++) free(graph->nodes[i].batches);
  free(graph->nodes);
}

// Whether nobody will ever execute a call of this target; *first is one of those who should.
static bool wait_cycle__is_lost(const struct graph* graph, const struct target* target, uint32_t* first) {
  *first = UINT32_MAX;
  for (uint32_t i = 0; i < graph->count; i++) {
    if (!wait_cycle__may_take(&graph->nodes[i], target)) continue;
    if (!graph->nodes[i].is_stuck) return false;
    if (*first == UINT32_MAX) *first = i;
  }
  return *first != UINT32_MAX;
}

// Who should execute a call that a batch waits for in vain, or UINT32_MAX: it waits for none.
static uint32_t wait_cycle__next_of_batch(const struct graph* graph, const struct waiting_batch* batch) {
  for (uint32_t i = 0; i < batch->target_count; i++) {
    uint32_t next;
    if (wait_cycle__is_lost(graph, &batch->targets[i], &next)) return next;
  }
  return UINT32_MAX;
}

// How many batches of an instance wait in vain; *next is who should execute a call of the first.
static uint32_t wait_cycle__count_lost(const struct graph* graph, const struct node* node, uint32_t* next) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < node->batch_count; i++) {
    uint32_t at = wait_cycle__next_of_batch(graph, &node->batches[i]);
    if (at != UINT32_MAX && count++ == 0) *next = at;
  }
  return count;
}

// Who is full is stuck, unless one of the batches that it executes may end; that frees others in turn.
static void wait_cycle__find_stuck(struct graph* graph) {
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = 0; i < graph->count; i++) {
      struct node* node = &graph->nodes[i];
      uint32_t next;
      if (!node->is_stuck || wait_cycle__count_lost(graph, node, &next) >= node->instance->concurrency) continue;
      node->is_stuck = false;
      changed = true;
    }
  }
}

// The next warning is about another wait.
static void wait_cycle__note(const struct node* node) {
  pthread_mutex_lock(&node->instance->lock);
  for (uint32_t i = 0; i < node->batch_count; i++) {
    struct tsb_batch_slot* slot = &node->instance->batches.slots[i];
    if (node->batches[i].target_count > 0 && slot->in_use && slot->generation == node->batches[i].generation) {
      slot->is_in_cycle = true;
    }
  }
  pthread_mutex_unlock(&node->instance->lock);
}

static void wait_cycle__warn(const char* path, const char* first, uint32_t length) {
  if (length == 1) {
    TSB_LOG(WARN,
            "Model '%s' waits for itself: all of its instances are held by requests that wait for calls of it, so none "
            "of these calls will ever be executed. Give it another instance (instance_group) or MAX_IN_FLIGHT_BATCHES, "
            "or end such waits by EXECUTE_TIMEOUT_SECONDS.",
            first);
  } else {
    TSB_LOG(WARN,
            "Models wait for each other, %s: all of their instances are held by requests that wait for calls of the "
            "next one, so none of these calls will ever be executed. Give one of them another instance "
            "(instance_group) or MAX_IN_FLIGHT_BATCHES, or end such waits by EXECUTE_TIMEOUT_SECONDS.",
            path);
  }
}

// Follows who waits for whom from a stuck instance until it has been there before, and tells the log of that circle.
static void wait_cycle__tell(struct graph* graph, uint32_t start) {
  struct tsb_text path = {0};
  uint32_t at = start, length = 0;
  bool is_known = false;
  for (; !graph->nodes[at].is_on_path; wait_cycle__count_lost(graph, &graph->nodes[at], &at)) {
    graph->nodes[at].is_on_path = true;
  }
  uint32_t first = at;
  do {
    struct node* node = &graph->nodes[at];
    is_known |= node->is_known;
    tsb_text_printf(&path, "'%s' -> ", node->instance->model->name);
    length++;
    wait_cycle__count_lost(graph, node, &at);
  } while (at != first);
  tsb_text_printf(&path, "'%s'", graph->nodes[first].instance->model->name);
  if (!is_known) {
    wait_cycle__warn(tsb_text_get(&path), graph->nodes[first].instance->model->name, length);
    do {
      wait_cycle__note(&graph->nodes[at]);
      wait_cycle__count_lost(graph, &graph->nodes[at], &at);
    } while (at != first);
  }
  tsb_text_free(&path);
}

static void wait_cycle__search(struct tsb_instance* instance) {
  struct tsb_backend* backend = instance->model->backend;
  struct graph graph;
  pthread_mutex_lock(&backend->instances_lock);
  if (wait_cycle__read(&graph, backend)) {
    wait_cycle__find_stuck(&graph);
    for (uint32_t i = 0; i < graph.count; i++) {
      if (graph.nodes[i].instance == instance && graph.nodes[i].is_stuck) wait_cycle__tell(&graph, i);
    }
  }
  wait_cycle__free(&graph);
  pthread_mutex_unlock(&backend->instances_lock);
}

// Counts a tick for each call of a full instance. Whether one has waited for so long that it is time to search.
static bool wait_cycle__has_old_calls(struct tsb_instance* instance) {
  bool has_old = false;
  pthread_mutex_lock(&instance->lock);
  if (wait_cycle__is_full(instance)) {
    struct tsb_open_calls* calls = &instance->stub->calls;
    pthread_mutex_lock(&calls->lock);
    for (uint32_t i = 0; calls->count > 0 && i < calls->capacity; i++) {
      struct tsb_open_call* call = calls->calls[i];
      if (call == NULL) continue;
      if (call->looks < OLD_LOOKS) call->looks++;
      has_old |= wait_cycle__batch_of(&instance->batches, call) != UINT32_MAX;
    }
    pthread_mutex_unlock(&calls->lock);
  }
  pthread_mutex_unlock(&instance->lock);
  return has_old;
}

void tsb_wait_cycle_look(struct tsb_instance* instance) {
  if (wait_cycle__has_old_calls(instance)) wait_cycle__search(instance);
}
