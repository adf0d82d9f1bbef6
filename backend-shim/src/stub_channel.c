// SPDX-License-Identifier: Apache-2.0
// The shim's end of the control channel of a stub: calls with an answer, and regions that the stub announces.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "stub.h"

enum { SEND_TIMEOUT_MS = 10000 };

static int stub_channel__adopt(struct tsb_stub* stub, struct tsb_message* message) {
  struct tsb_region region;
  if (message->frame.descriptor_count != 1 || (message->frame.region & TSB_REGION_OF_STUB) == 0) return -EPROTO;
  int fd = message->descriptors[0];
  message->descriptors[0] = -1;
  pthread_mutex_lock(&stub->memory_lock);
  int status = tsb_region_adopt(&region, message->frame.region, fd, stub->max_region_bytes - stub->stub_region_bytes);
  if (status == 0) {
    status = tsb_region_add(&stub->regions, &region);
    if (status < 0) tsb_region_close(&region);
    if (status == 0) stub->stub_region_bytes += region.bytes;
  }
  pthread_mutex_unlock(&stub->memory_lock);
  return status;
}

static int stub_channel__read(struct tsb_stub* stub) {
  for (;;) {
    struct tsb_message message;
    int status = tsb_channel_receive(stub->channel, &message, 0);
    if (status == -ETIMEDOUT) return 0;
    if (status == 0) return -EPIPE;
    if (status < 0) return status;
    status = message.frame.kind == TSB_CONTROL_REGION ? stub_channel__adopt(stub, &message) : -EPROTO;
    tsb_message_free(&message);
    if (status < 0) return status;
  }
}

// The thread that reads answers and the supervisor may both come here. The lock lasts until the region is in the table:
// a thread that finds the socket empty must also find the region that the other one took out of it.
int tsb_stub_read_channel(struct tsb_stub* stub) {
  pthread_mutex_lock(&stub->channel_lock);
  int status = stub_channel__read(stub);
  pthread_mutex_unlock(&stub->channel_lock);
  return status;
}

uint8_t* tsb_stub_resolve(struct tsb_stub* stub, const struct tsb_place* place) {
  if (place->region == 0) return NULL;  // the control region holds neither records nor tensors
  pthread_mutex_lock(&stub->memory_lock);
  uint8_t* base = tsb_region_resolve(&stub->regions, place);
  pthread_mutex_unlock(&stub->memory_lock);
  if (base != NULL) return base;
  // The stub announces a region before it writes an entry that names it, so the frame is in the socket already; also
  // when the stub has died since, and the end of the channel comes next.
  tsb_stub_read_channel(stub);
  pthread_mutex_lock(&stub->memory_lock);
  base = tsb_region_resolve(&stub->regions, place);
  pthread_mutex_unlock(&stub->memory_lock);
  return base;
}

static TRITONSERVER_Error* stub_channel__answer_error(const struct tsb_message* message) {
  struct tsb_json_document document;
  if (message->frame.payload_bytes == 0) return NULL;
  if (!tsb_json_parse(&document, message->payload, message->frame.payload_bytes)) {
    return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "The stub's answer is not JSON.");
  }
  TRITONSERVER_Error* error = NULL;
  const struct tsb_json* given = tsb_json_member(document.root, "error");
  if (given != NULL && given->type == TSB_JSON_OBJECT) {
    error = TRITONSERVER_ErrorNew(tsb_status_code_by_name(tsb_json_string(tsb_json_member(given, "code"), "")),
                                  tsb_json_string(tsb_json_member(given, "message"), "The model gave no message."));
  }
  tsb_json_free(&document);
  return error;
}

static TRITONSERVER_Error* stub_channel__dead(struct tsb_stub* stub, const char* doing) {
  char how[700];
  tsb_log_pipe_drain(&stub->out, stub->name);
  tsb_log_pipe_drain(&stub->err, stub->name);
  tsb_stub_describe_death(stub, how, sizeof how);
  return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Stub process '%s' ended %s. %s The log has what it printed.",
                       stub->name, doing, how);
}

static const char* stub_channel__doing(uint32_t kind) {
  switch (kind) {
    case TSB_CONTROL_HELLO: return "while it was starting";
    case TSB_CONTROL_LOAD: return "while it was loading the model file";
    case TSB_CONTROL_INITIALIZE: return "while it was in the model's initialize";
    default: return "while it was in the model's finalize";
  }
}

