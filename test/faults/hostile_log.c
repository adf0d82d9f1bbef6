// SPDX-License-Identifier: Apache-2.0
// What the fake stub prints, and what it knows of the server's log.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "hostile_stub.h"

static void print(const char* text) {
  ssize_t written = write(1, text, strlen(text));
  (void)written;  // the server is gone, and this process soon
}

// As who leaves lines out does once a second.
static void* ask(void* unused) {
  (void)unused;
  for (;;) {
    print("\x1eV\n");
    usleep(20000);
  }
  return NULL;
}

void evil_log_at_start(void) {
  pthread_t thread;
  if (is("asks_for_levels") && pthread_create(&thread, NULL, ask, NULL) != 0) _exit(99);
}

void evil_log_in_batch(void) {
  if (!is("notes_levels")) return;
  bool on = (tsb_load_acquire_u32(&connection_.control->log_levels) & TSB_LOG_LEVEL_VERBOSE) != 0;
  print(on ? "verbose is on\n" : "verbose is off\n");
}
