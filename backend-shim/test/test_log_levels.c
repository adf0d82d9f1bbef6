// SPDX-License-Identifier: Apache-2.0
// A stub is told which lines the log takes, each level by its bit.
#include "log_levels.h"

#include "check.h"
#include "fake_triton.h"

int main(void) {
  static struct tsb_control control;
  static const struct {
    TRITONSERVER_LogLevel level;
    uint32_t bit;
  } LEVELS[] = {{TRITONSERVER_LOG_INFO, TSB_LOG_LEVEL_INFO},
                {TRITONSERVER_LOG_WARN, TSB_LOG_LEVEL_WARN},
                {TRITONSERVER_LOG_ERROR, TSB_LOG_LEVEL_ERROR},
                {TRITONSERVER_LOG_VERBOSE, TSB_LOG_LEVEL_VERBOSE}};
  const uint32_t all = TSB_LOG_LEVEL_INFO | TSB_LOG_LEVEL_WARN | TSB_LOG_LEVEL_ERROR | TSB_LOG_LEVEL_VERBOSE;
  tsb_log_levels_tell(&control);
  CHECK_INT(control.log_levels, all);
  for (int i = 0; i < 4; i++) {
    fake_log_switch(LEVELS[i].level, false);
    tsb_log_levels_tell(&control);
    CHECK_INT(control.log_levels, all & ~LEVELS[i].bit);
    fake_log_switch(LEVELS[i].level, true);
  }
  control.log_levels = 0xffffffff;  // whatever a stub writes there
  tsb_log_levels_tell(&control);
  CHECK_INT(control.log_levels, all);
  return 0;
}