// Waits until the channel has something, the process died, or time or patience is up. Logs output meanwhile.
static TRITONSERVER_Error* stub_channel__wait(struct tsb_stub* stub, uint32_t kind, uint64_t end_ns, int64_t timeout_ms,
                                              int stop_fd) {
  for (;;) {
    struct pollfd items[] = {{.fd = stub->channel, .events = POLLIN},
                             {.fd = stub->pidfd, .events = POLLIN},
                             {.fd = stub->out.fd, .events = POLLIN},
                             {.fd = stub->err.fd, .events = POLLIN},
                             {.fd = stop_fd, .events = POLLIN}};
    int64_t left_ms = -1;
    if (timeout_ms > 0) {
      uint64_t now = tsb_now_ns();
      left_ms = now >= end_ns ? 0 : (int64_t)((end_ns - now) / 1000000) + 1;
    }
    int ready = poll(items, 5, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    if (ready < 0 && errno != EINTR) {
      return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "poll failed: %s.", strerror(errno));
    }
    if (ready < 0) continue;
    if (items[2].revents != 0) tsb_log_pipe_drain(&stub->out, stub->name);
    if (items[3].revents != 0) tsb_log_pipe_drain(&stub->err, stub->name);
    if ((items[0].revents & POLLIN) != 0) return NULL;
    if (items[1].revents != 0) return stub_channel__dead(stub, stub_channel__doing(kind));
    if (items[0].revents != 0) {  // closed, but the process has not ended: it soon will
      tsb_stub_kill(stub);
      struct pollfd death = {.fd = stub->pidfd, .events = POLLIN};
      poll(&death, 1, 1000);
      return stub_channel__dead(stub, stub_channel__doing(kind));
    }
    if (items[4].revents != 0) {
      return tsb_error_new(TRITONSERVER_ERROR_CANCELLED, "The model instance is being removed.");
    }
    if (ready == 0) {
      return tsb_error_new(
          TRITONSERVER_ERROR_INTERNAL,
          "Stub process '%s' did not answer within %lld seconds %s. Look for something that never ends, "
          "or raise the limit (docs/configuration.md).",
          stub->name, (long long)(timeout_ms / 1000), stub_channel__doing(kind));
    }
  }
}

TRITONSERVER_Error* tsb_stub_call(struct tsb_stub* stub, uint32_t kind, const char* payload, size_t payload_bytes,
                                  uint32_t answer_kind, int64_t timeout_ms, int stop_fd, struct tsb_message* answer) {
  uint64_t end_ns = tsb_now_ns() + (uint64_t)timeout_ms * 1000000u;
  if (kind != TSB_CONTROL_HELLO) {  // stub.c sends that one with its descriptors
    int status = tsb_channel_send(stub->channel, kind, 0, payload, payload_bytes, NULL, 0, SEND_TIMEOUT_MS);
    if (status == -EPIPE || status == -ECONNRESET) {
      struct pollfd death = {.fd = stub->pidfd, .events = POLLIN};
      poll(&death, 1, 1000);
      return stub_channel__dead(stub, stub_channel__doing(kind));
    }
    if (status < 0) {
      return tsb_error_new(TRITONSERVER_ERROR_INTERNAL, "Could not send to stub process '%s': %s.", stub->name,
                           strerror(-status));
    }
  }
  for (;;) {
    TSB_RETURN_IF_ERROR(stub_channel__wait(stub, kind, end_ns, timeout_ms, stop_fd));
    int status = tsb_channel_receive(stub->channel, answer, 0);
    if (status == -ETIMEDOUT) continue;
    if (status == 0 || status == -EPIPE) {
      struct pollfd death = {.fd = stub->pidfd, .events = POLLIN};
      poll(&death, 1, 1000);
      return stub_channel__dead(stub, stub_channel__doing(kind));
    }
    if (status > 0 && answer->frame.kind == TSB_CONTROL_REGION) {
      status = stub_channel__adopt(stub, answer);
      tsb_message_free(answer);
      if (status == 0) continue;
    } else if (status > 0 && (answer->frame.kind == answer_kind || answer->frame.kind == TSB_CONTROL_REFUSED)) {
      TRITONSERVER_Error* error = stub_channel__answer_error(answer);
      if (error == NULL && answer->frame.kind == TSB_CONTROL_REFUSED) {
        error = tsb_error_new(TRITONSERVER_ERROR_INTERNAL,
                              "Stub process '%s' refused the handshake and gave no reason.", stub->name);
      }
      if (error != NULL) tsb_message_free(answer);
      return error;
    }
    if (status > 0) tsb_message_free(answer);
    return tsb_error_new(
        TRITONSERVER_ERROR_INTERNAL,
        "Stub process '%s' broke the protocol on its control channel. Is its runtime of the same version "
        "as this library?",
        stub->name);
  }
}
