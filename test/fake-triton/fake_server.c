// SPDX-License-Identifier: Apache-2.0
// Errors, messages and the log of the fake Triton.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_triton.h"

struct TRITONSERVER_Error {
  TRITONSERVER_Error_Code code;
  char message[];
};

// A message is its text; what the library made itself or was given to delete is counted.
static atomic_long live_errors, live_messages;

long fake_live_errors(void) { return live_errors; }
long fake_live_messages(void) { return live_messages; }

TRITONSERVER_Error* TRITONSERVER_ErrorNew(TRITONSERVER_Error_Code code, const char* text) {
  TRITONSERVER_Error* error = malloc(sizeof *error + strlen(text) + 1);
  error->code = code;
  strcpy(error->message, text);
  live_errors++;
  return error;
}

void TRITONSERVER_ErrorDelete(TRITONSERVER_Error* error) {
  if (error == NULL) return;
  free(error);
  live_errors--;
}

TRITONSERVER_Error_Code TRITONSERVER_ErrorCode(TRITONSERVER_Error* error) { return error->code; }
const char* TRITONSERVER_ErrorMessage(TRITONSERVER_Error* error) { return error->message; }

TRITONSERVER_Error* TRITONSERVER_MessageNewFromSerializedJson(TRITONSERVER_Message** message, const char* base,
                                                              size_t bytes) {
  *message = (TRITONSERVER_Message*)strndup(base, bytes);
  live_messages++;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MessageDelete(TRITONSERVER_Message* message) {
  free(message);
  live_messages--;
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_MessageSerializeToJson(TRITONSERVER_Message* message, const char** base,
                                                        size_t* bytes) {
  *base = (const char*)message;
  *bytes = strlen(*base);
  return NULL;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char* log_text;
static size_t log_length, log_capacity;
static int log_lines;
bool fake_log_is_silent;

static atomic_uint log_off;  // bits of the levels that are switched off

void fake_log_switch(TRITONSERVER_LogLevel level, bool on) {
  if (on) {
    log_off &= ~(1u << level);
  } else {
    log_off |= 1u << level;
  }
}

bool TRITONSERVER_LogIsEnabled(TRITONSERVER_LogLevel level) { return (log_off >> level & 1u) == 0; }

TRITONSERVER_Error* TRITONSERVER_LogMessage(TRITONSERVER_LogLevel level, const char* file, int line, const char* text) {
  static const char LETTERS[] = "IWEV";
  size_t length = strlen(text);
  (void)file, (void)line;
  pthread_mutex_lock(&log_lock);
  if (log_length + length + 4 > log_capacity) {
    log_capacity = 2 * (log_length + length + 4);
    log_text = realloc(log_text, log_capacity);
  }
  log_length += (size_t)sprintf(log_text + log_length, "%c %s\n", LETTERS[level], text);
  log_lines++;
  pthread_mutex_unlock(&log_lock);
  if (length < 1000 && !fake_log_is_silent) fprintf(stderr, "%c %s\n", LETTERS[level], text);
  return NULL;
}

void fake_log_clear(void) {
  pthread_mutex_lock(&log_lock);
  free(log_text);
  log_text = NULL;
  log_length = log_capacity = 0;
  log_lines = 0;
  pthread_mutex_unlock(&log_lock);
}

bool fake_log_has(const char* part) {
  pthread_mutex_lock(&log_lock);
  bool found = log_text != NULL && strstr(log_text, part) != NULL;
  pthread_mutex_unlock(&log_lock);
  return found;
}

int fake_log_lines(void) {
  pthread_mutex_lock(&log_lock);
  int count = log_lines;
  pthread_mutex_unlock(&log_lock);
  return count;
}
