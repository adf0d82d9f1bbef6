// SPDX-License-Identifier: Apache-2.0
#include "stub_memory.h"

#include <errno.h>

#include "layout.h"

static int stub_memory__announce(void* context, const struct tsb_region* region) {
  struct tsb_stub_memory* memory = context;
  struct tsb_outgoing notice = {
      .method = TSB_METHOD_REGION, .region = region->id, .descriptors = &region->fd, .descriptor_count = 1};
  int status = tsb_sender_send(memory->sender, &notice);
  // A frame that was not sent whole, or a region that the stub will never hear of: no later message can mend that.
  if (status < 0) tsb_stub_process_kill(memory->process);
  return status;
}

int tsb_stub_memory_init(struct tsb_stub_memory* memory, const struct tsb_stub_plan* plan,
                         struct tsb_stub_process* process, struct tsb_sender* sender) {
  const struct tsb_settings* settings = plan->settings;
  struct tsb_region region;
  memory->process = process;
  memory->sender = sender;
  memory->max_stub_bytes = (uint64_t)settings->shm_max_bytes;
  pthread_mutex_init(&memory->lock, NULL);
  int status = tsb_region_create(&region, 0, sizeof(struct tsb_control));
  if (status < 0) return status;
  tsb_region_add(&memory->regions, &region);
  struct tsb_control* control = memory->control = (struct tsb_control*)region.base;
  control->magic = TSB_PROTOCOL_MAGIC;
  control->fingerprint = tsb_layout_fingerprint();
  control->max_bytes = (uint64_t)settings->shm_max_bytes;
  control->initial_bytes = (uint64_t)settings->shm_default_bytes;
  control->growth_bytes = (uint64_t)settings->shm_growth_bytes;
  control->warm_bytes = (uint64_t)settings->shm_warm_bytes;
  tsb_arena_init(&memory->inbound, &memory->regions, 1, control, stub_memory__announce, memory);
  tsb_client_memory_init(&memory->clients, control, plan->maps_fd, sender);
  return 0;
}

void tsb_stub_memory_destroy(struct tsb_stub_memory* memory) {
  tsb_client_memory_free(&memory->clients);
  tsb_arena_destroy(&memory->inbound);
  tsb_region_close_all(&memory->regions);
  pthread_mutex_destroy(&memory->lock);
}

void tsb_stub_memory_share(struct tsb_stub_memory* memory, bool is_shared) {
  pthread_mutex_lock(&memory->lock);
  memory->clients.is_shared = is_shared;
  pthread_mutex_unlock(&memory->lock);
}

int tsb_stub_memory_alloc(struct tsb_stub_memory* memory, uint64_t bytes, struct tsb_block* block) {
  pthread_mutex_lock(&memory->lock);
  int status = tsb_arena_alloc(&memory->inbound, bytes, block);
  pthread_mutex_unlock(&memory->lock);
  return status;
}

int tsb_stub_memory_lend(struct tsb_stub_memory* memory, struct tsb_loans* loans, uint32_t request, const void* data,
                         uint64_t bytes, struct tsb_place* place) {
  pthread_mutex_lock(&memory->lock);
  int status = tsb_client_memory_lend(&memory->clients, loans, request, data, bytes, place);
  pthread_mutex_unlock(&memory->lock);
  if (status < 0) tsb_stub_process_kill(memory->process);
  return status < 0 ? -EPIPE : 0;
}

int tsb_stub_memory_free(struct tsb_stub_memory* memory, const struct tsb_block* block, uint64_t bytes) {
  if (bytes == 0) return 0;
  pthread_mutex_lock(&memory->lock);
  int status = tsb_arena_free(&memory->inbound, block->region, block->offset, bytes);
  pthread_mutex_unlock(&memory->lock);
  return status;
}

int tsb_stub_memory_release(struct tsb_stub_memory* memory, const struct tsb_block* block, uint64_t bytes,
                            struct tsb_loans* loans) {
  pthread_mutex_lock(&memory->lock);
  tsb_client_memory_return(&memory->clients, loans);
  int status = bytes > 0 ? tsb_arena_free(&memory->inbound, block->region, block->offset, bytes) : 0;
  pthread_mutex_unlock(&memory->lock);
  return status;
}

bool tsb_stub_memory_tick(struct tsb_stub_memory* memory) {
  pthread_mutex_lock(&memory->lock);
  int files = tsb_client_memory_tick(&memory->clients);
  pthread_mutex_unlock(&memory->lock);
  if (files < 0) tsb_stub_process_kill(memory->process);
  return files > 0;
}

void tsb_stub_memory_measure(struct tsb_stub_memory* memory, uint64_t* inbound_bytes, uint64_t* stub_bytes) {
  pthread_mutex_lock(&memory->lock);
  *inbound_bytes = memory->inbound.total_bytes;
  *stub_bytes = memory->stub_bytes;
  pthread_mutex_unlock(&memory->lock);
}

int tsb_stub_memory_adopt(struct tsb_stub_memory* memory, struct tsb_message* message) {
  struct tsb_region region;
  if (message->frame.descriptor_count != 1 || (message->frame.region & TSB_REGION_OF_STUB) == 0) return -EPROTO;
  int fd = message->descriptors[0];
  message->descriptors[0] = -1;
  pthread_mutex_lock(&memory->lock);
  int status = tsb_region_adopt(&region, message->frame.region, fd, memory->max_stub_bytes - memory->stub_bytes);
  if (status == 0) {
    status = tsb_region_add(&memory->regions, &region);
    if (status < 0) tsb_region_close(&region);
    if (status == 0) memory->stub_bytes += region.bytes;
  }
  pthread_mutex_unlock(&memory->lock);
  return status;
}

const uint8_t* tsb_stub_memory_resolve(struct tsb_stub_memory* memory, const struct tsb_place* place) {
  if (place->region == 0) return NULL;  // the control region holds neither records nor tensors
  pthread_mutex_lock(&memory->lock);
  const uint8_t* base = tsb_region_resolve(&memory->regions, place);
  pthread_mutex_unlock(&memory->lock);
  return base;
}
