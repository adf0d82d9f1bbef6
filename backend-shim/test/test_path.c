// SPDX-License-Identifier: Apache-2.0
// Names of folders as the server gives them: relative ones, links, and what lies above a link.
#include "path.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char root[PATH_MAX];  // resolved

static void expect(const char* path, const char* wanted, bool below_root) {
  char full[2 * PATH_MAX];
  snprintf(full, sizeof full, "%s%s", below_root ? root : "", wanted);
  char* found = tsb_path_absolute(path);
  CHECK_TEXT(found, full);
  free(found);
}

static void make_folders(void) {
  char name[] = "/tmp/triton-typescript-path-XXXXXX";
  CHECK(mkdtemp(name) != NULL);
  CHECK(realpath(name, root) != NULL);
  CHECK_INT(chdir(root), 0);
  CHECK_INT(mkdir("real", 0700), 0);
  CHECK_INT(mkdir("real/inner", 0700), 0);
  CHECK_INT(symlink("real/inner", "link"), 0);
}

static void remove_folders(void) {
  CHECK_INT(chdir(root), 0);
  CHECK_INT(unlink("link") + rmdir("real/inner") + rmdir("real") + rmdir(root), 0);
}

static void test_relative_names(void) {
  expect("models/m", "/models/m", true);
  expect("./models//m/", "/models/m", true);
  expect(".", "", true);
  expect("link", "/link", true);
  CHECK_INT(chdir("link"), 0);  // the working directory is real/inner
  expect("m", "/real/inner/m", true);
  expect("../m", "/real/m", true);
  expect("../../m", "/m", true);
  CHECK_INT(chdir(root), 0);
}

static void test_full_names(void) {
  expect("/", "/", false);
  expect("/a/./b//c/", "/a/b/c", false);
  expect("/a/..b/c...", "/a/..b/c...", false);
  expect("/nowhere/../m", "/nowhere/../m", false);  // nobody knows what is above it
}

// What is above a link is above the folder that it leads to; the link itself is not resolved.
static void test_above_a_link(void) {
  expect("link/../m", "/real/m", true);
  expect("link/m", "/link/m", true);
  expect("link/../../link/m", "/link/m", true);
}

static void test_folders_with_a_resolved_name(void) {
  char self[PATH_MAX + 64];
  CHECK(tsb_path_is_resolvable(root));
  CHECK(tsb_path_is_resolvable("link"));
  CHECK(!tsb_path_is_resolvable("nowhere"));
  // Resolved it is as good as any other here, since our root is the same.
  snprintf(self, sizeof self, "/proc/%d/root%s", (int)getpid(), root);
  CHECK(tsb_path_is_resolvable(self));
}

static void test_a_working_directory_that_is_gone(void) {
  CHECK_INT(mkdir("gone", 0700) + chdir("gone"), 0);
  CHECK_INT(rmdir("../gone"), 0);
  expect("m", "m", false);
  CHECK_INT(chdir(root), 0);
}

int main(void) {
  make_folders();
  test_relative_names();
  test_full_names();
  test_above_a_link();
  test_folders_with_a_resolved_name();
  test_a_working_directory_that_is_gone();
  remove_folders();
  return 0;
}
