// SPDX-License-Identifier: Apache-2.0
// Loads and unloads that a stub asks for: what it may not ask for, its death and the model's end while one is open, and
// the end of the library.
#include "fake_models.h"
#include "small_world.h"

static const char CONFIG[] = WORLD_IO "}";

static void wait_for(bool (*is_so)(long), long value) {
  for (int waited = 0; !is_so(value); waited++) {
    CHECK(waited < WORLD_WAIT_MS);
    usleep(1000);
  }
}

static bool are_held(long count) { return fake_models_held() == count; }
static bool are_done(long count) { return fake_models_done() >= count; }

static void echo(void) {
  world_send(0, WORLD_REQUESTS);
  for (int i = 0; i < WORLD_REQUESTS; i++) world_expect_end(i);
}

// The stub is told, and goes on.
static void test_reply(const char* evil, const char* says) {
  world_start(evil, CONFIG);
  echo();
  for (int i = 0; i < WORLD_REQUESTS; i++) world_expect_echo(i);
  if (!fake_log_wait(says, WORLD_WAIT_MS)) CHECK_FAIL("the log does not say: %s", says);
  CHECK_INT(fake_log_has("is not healthy"), false);
  world_end();
  CHECK_INT(fake_live_parameters(), 0);
}

// The stub dies while what it asked for is open, and the model is unloaded: the server goes on reading what it was
// given.
static void test_death(const char* evil) {
  long before = fake_models_done();
  fake_models_hold(true);
  world_start(evil, CONFIG);
  echo();
  wait_for(are_held, 1);
  world_clear();
  CHECK_INT(fake_models_done(), before);
  fake_models_hold(false);
  wait_for(are_done, before + 1);
  world_end();
  CHECK_INT(fake_live_parameters(), 0);
}

static void* release_late(void* before) {
  usleep(20000);
  CHECK_INT(fake_models_done(), *(long*)before);
  fake_models_hold(false);
  return NULL;
}

// The server is within the library as long as a load or an unload is open.
static void test_end(const char* evil) {
  pthread_t thread;
  long before = fake_models_done();
  fake_models_hold(true);
  world_start(evil, CONFIG);
  echo();
  wait_for(are_held, 1);
  CHECK_INT(pthread_create(&thread, NULL, release_late, &before), 0);
  world_end();
  CHECK_INT(fake_models_done(), before + 1);
  pthread_join(thread, NULL);
  CHECK_INT(fake_live_parameters(), 0);
}

// What a model asks for in its initialize begins at once, also where more is open than there are threads for the rest,
// all of which may wait for it.
static void test_initialize(void) {
  long before = fake_models_done();
  fake_models_hold(true);
  world_start("loads_in_initialize", CONFIG);
  wait_for(are_held, TSB_MAX_SHIM_CALLS / 2);
  fake_models_hold(false);
  wait_for(are_done, before + TSB_MAX_SHIM_CALLS / 2);
  world_end();
}

// One that asks for more than there is room for is none of ours; what it has asked for is done.
static void test_too_many(const char* evil) {
  long before = fake_models_done();
  fake_models_hold(true);
  world_start(evil, CONFIG);
  echo();
  if (!fake_log_wait("is not healthy", WORLD_WAIT_MS)) CHECK_FAIL("a stub with too many calls goes on");
  fake_models_hold(false);
  wait_for(are_done, before + TSB_MAX_SHIM_CALLS);
  world_end();
  CHECK_INT(fake_models_done(), before + TSB_MAX_SHIM_CALLS);
}

int main(void) {
  world_prepare("model-control");
  test_reply("load_file", "config 2 248 {};file:1/model.ts 24 24 ;");
  test_reply("load_file_of_no_bytes", "config 2 248 {};file:x 0 0 ;");
  test_reply("load_file_up", "The file '1/../../x' does not lie in the folder of the model");
  test_reply("load_file_absolute", "The file '/x' does not lie in the folder");
  test_reply("load_file_unnamed", "The file '' does not lie in the folder");
  test_reply("load_file_deep", "must take at most 2048 bytes, and each name in it at most 255, but it takes 2049.");
  test_reply("load_file_long", "must take at most 2048 bytes, and each name in it at most 255, but it takes 258.");
  test_reply("load_file_behind_the_end", "The file 'x' lies outside of the memory of its process.");
  test_reply("load_file_overflow", "The file 'x' lies outside of the memory of its process.");
  test_reply("load_file_nowhere", "The file 'x' lies outside of the memory of its process.");
  test_reply("load_file_negative", "The file 'x' lies nowhere.");
  test_reply("waits_for_itself", "Model 'fake_model' cannot wait until it is unloaded itself");
  test_reply("unload", "got {\"error\":{\"code\":\"UNKNOWN\",\"message\":\"alone\"}}");
  test_reply("unload_with_dependents", "\"message\":\"with dependents\"");
  test_reply("unload_with_a_text", "\"message\":\"alone\"");
  test_reply("unload_of_a_number", "call 1 of method 10 got {}");
  test_reply("unload_of_nothing", "call 1 of method 10 got {}");
  test_reply("gone", "call 1 of method 11 got {\"gone\":true}");
  test_reply("gone_not_yet", "call 1 of method 11 got {\"gone\":false}");
  test_reply("gone_of_a_list", "call 1 of method 11 got {\"gone\":true}");
  test_reply("gone_of_nothing", "call 1 of method 11 got {\"gone\":true}");
  test_death("load_and_exit");
  test_death("unload_and_exit");
  test_end("load_and_go_on");
  test_end("load_and_exit");
  test_end("unload_and_go_on");
  test_end("unload_and_exit");
  test_too_many("loads_without_end");
  test_too_many("unloads_too_many");
  test_initialize();
  world_close();
  return 0;
}
