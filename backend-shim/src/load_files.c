// SPDX-License-Identifier: Apache-2.0
#include "load_files.h"

#include <stdlib.h>
#include <string.h>

// The server ends with an exception when a path that it makes of these is longer than the system's 4096 and 255 bytes.
enum { MAX_PATH_BYTES = 2048, MAX_PART_BYTES = 255 };

static bool load_files__is_short(const char* path) {
  if (strlen(path) > MAX_PATH_BYTES) return false;
  for (const char* part = path; *part != '\0'; part += *part == '/') {
    size_t length = strcspn(part, "/");
    if (length > MAX_PART_BYTES) return false;
    part += length;
  }
  return true;
}

// Whether a path stays inside of the folder that it is joined to.
static bool load_files__is_inside(const char* path) {
  if (path[0] == '\0' || path[0] == '/') return false;
  for (const char* part = path; part != NULL;) {
    size_t length = strcspn(part, "/");
    if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && strncmp(part, "..", 2) == 0)) return false;
    part = part[length] == '\0' ? NULL : part + length + 1;
  }
  return true;
}

static TRITONSERVER_Error* load_files__read(struct tsb_load_file* file, struct tsb_stub* stub,
                                            const struct tsb_json* item) {
  const char* path = tsb_json_string(tsb_payload_member(item, TSB_KEY_MODEL_LOAD_PART_path), "");
  int64_t region = tsb_json_int(tsb_payload_member(item, TSB_KEY_MODEL_LOAD_PART_region), -1);
  int64_t offset = tsb_json_int(tsb_payload_member(item, TSB_KEY_MODEL_LOAD_PART_offset), -1);
  int64_t bytes = tsb_json_int(tsb_payload_member(item, TSB_KEY_MODEL_LOAD_PART_bytes), -1);
  if (!load_files__is_inside(path)) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The file '%s' does not lie in the folder of the model that is to be loaded. Give its path in "
                         "that folder, such as '1/model.ts'.",
                         path);
  }
  if (!load_files__is_short(path)) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG,
                         "The path '%.80s...' of a file of the model that is to be loaded must take at most %d bytes, "
                         "and each name in it at most %d, but it takes %zu. Give it a shorter one.",
                         path, MAX_PATH_BYTES, MAX_PART_BYTES, strlen(path));
  }
  if (region < 0 || region > UINT32_MAX || offset < 0 || bytes < 0) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "The file '%s' lies nowhere.", path);
  }
  struct tsb_place place = {.region = (uint32_t)region, .offset = (uint64_t)offset, .bytes = (uint64_t)bytes};
  // Whoever serves a call holds the lock of the channel, over which the region was announced before.
  file->data = bytes == 0 ? (const uint8_t*)"" : tsb_stub_memory_resolve(&stub->memory, &place);
  file->bytes = place.bytes;
  if (file->data == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_INVALID_ARG, "The file '%s' lies outside of the memory of its process.",
                         path);
  }
  struct tsb_text name = {0};
  tsb_text_printf(&name, "file:%s", path);
  file->parameter = name.bytes;
  if (name.failed) return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Out of memory while loading a model.");
  return NULL;
}

TRITONSERVER_Error* tsb_load_files_read(struct tsb_load_files* files, struct tsb_stub* stub,
                                        const struct tsb_json* list) {
  *files = (struct tsb_load_files){0};
  uint32_t count = list != NULL && list->type == TSB_JSON_ARRAY ? tsb_json_length(list) : 0;
  if (count == 0) return NULL;
  files->files = calloc(count, sizeof *files->files);
  if (files->files == NULL) {
    return tsb_error_new(TRITONSERVER_ERROR_UNAVAILABLE, "Out of memory while loading a model.");
  }
  files->stub = stub;
  tsb_stub_retain(stub);
  TRITONSERVER_Error* error = NULL;
  for (const struct tsb_json* item = list->first; item != NULL && error == NULL; item = item->next) {
    error = load_files__read(&files->files[files->count++], stub, item);
  }
  if (error != NULL) tsb_load_files_free(files);
  return error;
}

void tsb_load_files_free(struct tsb_load_files* files) {
  for (uint32_t i = 0; i < files->count; i++) free(files->files[i].parameter);
  free(files->files);
  if (files->stub != NULL) tsb_stub_release(files->stub);
  *files = (struct tsb_load_files){0};
}
