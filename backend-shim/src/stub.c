// SPDX-License-Identifier: Apache-2.0
#include "stub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "barrier.h"
#include "log.h"
#include "log_levels.h"

enum { DEATH_PATIENCE_MS = 1000 };

static int stub__make_eventfds(struct tsb_stub* stub) {
  stub->wake_stub_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stub->wake_stub_fd < 0) return -errno;
  stub->watch_fd = tsb_ring_open_watch(stub->wake_stub_fd);
  if (stub->watch_fd < 0) return stub->watch_fd;
  for (int i = 0; i < TSB_WAKER_COUNT; i++) {
    stub->wake_shim_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stub->wake_shim_fds[i] < 0) return -errno;
  }
  return 0;
}

static int stub__make(struct tsb_stub* stub, const struct tsb_stub_plan* plan) {
  int socket;
  int status = tsb_stub_memory_init(&stub->memory, plan, &stub->process, &stub->channel.sender);
  if (status < 0) return status;
  status = stub__make_eventfds(stub);
  if (status < 0) return status;
  struct tsb_control* control = stub->memory.control;
  status = tsb_outbox_open(&stub->to_stub, &control->to_stub, control->to_stub_entries, stub->wake_stub_fd);
  if (status < 0) return status;
  tsb_ring_init(&stub->to_shim, &control->to_shim, control->to_shim_entries, -1);
  tsb_log_levels_tell(control);
  // Published last: who reads the version (acquire, in the stub's connection.c) sees all that is in the region.
  tsb_store_release_u32(&control->version, TSB_PROTOCOL_VERSION);
  status = tsb_stub_process_start(&stub->process, plan, &socket);
  if (socket < 0) return status;
  int opened = tsb_stub_channel_open(&stub->channel, socket);
  return status < 0 ? status : opened;
}

static TRITONSERVER_Error* stub__hello(struct tsb_stub* stub, int64_t timeout_ms) {
  int descriptors[] = {stub->memory.regions.regions[0].fd, stub->watch_fd, stub->wake_shim_fds[TSB_WAKER_SUPERVISOR],
                       stub->wake_shim_fds[TSB_WAKER_EXECUTE]};
  struct tsb_stub_question question = {.method = TSB_METHOD_HELLO,
                                       .descriptors = descriptors,
                                       .descriptor_count = 4,
                                       .timeout_ms = timeout_ms,
                                       .stop_fd = -1};
  struct tsb_message reply;
  TSB_RETURN_IF_ERROR(tsb_stub_ask(stub, &question, &reply));
  tsb_message_free(&reply);
  return NULL;
}

static TRITONSERVER_Error* stub__not_started(const struct tsb_stub_plan* plan, int status) {
  // Whatever lacks Node's path is about Node; limits and memory are not.
  if (tsb_error_is_limit(status)) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Could not start a process for '%s': %s.", plan->name,
                         tsb_error_start_reason(status));
  }
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                       "Could not start Node '%s' for '%s': %s. Give the path of a Node binary in the environment "
                       "variable TRITON_TYPESCRIPT_NODE or with --backend-config=typescript,node-path=PATH.",
                       plan->node, plan->name, tsb_error_reason(status));
}

TRITONSERVER_Error* tsb_stub_start(struct tsb_stub** result, const struct tsb_stub_plan* plan) {
  *result = NULL;
  struct tsb_stub* stub = calloc(1, sizeof *stub);
  if (stub == NULL) return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Out of memory while starting a stub process.");
  *stub = (struct tsb_stub){.process = {.pid = -1, .pidfd = -1, .out.fd = -1, .err.fd = -1},
                            .wake_stub_fd = -1,
                            .watch_fd = -1,
                            .wake_shim_fds = {-1, -1},
                            .references = 1};
  tsb_open_calls_init(&stub->calls);
  tsb_metric_table_init(&stub->metrics);
  tsb_stub_channel_init(&stub->channel, &stub->memory);
  stub->channel.metrics = &stub->metrics;
  if (plan->service != NULL) stub->channel.service = *plan->service;
  stub->channel.service.stub = stub;
  tsb_outbox_init(&stub->to_stub);
  int status = stub__make(stub, plan);
  if (status < 0) {
    tsb_stub_destroy(stub);
    return stub__not_started(plan, status);
  }
  TRITONSERVER_Error* error = stub__hello(stub, plan->settings->stub_timeout_ms);
  if (error != NULL) {
    tsb_stub_destroy(stub);
    return error;
  }
  *result = stub;
  return NULL;
}

