// SPDX-License-Identifier: Apache-2.0
#include "execute.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "answers.h"
#include "barrier.h"
#include "cancels.h"
#include "log_levels.h"
#include "reader.h"

enum { DOWN_PAUSE_MS = 100 };

static struct tsb_batch_slot* execute__claim(struct tsb_instance* instance, TRITONBACKEND_Request** requests,
                                             uint32_t count, uint64_t exec_start_ns) {
  int64_t limit_ms = instance->model->settings.execute_timeout_ms;
  pthread_mutex_lock(&instance->lock);
  struct tsb_batch_slot* slot = tsb_batch_claim(&instance->batches, requests, count);
  if (slot != NULL) {
    slot->exec_start_ns = slot->compute_start_ns = exec_start_ns;
    slot->deadline_ns = limit_ms > 0 ? exec_start_ns + (uint64_t)limit_ms * 1000000u : 0;
    // The supervisor stops the timer when it ticks and nothing is in flight: at most one start a tick, however many
    // batches.
    if (instance->ticking == TSB_TICKING_NOT) tsb_instance_tick(instance, TSB_TICKING_SLOWLY);
  }
  pthread_mutex_unlock(&instance->lock);
  return slot;
}

static TRITONSERVER_Error* execute__memory_error(const struct tsb_instance* instance, uint64_t bytes, int status) {
  // A new region could not be announced: the stub died, and the supervisor is about to notice.
  if (status == -EPIPE || status == -ECONNRESET) {
    return tsb_instance_error_unhealthy(instance, "It closed its connection to the server.");
  }
  if (status == -ENOMEM) {
    return tsb_error_new(
        TRITONSERVER_ERROR_UNAVAILABLE,
        "Failed to increase the shared memory pool size of '%s': a batch of %llu bytes does not fit into the "
        "limit of %llu bytes. Raise --backend-config=typescript,shm-max-byte-size or send smaller requests.",
        instance->name, (unsigned long long)bytes, (unsigned long long)instance->model->settings.shm_max_bytes);
  }
  return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Failed to increase the shared memory pool size of '%s': %s.",
                       instance->name, tsb_error_reason(status));
}

struct execute__lending {
  struct tsb_stub* stub;
  struct tsb_batch_slot* slot;
};

static int execute__lend(void* context, uint32_t request, const void* data, uint64_t bytes, struct tsb_place* place) {
  const struct execute__lending* lending = context;
  return tsb_stub_memory_lend(&lending->stub->memory, &lending->slot->loans, request, data, bytes, place);
}

// Streams of one batch may end at very different times, so each has its inputs in a block of its own. 0 or negative.
static int execute__set_apart(struct tsb_instance* instance, struct tsb_stub* stub, struct tsb_batch_slot* slot) {
  struct tsb_encoder* encoder = &instance->encoder;
  for (uint32_t i = 0; i < slot->request_count; i++) {
    struct tsb_batch_request* request = &slot->requests[i];
    uint64_t bytes = encoder->requests[i].data_bytes;
    if (bytes == 0) continue;
    int status = tsb_stub_memory_alloc(&stub->memory, bytes, &request->data);
    if (status < 0) return status;
    request->data_bytes = bytes;
    tsb_encoder_set_apart(encoder, i, &request->data);
  }
  return 0;
}

