// SPDX-License-Identifier: Apache-2.0
#include "fake_models.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool is_held;
static int held;
static atomic_long done, live_parameters;
static atomic_int asks_for_leaving;

void fake_models_hold(bool hold) {
  pthread_mutex_lock(&lock);
  is_held = hold;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&lock);
}

int fake_models_held(void) {
  pthread_mutex_lock(&lock);
  int count = held;
  pthread_mutex_unlock(&lock);
  return count;
}

long fake_models_done(void) { return done; }
long fake_live_parameters(void) { return live_parameters; }

static TRITONSERVER_Parameter* fake__parameter(const char* name, TRITONSERVER_ParameterType type, const void* value,
                                               uint64_t bytes) {
  TRITONSERVER_Parameter* parameter = malloc(sizeof *parameter);
  *parameter = (TRITONSERVER_Parameter){strdup(name), type, value, bytes};
  live_parameters++;
  return parameter;
}

// As the server does, it keeps a copy of a text, but not of bytes.
TRITONSERVER_Parameter* TRITONSERVER_ParameterNew(const char* name, TRITONSERVER_ParameterType type,
                                                  const void* value) {
  return fake__parameter(name, type, strdup(value), strlen(value));
}

TRITONSERVER_Parameter* TRITONSERVER_ParameterBytesNew(const char* name, const void* bytes, uint64_t size) {
  return fake__parameter(name, TRITONSERVER_PARAMETER_BYTES, bytes, size);
}

void TRITONSERVER_ParameterDelete(TRITONSERVER_Parameter* parameter) {
  free(parameter->name);
  if (parameter->type == TRITONSERVER_PARAMETER_STRING) free((void*)parameter->value);
  free(parameter);
  live_parameters--;
}

TRITONSERVER_Error* (*fake_ask_instance)(void);

TRITONSERVER_Error* TRITONSERVER_ServerModelIsReady(TRITONSERVER_Server* server, const char* name, int64_t version,
                                                    bool* ready) {
  (void)server;
  if (strcmp(name, "refusing") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "Server not ready");
  if (fake_ask_instance != NULL) {  // as newer servers do
    TRITONSERVER_Error* error = fake_ask_instance();
    *ready = error == NULL;
    TRITONSERVER_ErrorDelete(error);
    return NULL;
  }
  *ready = strcmp(name, "ready") == 0 && (version == -1 || version == 2);
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_ServerModelIndex(TRITONSERVER_Server* server, uint32_t flags,
                                                  TRITONSERVER_Message** index) {
  (void)server, (void)flags;
  char text[256];
  int length = snprintf(text, sizeof text,
                        "[{\"name\":\"other\",\"version\":\"1\",\"state\":\"UNLOADING\"},{\"name\":\"unknown\"},"
                        "{\"name\":\"leaving\",\"version\":\"1\",\"state\":\"READY\"},"
                        "{\"name\":\"leaving\",\"version\":\"2\",\"state\":\"%s\"}]",
                        asks_for_leaving++ < 3 ? "UNLOADING" : "UNAVAILABLE");
  return TRITONSERVER_MessageNewFromSerializedJson(index, text, (size_t)length);
}

static void fake__wait(const char* name) {
  if (strcmp(name, "slow") != 0) return;
  pthread_mutex_lock(&lock);
  held++;
  while (is_held) pthread_cond_wait(&released, &lock);
  held--;
  pthread_mutex_unlock(&lock);
}

static TRITONSERVER_Error* fake__control(const char* name) {
  fake__wait(name);
  done++;
  if (strcmp(name, "refusing") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "Server not ready");
  if (strcmp(name, "polling") == 0) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE,
                                 "explicit model load / unload is not allowed if polling is enabled");
  }
  return NULL;
}

TRITONSERVER_Error* TRITONSERVER_ServerUnloadModel(TRITONSERVER_Server* server, const char* name) {
  (void)server;
  if (strcmp(name, "told") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNKNOWN, "alone");
  return fake__control(name);
}

TRITONSERVER_Error* TRITONSERVER_ServerUnloadModelAndDependents(TRITONSERVER_Server* server, const char* name) {
  (void)server;
  if (strcmp(name, "told") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNKNOWN, "with dependents");
  return fake__control(name);
}

TRITONSERVER_Error* TRITONSERVER_ServerLoadModel(TRITONSERVER_Server* server, const char* name) {
  return TRITONSERVER_ServerLoadModelWithParameters(server, name, NULL, 0);
}

// The names, with the sum of the bytes of each: all of them are read.
TRITONSERVER_Error* TRITONSERVER_ServerLoadModelWithParameters(TRITONSERVER_Server* server, const char* name,
                                                               const TRITONSERVER_Parameter** parameters,
                                                               uint64_t count) {
  (void)server;
  char told[4096] = "";
  size_t length = 0;
  TRITONSERVER_Error* error = fake__control(name);
  if (error != NULL) return error;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t sum = 0;
    for (uint64_t k = 0; k < parameters[i]->bytes; k++) sum += ((const uint8_t*)parameters[i]->value)[k];
    length +=
        (size_t)snprintf(told + length, sizeof told - length, "%s %llu %llu %s;", parameters[i]->name,
                         (unsigned long long)parameters[i]->bytes, (unsigned long long)sum,
                         parameters[i]->type == TRITONSERVER_PARAMETER_STRING ? (const char*)parameters[i]->value : "");
  }
  if (strcmp(name, "told") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, told);
  if (strcmp(name, "broken") == 0) return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, "it is broken");
  return NULL;
}
