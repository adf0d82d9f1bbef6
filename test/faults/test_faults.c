// SPDX-License-Identifier: Apache-2.0
// test_faults GROUP WINDOW: the library against stubs that fail or do evil, with WINDOW batches in flight. Always: each
// request is answered once, rightly or with an error; the host goes on; the stub is restarted; nothing is left.
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake_host.h"
#include "tsb_protocol.h"

enum { BATCHES = 3, REQUESTS = 3, ELEMENTS = 64, ANSWER_TIMEOUT_MS = 60000, RECOVERY_TRIES = 400 };

static int window;
static char starts_file[256];
static float data[BATCHES][REQUESTS][ELEMENTS];
static TRITONBACKEND_Request requests[BATCHES][REQUESTS];

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// --- One model on hostile stubs ------------------------------------------------------------------------------------
struct world {
  struct fake_host host;
  TRITONSERVER_Error* load_error;
  const char* load_step;
};

static void start_world(struct world* world, const char* evils, const char* options, const char* parameters) {
  char config[1024];
  snprintf(config, sizeof config,
           "{\"name\":\"fake_model\",\"max_batch_size\":0,\"input\":[{\"name\":\"IN\",\"data_type\":\"TYPE_FP32\","
           "\"dims\":[-1]}],\"output\":[{\"name\":\"OUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1]}],"
           "\"parameters\":{%s%s"
           "\"MAX_IN_FLIGHT_BATCHES\":{\"string_value\":\"%d\"}}}",
           parameters, parameters[0] == '\0' ? "" : ",", window);
  struct fake_host_plan plan = {.options = options, .config = config, .repository = "/nowhere"};
  fprintf(stderr, "--- %s, %d in flight\n", evils, window);
  unlink(starts_file);
  setenv("FAKE_STUB_EVILS", evils, 1);
  fake_log_clear();
  world->load_error = fake_host_load(&world->host, fake_library_linked(), &plan, &world->load_step);
}

static void expect_loaded(const struct world* world) {
  if (world->load_error == NULL) return;
  CHECK_FAIL("loading failed in step '%s': %s", world->load_step, TRITONSERVER_ErrorMessage(world->load_error));
}

// A grandchild that lost its parent is this process's to reap (PR_SET_CHILD_SUBREAPER), which takes a moment.
static void reap_grandchildren(void) {
  for (int i = 0; i < 2000 && fake_has_children(); i++) {
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    usleep(1000);
  }
}

static void expect_nothing_left(const struct world* world) {
  reap_grandchildren();
  const char* left = fake_host_leftover(&world->host);
  if (left != NULL) CHECK_FAIL("%s", left);
  CHECK_INT(fake_live_responses(), 0);
}

static void end_world(struct world* world) {
  if (world->load_error != NULL) {
    TRITONSERVER_ErrorDelete(world->load_error);
  } else {
    fake_host_unload(&world->host);
  }
  expect_nothing_left(world);
}

static void prepare_requests(void) {
  for (int i = 0; i < BATCHES; i++) {
    for (int j = 0; j < REQUESTS; j++) {
      TRITONBACKEND_Request* request = &requests[i][j];
      for (int k = 0; k < ELEMENTS; k++) data[i][j][k] = (float)(i * 10000 + j * 1000 + k);
      *request = (TRITONBACKEND_Request){.id = "r", .input_count = 1, .outputs = {"OUT"}, .output_count = 1};
      request->inputs[0] = (TRITONBACKEND_Input){.name = "IN",
                                                 .datatype = TRITONSERVER_TYPE_FP32,
                                                 .shape = {ELEMENTS},
                                                 .dims_count = 1,
                                                 .bytes = sizeof data[i][j],
                                                 .buffer_count = 1,
                                                 .buffers = {data[i][j]},
                                                 .buffer_bytes = {sizeof data[i][j]}};
    }
  }
}

// Hands all batches over, as many at once as the window allows.
static void send_batches(struct world* world, int batches) {
  for (int i = 0; i < batches; i++) {
    TRITONBACKEND_Request* batch[REQUESTS];
    for (int j = 0; j < REQUESTS; j++) {
      fake_request_clear(&requests[i][j]);
      batch[j] = &requests[i][j];
    }
    fake_host_execute(&world->host, batch, REQUESTS);
  }
}