// Copies a batch into shared memory, but for what can be lent, and gives it to the stub.
static TRITONSERVER_Error* execute__send(struct tsb_instance* instance, struct tsb_stub* stub,
                                         struct tsb_batch_slot* slot) {
  struct execute__lending lending = {stub, slot};
  int status = tsb_encoder_lend_inputs(&instance->encoder, execute__lend, &lending);
  uint64_t all_bytes = tsb_encoder_bytes(&instance->encoder);
  if (status == 0 && instance->model->is_decoupled && slot->request_count > 1) {
    status = execute__set_apart(instance, stub, slot);
  }
  uint64_t bytes = tsb_encoder_bytes(&instance->encoder);
  if (status == 0) status = tsb_stub_memory_alloc(&stub->memory, bytes, &slot->block);
  if (status < 0) return execute__memory_error(instance, all_bytes, status);
  slot->block_bytes = bytes;
  slot->batch_size = tsb_encoder_write(&instance->encoder, &slot->block, instance->model->max_batch_size > 0);
  for (uint32_t i = 0; i < slot->request_count; i++) slot->requests[i].record = instance->encoder.requests[i].record;
  tsb_cancels_note(slot);
  struct tsb_entry entry = {.kind = TSB_ENTRY_EXECUTE,
                            .flags = tsb_pace_is_sparse(instance->at_once_share) ? TSB_EXECUTE_SPARSE : 0,
                            .owner = tsb_batch_owner(&instance->batches, slot),
                            .place = {.region = slot->block.region, .offset = slot->block.offset, .bytes = bytes}};
  slot->compute_start_ns = tsb_now_ns();
  tsb_log_levels_tell(stub->memory.control);
  // From here on the thread that reads answers may take the requests, even if a stub guesses the entry before it is
  // published.
  pthread_mutex_lock(&instance->lock);
  tsb_batch_run(slot);
  pthread_mutex_unlock(&instance->lock);
  tsb_stub_post(stub, &entry, 1);
  return NULL;
}

// Each request gets its own copy of the error.
static void execute__fail(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count,
                          uint64_t exec_start_ns, TRITONSERVER_Error* error) {
  for (uint32_t i = 0; i < count; i++) {
    tsb_answers_fail_request(instance, requests[i], exec_start_ns,
                             TRITONSERVER_ErrorNew(TRITONSERVER_ErrorCode(error), TRITONSERVER_ErrorMessage(error)));
  }
  TRITONSERVER_ErrorDelete(error);
}

static void execute__run(struct tsb_instance* instance, struct tsb_stub* stub, TRITONBACKEND_Request** requests,
                         uint32_t count, uint64_t exec_start_ns) {
  bool is_reader = tsb_reader_begin(instance, stub);
  struct tsb_batch_slot* slot = execute__claim(instance, requests, count, exec_start_ns);
  TRITONSERVER_Error* error = NULL;
  if (slot == NULL) {
    error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while handing a batch to the model.");
  } else {
    error = execute__send(instance, stub, slot);
  }
  if (error == NULL) {
    tsb_reader_serve(instance, stub, is_reader, exec_start_ns);
    return;
  }
  if (is_reader) tsb_reader_leave(instance, stub);
  execute__fail(instance, requests, count, exec_start_ns, error);
  if (slot == NULL) return;
  for (uint32_t i = 0; i < slot->request_count; i++) tsb_answers_free_inputs(stub, slot, i);
  tsb_stub_memory_release(&stub->memory, &slot->block, slot->block_bytes, &slot->loans);
  pthread_mutex_lock(&instance->lock);
  tsb_batch_close(&instance->batches, slot);
  pthread_mutex_unlock(&instance->lock);
}

void tsb_execute(struct tsb_instance* instance, TRITONBACKEND_Request** requests, uint32_t count) {
  uint64_t exec_start_ns = tsb_now_ns();
  uint32_t good = 0;
  tsb_encoder_begin(&instance->encoder, exec_start_ns);
  for (uint32_t i = 0; i < count; i++) {
    TRITONSERVER_Error* error = tsb_encoder_add(&instance->encoder, requests[i]);
    if (error == NULL) {
      requests[good++] = requests[i];
    } else {
      tsb_answers_fail_request(instance, requests[i], exec_start_ns, error);
    }
  }
  if (good == 0) return;
  TRITONSERVER_Error* error = NULL;
  struct tsb_stub* stub = tsb_instance_enter(instance, &error);
  if (stub != NULL) {
    execute__run(instance, stub, requests, good, exec_start_ns);
    tsb_instance_leave(instance);
    return;
  }
  execute__fail(instance, requests, good, exec_start_ns, error);
  // An instance that fails at once is always free, and would draw the requests of the model away from the others.
  struct pollfd stop = {.fd = instance->stop_fd, .events = POLLIN};
  if (!instance->model->one_instance) poll(&stop, 1, DOWN_PAUSE_MS);
}
