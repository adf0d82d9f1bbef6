// SPDX-License-Identifier: Apache-2.0
#include "log_levels.h"

#include "barrier.h"
#include "triton_api.h"

void tsb_log_levels_tell(struct tsb_control* control) {
  uint32_t levels = 0;
  if (TRITONSERVER_LogIsEnabled(TRITONSERVER_LOG_INFO)) levels |= TSB_LOG_LEVEL_INFO;
  if (TRITONSERVER_LogIsEnabled(TRITONSERVER_LOG_WARN)) levels |= TSB_LOG_LEVEL_WARN;
  if (TRITONSERVER_LogIsEnabled(TRITONSERVER_LOG_ERROR)) levels |= TSB_LOG_LEVEL_ERROR;
  if (TRITONSERVER_LogIsEnabled(TRITONSERVER_LOG_VERBOSE)) levels |= TSB_LOG_LEVEL_VERBOSE;
  // The line of the cache stays the stub's as long as nothing changes. The word stands alone: no order is needed.
  if (tsb_load_acquire_u32(&control->log_levels) != levels) tsb_store_release_u32(&control->log_levels, levels);
}
