// SPDX-License-Identifier: Apache-2.0
#include "path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

// Behind the last "..", or NULL.
static const char* path__behind_last_parent(const char* path) {
  const char* found = NULL;
  for (const char* at = path; (at = strstr(at, "/..")) != NULL; at += 3) {
    if (at[3] == '/' || at[3] == '\0') found = at + 3;
  }
  return found;
}

// Adds the parts of a path one by one, each with a "/" in front.
static void path__add_parts(struct tsb_text* text, const char* path) {
  while (*path != '\0') {
    size_t length = strcspn(path, "/");
    if (length > 0 && !(length == 1 && path[0] == '.')) {
      tsb_text_add(text, "/", 1);
      tsb_text_add(text, path, length);
    }
    path += length + (path[length] == '/');
  }
}

char* tsb_path_absolute(const char* path) {
  char folder[PATH_MAX];
  struct tsb_text joined = {0}, result = {0};
  if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL) return strdup(path);
  if (path[0] != '/') tsb_text_printf(&joined, "%s/", folder);
  tsb_text_printf(&joined, "%s", path);
  const char* rest = tsb_text_get(&joined);
  const char* behind = path__behind_last_parent(rest);
  if (behind != NULL) {
    char* above = strndup(rest, (size_t)(behind - rest));
    char* resolved = above == NULL ? NULL : realpath(above, NULL);
    if (resolved != NULL) {
      path__add_parts(&result, resolved);
      rest = behind;
    }
    free(resolved);
    free(above);
  }
  path__add_parts(&result, rest);
  if (result.length == 0) tsb_text_add(&result, "/", 1);
  bool failed = joined.failed || result.failed;
  tsb_text_free(&joined);
  if (!failed) return result.bytes;
  tsb_text_free(&result);
  return NULL;
}

bool tsb_path_is_resolvable(const char* path) {
  struct stat named, resolved;
  char* name = realpath(path, NULL);
  bool same = name != NULL && stat(path, &named) == 0 && stat(name, &resolved) == 0 &&
              named.st_dev == resolved.st_dev && named.st_ino == resolved.st_ino;
  free(name);
  return same;
}
