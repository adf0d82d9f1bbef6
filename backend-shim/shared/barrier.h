// SPDX-License-Identifier: Apache-2.0
// Every atomic access to shared memory goes through here; raw atomics and fences stand nowhere else.
#ifndef TSB_BARRIER_H
#define TSB_BARRIER_H

#include <stdint.h>
#include <string.h>
#include <time.h>

// Publishes all that was written before: pairs with tsb_load_acquire of the same word in the other process.
static inline void tsb_store_release_u64(uint64_t* word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline uint64_t tsb_load_acquire_u64(const uint64_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void tsb_store_release_u32(uint32_t* word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline uint32_t tsb_load_acquire_u32(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
// On arm64 a store of this order and a later load of it are STLR and LDAR, which keep their order on real cores. Where
// arm64 is emulated, they are two barriers outside of the two and none between them (qemu 7.2 on x86-64), so that they
// change places there and wake-ups are lost. A program cannot tell where it runs, so the fence is there on real cores,
// too: it costs one dmb for each such store.
static inline void tsb_fence_after_seq_store(void) {
#if defined(__aarch64__)
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
// "Write mine, then read yours" on both sides (tail / consumer_sleeps) needs one order of all four accesses.
static inline void tsb_store_seq_u64(uint64_t* word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  tsb_fence_after_seq_store();
}
static inline uint64_t tsb_load_seq_u64(const uint64_t* word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline void tsb_store_seq_u32(uint32_t* word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  tsb_fence_after_seq_store();
}
static inline uint32_t tsb_load_seq_u32(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

// Orders a store before a later load where one of the two is not an access of this file (a lock that was tried).
static inline void tsb_fence_seq(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// Copies out of memory that the other process may change at any time. The compiler must not read the source again
// after the copy has been checked.
static inline void tsb_copy_out(void* destination, const void* shared, uint64_t bytes) {
  memcpy(destination, shared, bytes);
  __asm__ volatile("" ::: "memory");
}

static inline void tsb_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// CLOCK_MONOTONIC, the clock of Triton's statistics.
static inline uint64_t tsb_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
