// SPDX-License-Identifier: Apache-2.0
// The response of another model -> memory that the calling stub views. The server writes the outputs there itself: the
// allocator gives it blocks of the stub's inbound memory.
#ifndef TSB_CALL_ANSWER_H
#define TSB_CALL_ANSWER_H

#include "backend.h"
#include "stub.h"

// The functions of the response allocator; their `userp` is the call.
TRITONSERVER_Error* tsb_call_answer_allocate(TRITONSERVER_ResponseAllocator* allocator, const char* tensor_name,
                                             size_t byte_size, TRITONSERVER_MemoryType memory_type,
                                             int64_t memory_type_id, void* userp, void** buffer, void** buffer_userp,
                                             TRITONSERVER_MemoryType* actual_memory_type,
                                             int64_t* actual_memory_type_id);
TRITONSERVER_Error* tsb_call_answer_release(TRITONSERVER_ResponseAllocator* allocator, void* buffer, void* buffer_userp,
                                            size_t byte_size, TRITONSERVER_MemoryType memory_type,
                                            int64_t memory_type_id);

// Writes a response, or the error that it holds, and makes the entry that says so. Without memory for it the entry says
// that. A call whose stub is dead gets an entry that is never sent.
void tsb_call_answer_write(struct tsb_open_call* call, TRITONSERVER_InferenceResponse* response,
                           struct tsb_entry* entry);
// The same with an error of ours, which is taken.
void tsb_call_answer_write_error(struct tsb_open_call* call, TRITONSERVER_Error* error, struct tsb_entry* entry);

#endif