static const char* stub__doing(uint32_t method) {
  switch (method) {
    case TSB_METHOD_HELLO: return "while it was starting";
    case TSB_METHOD_LOAD: return "while it was loading the model file";
    case TSB_METHOD_INITIALIZE: return "while it was in the model's initialize";
    default: return "while it was in the model's finalize";
  }
}

static TRITONSERVER_Error* stub__dead(struct tsb_stub* stub, uint32_t method) {
  char how[700];
  // Its channel may be closed a moment before it has ended; one that only closed its channel ends now.
  if (!tsb_stub_process_wait(&stub->process, DEATH_PATIENCE_MS)) {
    tsb_stub_process_kill(&stub->process);
  }
  tsb_stub_process_log(&stub->process);
  tsb_stub_process_describe_end(&stub->process, how, sizeof how);
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Stub process '%s' ended %s. %s The log has what it printed.",
                       stub->process.name, stub__doing(method), how);
}

static TRITONSERVER_Error* stub__broken(const struct tsb_stub* stub, int status) {
  if (status == -EMFILE) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Could not take what stub process '%s' sent: %s.",
                         stub->process.name, tsb_error_reason(status));
  }
  return tsb_error_new(
      TRITONSERVER_ERROR_INTERNAL,
      "Stub process '%s' broke the protocol on its control channel. Is its runtime of the same version "
      "as this library?",
      stub->process.name);
}

// Time left of a limit in milliseconds, at most what poll takes; -1: there is no limit.
static int stub__left_ms(uint64_t end_ns, int64_t timeout_ms) {
  if (timeout_ms <= 0) return -1;
  uint64_t now = tsb_now_ns();
  uint64_t left_ms = now >= end_ns ? 0 : (end_ns - now) / 1000000 + 1;
  return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

// Waits until the reply is there, the process died, or time or patience is up.
static TRITONSERVER_Error* stub__wait(struct tsb_stub* stub, const struct tsb_stub_question* question,
                                      const struct tsb_stub_call* call) {
  struct tsb_stub_watch watch = {
      .stop_fd = question->stop_fd,
      .answers_fd = question->on_entries == NULL ? -1 : stub->wake_shim_fds[TSB_WAKER_SUPERVISOR],
      .timer_fd = -1,
      .backlog_fd = stub->to_stub.timer_fd};
  uint64_t end_ns = tsb_now_ns() + (uint64_t)question->timeout_ms * 1000000u;
  for (;;) {
    int left_ms = stub__left_ms(end_ns, question->timeout_ms);
    uint32_t happened = tsb_stub_events_wait(&stub->process, &stub->channel, &watch, left_ms);
    // Before the reply: what the stub wrote before it comes first.
    if ((happened & TSB_EVENT_ANSWERS) != 0) question->on_entries(question->context, stub);
    int status = tsb_stub_channel_has_reply(&stub->channel, call);
    if (status > 0) return NULL;
    if (status == -EPIPE || (status == 0 && (happened & TSB_EVENT_DEATH) != 0)) {
      return stub__dead(stub, question->method);
    }
    if (status < 0) return stub__broken(stub, status);
    if ((happened & TSB_EVENT_BACKLOG) != 0) tsb_stub_flush(stub);
    if ((happened & TSB_EVENT_STOP) != 0) {
      return tsb_error_new(TRITONSERVER_ERROR_CANCELLED, "The model instance is being removed.");
    }
    if (left_ms == 0) {
      return tsb_error_new(
          TRITONSERVER_ERROR_INTERNAL,
          "Stub process '%s' did not answer within %lld seconds %s. Look for something that never ends, "
          "or raise the limit (docs/configuration.md).",
          stub->process.name, (long long)(question->timeout_ms / 1000), stub__doing(question->method));
    }
  }
}

static TRITONSERVER_Error* stub__reply_error(const struct tsb_stub* stub, const struct tsb_stub_call* call) {
  char otherwise[512] = "The model gave no message.";
  if (call->method == TSB_METHOD_HELLO) {
    snprintf(otherwise, sizeof otherwise, "Stub process '%s' refused the handshake and gave no reason.",
             stub->process.name);
  }
  return tsb_payload_error(&call->reply, otherwise);
}

TRITONSERVER_Error* tsb_stub_ask(struct tsb_stub* stub, const struct tsb_stub_question* question,
                                 struct tsb_message* reply) {
  struct tsb_stub_call call;
  struct tsb_outgoing outgoing = {
      .method = question->method, .descriptors = question->descriptors, .descriptor_count = question->descriptor_count};
  if (question->payload != NULL) {
    outgoing.payload = tsb_text_get(question->payload);
    outgoing.payload_bytes = question->payload->length;
  }
  int status = tsb_stub_channel_call(&stub->channel, &call, outgoing);
  if (status == -EPIPE || status == -ECONNRESET) return stub__dead(stub, question->method);
  if (status < 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Could not send to stub process '%s': %s.", stub->process.name,
                         tsb_error_reason(status));
  }
  TRITONSERVER_Error* error = stub__wait(stub, question, &call);
  tsb_stub_channel_end(&stub->channel, &call);
  if (error == NULL) error = stub__reply_error(stub, &call);
  if (error != NULL && call.replied) tsb_message_free(&call.reply);
  if (error == NULL) *reply = call.reply;
  return error;
}