static bool is_right(const TRITONBACKEND_Request* request, const float* expected) {
  const TRITONBACKEND_Output* output = fake_output(request, "OUT");
  return request->response->error == NULL && output != NULL && output->bytes == ELEMENTS * sizeof(float) &&
         memcmp(output->data, expected, output->bytes) == 0;
}

// Waits for all answers: one for each request, counted once in the statistics, an error or (unless `wrong_allowed`)
// the right data. Returns how many are right; *error is the text of the last error.
static int expect_one_answer_each(int batches, bool wrong_allowed, char* error, size_t error_bytes) {
  int right = 0;
  error[0] = '\0';
  for (int i = 0; i < batches; i++) {
    for (int j = 0; j < REQUESTS; j++) {
      TRITONBACKEND_Request* request = &requests[i][j];
      CHECK(fake_request_wait(request, ANSWER_TIMEOUT_MS));
      CHECK_INT(request->response_count, 1);
      CHECK_INT(request->release_count, 1);
      CHECK_INT(request->success_count + request->failure_count, 1);
      CHECK(request->response != NULL);
      if (request->response->error != NULL) {
        CHECK_INT(request->failure_count, 1);
        snprintf(error, error_bytes, "%s", TRITONSERVER_ErrorMessage(request->response->error));
      } else if (is_right(request, data[i][j])) {
        right++;
      } else if (!wrong_allowed) {
        CHECK_FAIL("the answer to request %d of batch %d is not what was sent", j, i);
      }
    }
  }
  return right;
}

static void clear_requests(int batches) {
  for (int i = 0; i < batches; i++) {
    for (int j = 0; j < REQUESTS; j++) fake_request_clear(&requests[i][j]);
  }
}

// Sends until all answers are right, as clients do that send again.
static void expect_recovery(struct world* world) {
  char error[1024];
  for (int i = 0; i < RECOVERY_TRIES; i++) {
    send_batches(world, BATCHES);
    int right = expect_one_answer_each(BATCHES, false, error, sizeof error);
    clear_requests(BATCHES);
    if (right == BATCHES * REQUESTS) return;
    usleep(10000);
  }
  CHECK_FAIL("the model did not recover; the last error was: %s", error);
}

static long starts(void) { return fake_host_file_bytes(starts_file); }

// --- Groups --------------------------------------------------------------------------------------------------------
struct fault {
  const char* evil;
  const char* error;  // part of what a client (or the load) is told; NULL: nothing is wrong with that
  const char* options;
};

static const char FAST[] =
    "\"restart-backoff-ms\":\"20\",\"stub-timeout-seconds\":\"1\",\"initialize-timeout-seconds\":\"1\"";
static const char PATIENT[] = "\"restart-backoff-ms\":\"20\"";

// A fault on the way to a running model: the load fails with a reason and leaves nothing; and the same while a stub is
// restarted, which is then tried again.
static void test_fault_of_start(const struct fault* fault) {
  struct world world;
  char evils[128], error[1024];
  start_world(&world, fault->evil, fault->options, "");
  CHECK(world.load_error != NULL);
  CHECK_CONTAINS(TRITONSERVER_ErrorMessage(world.load_error), fault->error);
  end_world(&world);

  snprintf(evils, sizeof evils, "exit_in_batch,%s", fault->evil);
  start_world(&world, evils, fault->options, "");
  expect_loaded(&world);
  send_batches(&world, 1);
  expect_one_answer_each(1, false, error, sizeof error);
  CHECK_CONTAINS(error, "is not healthy.");
  clear_requests(1);
  expect_recovery(&world);
  CHECK(fake_log_has("Restarting a stub process failed"));
  CHECK(fake_log_has(fault->error));
  CHECK_INT(starts(), 3);
  end_world(&world);
}

