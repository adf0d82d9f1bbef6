// SPDX-License-Identifier: Apache-2.0
// A record of a stub, whatever its bytes: it is refused and nothing is sent, or the client gets an error or outputs
// that fit. And nothing in the answer is memory that the stub did not write: it comes out the same whatever was on the
// stack.
#include <errno.h>

#include "fuzz_stub.h"
#include "response_record.h"

enum { STACK_BYTES = 16384 };

static TRITONBACKEND_Request request;
static struct tsb_loans loans;

__attribute__((noinline)) static void fill_stack(int byte) {
  uint8_t memory[STACK_BYTES];
  memset(memory, byte, sizeof memory);
  __asm__ volatile("" ::"r"(memory) : "memory");  // or the compiler would see that nobody reads it
}

static uint64_t mix(uint64_t digest, const void* bytes, size_t size) {
  const uint8_t* at = bytes;
  for (size_t i = 0; i < size; i++) digest = (digest ^ at[i]) * UINT64_C(0x100000001b3);
  return digest;
}

static uint64_t mix_text(uint64_t digest, const char* text) { return mix(digest, text, strlen(text) + 1); }

static uint64_t digest_response(const TRITONBACKEND_Response* response) {
  uint64_t digest = response->output_count;
  if (response->error != NULL) return mix_text(digest, TRITONSERVER_ErrorMessage(response->error));
  for (uint32_t i = 0; i < response->output_count; i++) {
    const TRITONBACKEND_Output* output = &response->outputs[i];
    digest = mix(digest, output->shape, output->dims_count * sizeof *output->shape);
    digest = mix(mix_text(digest, output->name), output->data, output->bytes);
  }
  for (uint32_t i = 0; i < response->parameter_count; i++) {
    const struct fake_parameter* parameter = &response->parameters[i];
    digest = mix_text(mix(digest, &parameter->type, sizeof parameter->type), parameter->name);
    switch (parameter->type) {
      case TRITONSERVER_PARAMETER_STRING: digest = mix_text(digest, parameter->value.text); break;
      case TRITONSERVER_PARAMETER_BOOL: digest += parameter->value.boolean; break;
      default: digest = mix(digest, &parameter->value.integer, 8);
    }
  }
  return digest;
}

static int answer(const struct tsb_place* place, int filling, uint64_t* digest) {
  struct tsb_response_source source = {
      .stub = fuzz_stub, .loans = &loans, .send_flags = TRITONSERVER_RESPONSE_COMPLETE_FINAL};
  bool success;
  fill_stack(filling);
  int status = tsb_response_send(&fuzz_model, &source, &request, place, &success);
  *digest = 0;
  if (status == 0) {
    fuzz_check_response(&request);
    CHECK_INT(success, request.response->error == NULL);
    *digest = digest_response(request.response);
  } else {
    CHECK_INT(status, -EPROTO);
    CHECK(!success);
    CHECK_INT(request.response_count, 0);
  }
  fake_request_clear(&request);
  CHECK_INT(fake_live_responses(), 0);
  CHECK_INT(fake_live_errors(), 0);
  fake_log_clear();
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  struct fuzz_input input = {data, size};
  uint64_t first, second;
  fuzz_open_stub();
  uint8_t options = fuzz_u8(&input);
  struct tsb_place place = {.region = FUZZ_REGION, .offset = fuzz_u8(&input), .bytes = fuzz_u16(&input)};
  fuzz_model.max_batch_size = (options & 1) != 0 ? 4 : 0;
  fuzz_model.caches = (options & 2) != 0;
  fake_faults = (struct fake_faults){.output_buffer_gpu = (options & 12) == 12 ? -1 : 0};
  fuzz_ask(&request, ~(options >> 4));
  fuzz_bytes(&input, fuzz_memory, FUZZ_REGION_BYTES);
  int status = answer(&place, 0x00, &first);
  CHECK_INT(answer(&place, 0xa5, &second), status);
  CHECK_INT(first, second);
  return 0;
}

static void begin_seed(struct fuzz_seed* seed, uint8_t options, uint32_t offset, uint32_t bytes) {
  seed->size = 0;
  fuzz_add_u8(seed, options);
  fuzz_add_u8(seed, offset);
  fuzz_add_u16(seed, bytes);
}

void fuzz_seeds(fuzz_take take) {
  static const float NUMBERS[] = {1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f};
  static const uint8_t TEXTS[] = {1, 0, 0, 0, 'a', 0, 0, 0, 0, 2, 0, 0, 0, 'b', 'c'};
  struct fuzz_seed seed;
  begin_seed(&seed, 0, 0, 512);
  fuzz_record_of(&seed, 0, (int64_t[]){3}, 1, NUMBERS, 12);
  take(seed.bytes, seed.size);
  begin_seed(&seed, 1, 0, 512);
  fuzz_record_of(&seed, 0, (int64_t[]){2, 3}, 2, NUMBERS, 24);
  take(seed.bytes, seed.size);
  begin_seed(&seed, 0, 0, 512);
  fuzz_record_of(&seed, 1, (int64_t[]){1, 3}, 2, NUMBERS, 24);
  take(seed.bytes, seed.size);
  begin_seed(&seed, 2, 0, 512);
  fuzz_record_of(&seed, 2, (int64_t[]){3}, 1, TEXTS, sizeof TEXTS);
  take(seed.bytes, seed.size);
  begin_seed(&seed, 2, 0, 52);
  fuzz_record_of_error(&seed);
  take(seed.bytes, seed.size);
  // A record that is copied into memory of its own, as it is large.
  begin_seed(&seed, 0, 0, 4096);
  fuzz_record_of(&seed, 0, (int64_t[]){3}, 1, NUMBERS, 12);
  take(seed.bytes, seed.size);
}
