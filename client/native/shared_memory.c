// SPDX-License-Identifier: Apache-2.0
// POSIX shared memory as an ArrayBuffer. Its only user is client/shared_memory.ts, which documents the methods;
// arguments are checked here all the same.
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
  void* base;
  size_t bytes;
};

static napi_value shared_memory__throw(napi_env env, const char* code, const char* message) {
  napi_throw_error(env, code, message);
  return NULL;
}

static napi_value shared_memory__throw_errno(napi_env env, int number) {
  const char* code = number == EEXIST   ? "EEXIST"
                     : number == ENOENT ? "ENOENT"
                     : number == EACCES ? "EACCES"
                     : number == ENOSPC ? "ENOSPC"
                     : number == ENOMEM ? "ENOMEM"
                                        : "EIO";
  return shared_memory__throw(env, code, strerror(number));
}

static bool shared_memory__key(napi_env env, napi_value value, char* key, size_t room) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok || length >= room) return false;
  // A zero in the middle would name other memory than the one that was meant.
  return napi_get_value_string_utf8(env, value, key, room, &length) == napi_ok && strlen(key) == length;
}

// The buffer is gone, or was detached: nobody reads the memory any more.
static void shared_memory__unmap(napi_env env, void* data, void* hint) {
  struct mapping* mapping = hint;
  (void)env;
  (void)data;
  munmap(mapping->base, mapping->bytes);
  free(mapping);
}

// Makes a file of that size whose pages are there, so that a full file system is an error now and no signal later.
static int shared_memory__make(const char* key, size_t bytes) {
  int fd = shm_open(key, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return -errno;
  int number;
  do {
    number = posix_fallocate(fd, 0, (off_t)bytes);
  } while (number == EINTR);
  if (number == 0) return fd;
  close(fd);
  shm_unlink(key);
  return -number;
}

// Opens a file that is there and at least that long.
static int shared_memory__find(const char* key, size_t bytes) {
  struct stat status;
  int fd = shm_open(key, O_RDWR, 0);
  if (fd < 0) return -errno;
  if (fstat(fd, &status) == 0 && (uint64_t)status.st_size >= bytes) return fd;
  close(fd);
  return -ERANGE;
}

static napi_value JS_map(napi_env env, napi_callback_info info) {
  napi_value arguments[3], buffer;
  size_t given = 3;
  char key[256];
  double bytes;
  bool makes;
  if (napi_get_cb_info(env, info, &given, arguments, NULL, NULL) != napi_ok || given < 3 ||
      !shared_memory__key(env, arguments[0], key, sizeof key) ||
      napi_get_value_double(env, arguments[1], &bytes) != napi_ok || !(bytes >= 1) || bytes > 1e15 ||
      napi_get_value_bool(env, arguments[2], &makes) != napi_ok) {
    return shared_memory__throw(env, "EINVAL", "map needs a key, bytes, and whether the memory is to be made.");
  }
  struct mapping* mapping = malloc(sizeof *mapping);
  if (mapping == NULL) return shared_memory__throw_errno(env, ENOMEM);
  mapping->bytes = (size_t)bytes;
  int fd = makes ? shared_memory__make(key, mapping->bytes) : shared_memory__find(key, mapping->bytes);
  if (fd < 0) {
    free(mapping);
    if (fd == -ERANGE) return shared_memory__throw(env, "ERANGE", "It is shorter than that.");
    return shared_memory__throw_errno(env, -fd);
  }
  mapping->base = mmap(NULL, mapping->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int number = errno;
  close(fd);
  if (mapping->base == MAP_FAILED) {
    free(mapping);
  } else if (napi_create_external_arraybuffer(env, mapping->base, mapping->bytes, shared_memory__unmap, mapping,
                                              &buffer) != napi_ok) {
    shared_memory__unmap(env, NULL, mapping);
    number = ENOMEM;
  } else {
    return buffer;
  }
  if (makes) shm_unlink(key);
  return shared_memory__throw_errno(env, number);
}

static napi_value JS_detach(napi_env env, napi_callback_info info) {
  napi_value buffer;
  size_t given = 1;
  if (napi_get_cb_info(env, info, &given, &buffer, NULL, NULL) != napi_ok || given < 1) return NULL;
  napi_detach_arraybuffer(env, buffer);  // one that was transferred is detached already
  return NULL;
}

static napi_value JS_unlink(napi_env env, napi_callback_info info) {
  napi_value key_value;
  size_t given = 1;
  char key[256];
  if (napi_get_cb_info(env, info, &given, &key_value, NULL, NULL) != napi_ok || given < 1 ||
      !shared_memory__key(env, key_value, key, sizeof key)) {
    return shared_memory__throw(env, "EINVAL", "unlink needs a key.");
  }
  shm_unlink(key);  // somebody else may have been faster
  return NULL;
}

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback method;
  } methods[] = {{"map", JS_map}, {"detach", JS_detach}, {"unlink", JS_unlink}};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    napi_value method;
    if (napi_create_function(env, methods[i].name, NAPI_AUTO_LENGTH, methods[i].method, NULL, &method) != napi_ok ||
        napi_set_named_property(env, exports, methods[i].name, method) != napi_ok) {
      return NULL;
    }
  }
  return exports;
}