static void group_start(void) {
  char versions[96];
  snprintf(versions, sizeof versions, "speaks protocol version %d, but this runtime speaks version %d",
           TSB_PROTOCOL_VERSION + 1, TSB_PROTOCOL_VERSION);
  const struct fault FAULTS[] = {
      {"exit_before_hello", "while it was starting. It exited with code 0.", FAST},
      {"other_version", versions, FAST},
      {"version_not_published", "speaks protocol version 0", FAST},
      {"wrong_fingerprint", "built from different layouts", FAST},
      {"exit_after_hello", "while it was starting. It exited with code 7.", FAST},
      {"kill_after_hello", "It was killed by signal 9", FAST},
      {"hang_after_hello", "did not answer within 1 seconds while it was starting", FAST},
      {"garbage_after_hello", "broke the protocol on its control channel", FAST},
      {"refuse_without_reason", "refused the handshake and gave no reason", FAST},
      {"other_answer_to_hello", "broke the protocol on its control channel", FAST},
      {"hello_that_is_not_json", "answer is not JSON", FAST},
  };
  for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) test_fault_of_start(&FAULTS[i]);
}

static void group_steps(void) {
  static const struct fault FAULTS[] = {
      {"exit_in_load", "while it was loading the model file. It exited with code 7.", FAST},
      {"kill_in_load", "while it was loading the model file. It was killed by signal 9", FAST},
      {"hang_in_load", "did not answer within 1 seconds while it was loading the model file", FAST},
      {"stop_in_load", "did not answer within 1 seconds", FAST},
      {"garbage_in_load", "broke the protocol on its control channel", FAST},
      {"nonsense_in_load", "answer is not JSON", FAST},
      {"other_in_load", "broke the protocol on its control channel", FAST},
      {"stale_in_load", "broke the protocol on its control channel", FAST},
      {"error_in_load", "the stub's own words", FAST},
      {"exit_in_initialize", "while it was in the model's initialize. It exited with code 7.", FAST},
      {"kill_in_initialize", "while it was in the model's initialize. It was killed by signal 9", FAST},
      {"hang_in_initialize", "did not answer within 1 seconds while it was in the model's initialize", FAST},
      {"garbage_in_initialize", "broke the protocol on its control channel", FAST},
      {"error_in_initialize", "the stub's own words", FAST},
  };
  for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) test_fault_of_start(&FAULTS[i]);
}

// A fault with batches in flight.
static void test_fault_of_batch(const struct fault* fault, bool wrong_allowed) {
  struct world world;
  char error[1024];
  start_world(&world, fault->evil, fault->options, "");
  expect_loaded(&world);
  send_batches(&world, BATCHES);
  expect_one_answer_each(BATCHES, wrong_allowed, error, sizeof error);
  clear_requests(BATCHES);
  expect_recovery(&world);
  // All batches may have been answered before the library met the fault, so it is certain only in the log.
  if (fault->error != NULL && !fake_log_wait(fault->error, 10000)) CHECK_FAIL("the log does not say: %s", fault->error);
  if (fault->error != NULL) CHECK_INT(starts() >= 2, 1);
  end_world(&world);
}

static void run_batch_group(const struct fault* faults, size_t count) {
  for (size_t i = 0; i < count; i++) test_fault_of_batch(&faults[i], false);
}

static const char BROKEN[] = "wrote something that breaks the protocol; it is stopped.";
static const char KILLED[] = "is not healthy. It was killed by signal 9";

// A stub that lies about when it wrote an answer harms nobody: the times that are reported stay in order.
static void test_a_lie_about_time(const char* evil) {
  struct world world;
  char error[1024];
  start_world(&world, evil, PATIENT, "");
  expect_loaded(&world);
  for (int i = 0; i < 5; i++) {
    send_batches(&world, BATCHES);
    expect_one_answer_each(BATCHES, false, error, sizeof error);
    CHECK_TEXT(error, "");
    clear_requests(BATCHES);
  }
  CHECK(!fake_log_has("are not in order"));
  CHECK_INT(starts(), 1);
  end_world(&world);
}

// An answer that is possible, but not for its request, fails that one alone, and the process goes on.
static void test_an_answer_that_nobody_asked_for(void) {
  struct world world;
  char error[1024];
  start_world(&world, "", PATIENT, "");
  expect_loaded(&world);
  requests[0][1].output_count = 0;
  send_batches(&world, BATCHES);
  CHECK_INT(expect_one_answer_each(BATCHES, false, error, sizeof error), BATCHES * REQUESTS - 1);
  CHECK(requests[0][1].response->error != NULL);
  CHECK_CONTAINS(error, "output 'OUT', which the request did not ask for");
  clear_requests(BATCHES);
  requests[0][1].output_count = 1;
  expect_recovery(&world);
  CHECK_INT(starts(), 1);
  end_world(&world);
}

