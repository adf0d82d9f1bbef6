// SPDX-License-Identifier: Apache-2.0
// What a model's configuration says about how the server gives it batches.
#ifndef TSB_SCHEDULING_H
#define TSB_SCHEDULING_H

#include "json.h"

bool tsb_scheduling_has_one_instance(const struct tsb_json* config);
// Whether an instance may take its next batch while it is at one. Not where batches grow in the server meanwhile, nor
// where another instance could have it, nor where the server counts by Execute who uses a resource.
bool tsb_scheduling_may_prefetch(const struct tsb_json* config);

// The name of the control input that carries the id of a sequence, as it stands in `config`; NULL: there is none.
const char* tsb_scheduling_correlation_input(const struct tsb_json* config);

#endif