// Entries that cannot be sent are lost, so the stub must go.
static void stub__give_up(struct tsb_stub* stub, int status) {
  if (status == -EPROTO) {
    TSB_LOG(ERROR, "Stub process '%s' wrote something that breaks the protocol; it is stopped.", stub->process.name);
  } else {
    TSB_LOG(ERROR, "Out of memory for what stub process '%s' should be told; it is stopped.", stub->process.name);
  }
  tsb_stub_process_kill(&stub->process);
}

void tsb_stub_post(struct tsb_stub* stub, const struct tsb_entry* entries, uint32_t count) {
  int status = tsb_outbox_post(&stub->to_stub, entries, count);
  if (status < 0) stub__give_up(stub, status);
}

void tsb_stub_flush(struct tsb_stub* stub) {
  int status = tsb_outbox_flush(&stub->to_stub);
  if (status < 0) stub__give_up(stub, status);
}

const uint8_t* tsb_stub_resolve(struct tsb_stub* stub, const struct tsb_place* place) {
  const uint8_t* base = tsb_stub_memory_resolve(&stub->memory, place);
  if (base != NULL || place->region == 0) return base;
  // The stub announces a region before it writes an entry that names it, so the frame is in the socket already; also
  // when the stub has died since, and the end of the channel comes next.
  if (tsb_stub_channel_read(&stub->channel) < 0) tsb_stub_process_kill(&stub->process);
  return tsb_stub_memory_resolve(&stub->memory, place);
}

void tsb_stub_retain(struct tsb_stub* stub) { __atomic_add_fetch(&stub->references, 1, __ATOMIC_RELAXED); }

void tsb_stub_release(struct tsb_stub* stub) {
  if (__atomic_sub_fetch(&stub->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  tsb_open_calls_destroy(&stub->calls);
  tsb_stub_memory_destroy(&stub->memory);
  free(stub);
}

void tsb_stub_destroy(struct tsb_stub* stub) {
  if (stub == NULL) return;
  tsb_open_calls_close(&stub->calls);
  tsb_stub_channel_forget_calls(&stub->channel);  // their replies use the process
  tsb_metric_table_destroy(&stub->metrics);
  tsb_stub_process_destroy(&stub->process);
  tsb_stub_channel_destroy(&stub->channel);
  if (stub->wake_stub_fd >= 0) close(stub->wake_stub_fd);
  if (stub->watch_fd >= 0) close(stub->watch_fd);
  for (int i = 0; i < TSB_WAKER_COUNT; i++) {
    if (stub->wake_shim_fds[i] >= 0) close(stub->wake_shim_fds[i]);
  }
  tsb_outbox_destroy(&stub->to_stub);
  tsb_stub_release(stub);
}