static void group_answers(void) {
  test_an_answer_that_nobody_asked_for();
  static const struct fault FAULTS[] = {
      {"not_final", BROKEN, PATIENT},         {"unknown_kind", BROKEN, PATIENT},
      {"execute_kind", BROKEN, PATIENT},      {"unknown_table", BROKEN, PATIENT},
      {"unknown_batch", BROKEN, PATIENT},     {"stale_generation", BROKEN, PATIENT},
      {"unknown_request", BROKEN, PATIENT},   {"place_behind_the_end", BROKEN, PATIENT},
      {"place_overflow", BROKEN, PATIENT},    {"place_too_long", BROKEN, PATIENT},
      {"region_unknown", BROKEN, PATIENT},    {"region_zero", BROKEN, PATIENT},
      {"answer_twice", BROKEN, PATIENT},      {"unused_batch", BROKEN, PATIENT},
      {"cancel_kind", BROKEN, PATIENT},       {"call_response_kind", BROKEN, PATIENT},
      {"metric_value_kind", BROKEN, PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
  test_a_lie_about_time("sent_long_ago");
  test_a_lie_about_time("sent_in_the_future");
  // An answer to a batch that does not exist yet: refused, or taken for the answer of the next one.
  test_fault_of_batch(&(struct fault){"answer_early", BROKEN, PATIENT}, true);
  // Whatever was read of a record that changes meanwhile was one state of it, checked after it was copied.
  for (int i = 0; i < 5; i++) test_fault_of_batch(&(struct fault){"record_that_changes", NULL, PATIENT}, true);
}

static void group_regions(void) {
  static const struct fault FAULTS[] = {
      {"region_unsealed", KILLED, PATIENT},        {"region_shrunk", KILLED, PATIENT},
      {"region_empty", KILLED, PATIENT},           {"region_too_large", KILLED, PATIENT},
      {"region_of_the_shim", KILLED, PATIENT},     {"region_without_descriptor", KILLED, PATIENT},
      {"region_twice", KILLED, PATIENT},           {"regions_without_end", KILLED, PATIENT},
      {"output_in_a_bad_region", KILLED, PATIENT}, {"region_that_lingers", KILLED, PATIENT},
      {"regions_that_linger", KILLED, PATIENT},    {"method_that_lingers", KILLED, PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
}

// Each answer lies in a region that was announced just before: the thread that reads answers and the supervisor meet at
// the channel, and neither may miss what the other one took.
static void test_a_region_for_each_answer(void) {
  struct world world;
  char error[1024];
  for (int round = 0; round < 5; round++) {
    start_world(&world, "region_for_each_answer,region_for_each_answer", PATIENT, "");
    expect_loaded(&world);
    for (int i = 0; i < 24; i++) {
      send_batches(&world, BATCHES);
      int right = expect_one_answer_each(BATCHES, false, error, sizeof error);
      if (right != BATCHES * REQUESTS) CHECK_FAIL("a good answer was refused: %s", error);
      clear_requests(BATCHES);
    }
    CHECK_INT(starts(), 1);
    end_world(&world);
  }
}

static void group_rings(void) {
  static const struct fault FAULTS[] = {
      {"tail_jump", BROKEN, PATIENT},
      {"tail_back", BROKEN, PATIENT},
      {"head_jump", BROKEN, PATIENT},
      {"full_ring_of_nonsense", BROKEN, PATIENT},
      {"all_of_memory_is_nonsense", "is not healthy.", PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
  test_a_region_for_each_answer();
}

static void group_shim_calls(void) {
  static const struct fault FAULTS[] = {
      {"reply_to_its_own_call", KILLED, PATIENT},       {"call_that_is_no_json", KILLED, PATIENT},
      {"call_without_an_object", KILLED, PATIENT},      {"call_without_an_id", KILLED, PATIENT},
      {"call_with_a_descriptor", KILLED, PATIENT},      {"calls_without_end", "could not be replied to", PATIENT},
      {"gone_without_end", "is not healthy.", PATIENT}, {"unloads_without_end", "is not healthy.", PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
}

static void group_channel(void) {
  static const struct fault FAULTS[] = {
      {"garbage_on_channel", "is not healthy.", PATIENT},
      {"huge_frame", "is not healthy.", PATIENT},
      {"answer_nobody_asked_for", "is not healthy.", PATIENT},
      {"shut_down_channel", "is not healthy.", PATIENT},
      {"close_channel", "is not healthy.", PATIENT},
      {"torn_frame", "is not healthy.", PATIENT},
      {"call_of_an_unknown_method", "is not healthy.", PATIENT},
      {"call_of_a_method_of_the_stub", "is not healthy.", PATIENT},
      {"method_zero", "is not healthy.", PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
  test_fault_of_start(
      &(struct fault){"descriptors_nobody_asked_for", "broke the protocol on its control channel", FAST});
  test_fault_of_start(&(struct fault){"other_in_initialize", "broke the protocol on its control channel", FAST});
}

static void group_process(void) {
  static const struct fault FAULTS[] = {
      {"exit_in_batch", "is not healthy. It exited with code 7.", PATIENT},
      {"kill_in_batch", KILLED, PATIENT},
      {"abort_in_batch", "is not healthy. It was killed by signal 6", PATIENT},
      {"exit_after_one_answer", "is not healthy. It exited with code 7.", PATIENT},
      {"exit_after_answers", "is not healthy. It exited with code 7.", PATIENT},
      {"child_left_behind", "is not healthy. It exited with code 7.", PATIENT},
      {"flood_of_output", NULL, PATIENT},
      {"dies_traced", "is not healthy.", PATIENT},
  };
  run_batch_group(FAULTS, sizeof FAULTS / sizeof FAULTS[0]);
}

// No write of the library may wait for the stub: the one that wakes it is on the way of every request.
static void test_a_stub_that_blocks_writes(void) {
  struct world world;
  char error[1024];
  start_world(&world, "blocks_the_server", PATIENT, "\"EXECUTE_TIMEOUT_SECONDS\":{\"string_value\":\"1\"}");
  expect_loaded(&world);
  send_batches(&world, 1);
  CHECK_INT(expect_one_answer_each(1, false, error, sizeof error), REQUESTS);
  clear_requests(1);
  usleep(50000);  // it does its worst after its answer
  send_batches(&world, 1);
  CHECK_INT(expect_one_answer_each(1, false, error, sizeof error), 0);
  CHECK_CONTAINS(error, "did not answer within 1 seconds (EXECUTE_TIMEOUT_SECONDS)");
  clear_requests(1);
  expect_recovery(&world);
  end_world(&world);
}

// A stub that does not answer is given up when the model has a limit.
static void group_time(void) {
  test_a_stub_that_blocks_writes();
  static const char* const EVILS[] = {"hang_in_batch", "stop_in_batch"};
  for (int i = 0; i < 2; i++) {
    struct world world;
    char error[1024];
    start_world(&world, EVILS[i], PATIENT, "\"EXECUTE_TIMEOUT_SECONDS\":{\"string_value\":\"1\"}");
    expect_loaded(&world);
    usleep(50000);  // the supervisor is at rest when the batch comes
    uint64_t start = now_ms();
    send_batches(&world, 1);
    int right = expect_one_answer_each(1, false, error, sizeof error);
    CHECK_INT(right, 0);
    CHECK_CONTAINS(error, "did not answer within 1 seconds (EXECUTE_TIMEOUT_SECONDS)");
    CHECK(now_ms() - start >= 1000);
    clear_requests(1);
    expect_recovery(&world);
    end_world(&world);
  }
  // Deaths in a row are answered by longer and longer waits, in which requests fail at once.
  struct world world;
  start_world(&world, "exit_in_batch,exit_in_batch,exit_in_batch", "\"restart-backoff-ms\":\"300\"", "");
  expect_loaded(&world);
  uint64_t start = now_ms();
  expect_recovery(&world);
  CHECK(now_ms() - start >= 300 + 600);
  CHECK_INT(starts(), 4);
  CHECK(fake_log_has("is restarted in 300 ms."));
  CHECK(fake_log_has("is restarted in 600 ms."));
  end_world(&world);
}

static void group_finalize(void) {
  static const char* const EVILS[] = {
      "exit_in_finalize",    "kill_in_finalize",     "hang_in_finalize",  "stop_in_finalize",
      "garbage_in_finalize", "nonsense_in_finalize", "error_in_finalize", ""};
  for (size_t i = 0; i < sizeof EVILS / sizeof EVILS[0]; i++) {
    struct world world;
    start_world(&world, EVILS[i], FAST, "");
    expect_loaded(&world);
    expect_recovery(&world);
    end_world(&world);
    CHECK_INT(starts(), 1);
    CHECK_INT(fake_log_has("Finalizing a model instance"), EVILS[i][0] != '\0');
  }
  // Unloading does not wait for a back-off.
  struct world world;
  char error[1024];
  start_world(&world, "exit_in_batch,exit_in_load", "\"restart-backoff-ms\":\"3600000\"", "");
  expect_loaded(&world);
  send_batches(&world, 1);
  expect_one_answer_each(1, false, error, sizeof error);
  clear_requests(1);
  CHECK(fake_log_wait("is restarted in 30000 ms.", 20000));
  TRITONSERVER_Error* not_ready = world.host.library.instance_ready(&world.host.instance);
  CHECK(not_ready != NULL);
  CHECK_INT(TRITONSERVER_ErrorCode(not_ready), TRITONSERVER_ERROR_UNAVAILABLE);
  TRITONSERVER_ErrorDelete(not_ready);
  end_world(&world);
}

static void group_switched_off(void) {
  struct world world;
  char error[1024];
  start_world(&world, "exit_after_one_answer", "\"restart\":\"false\"", "");
  expect_loaded(&world);
  CHECK(world.host.library.instance_ready(&world.host.instance) == NULL);
  send_batches(&world, 1);
  CHECK(expect_one_answer_each(1, false, error, sizeof error) <= 1);
  CHECK_CONTAINS(error, "It exited with code 7. Restarting is switched off; reload the model.");
  clear_requests(1);
  for (int i = 0; i < 5; i++) {
    send_batches(&world, 1);
    CHECK_INT(expect_one_answer_each(1, false, error, sizeof error), 0);
    CHECK_CONTAINS(error, "Restarting is switched off");
    clear_requests(1);
  }
  TRITONSERVER_Error* not_ready = world.host.library.instance_ready(&world.host.instance);
  CHECK(not_ready != NULL);
  TRITONSERVER_ErrorDelete(not_ready);
  CHECK_INT(starts(), 1);
  end_world(&world);
}

int main(int count, char** arguments) {
  static const struct {
    const char* name;
    void (*run)(void);
  } GROUPS[] = {{"start", group_start},          {"steps", group_steps},
                {"answers", group_answers},      {"regions", group_regions},
                {"rings", group_rings},          {"channel", group_channel},
                {"process", group_process},      {"time", group_time},
                {"finalize", group_finalize},    {"switched_off", group_switched_off},
                {"shim_calls", group_shim_calls}};
  if (count != 3) CHECK_FAIL("usage: %s GROUP WINDOW", arguments[0]);
  window = atoi(arguments[2]);
  signal(SIGPIPE, SIG_IGN);  // as in the server
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  snprintf(starts_file, sizeof starts_file, "/tmp/triton-typescript-faults-%d", (int)getpid());
  setenv("FAKE_STUB_STARTS", starts_file, 1);
  setenv("TRITON_TYPESCRIPT_NODE", HOSTILE_STUB, 1);
  setenv("TRITON_TYPESCRIPT_RUNTIME", FAKE_RUNTIME, 1);
  prepare_requests();
  for (size_t i = 0; i < sizeof GROUPS / sizeof GROUPS[0]; i++) {
    if (strcmp(GROUPS[i].name, arguments[1]) != 0) continue;
    GROUPS[i].run();
    unlink(starts_file);
    return 0;
  }
  CHECK_FAIL("there is no group '%s'", arguments[1]);
}
