// SPDX-License-Identifier: Apache-2.0
// The models of the fake server, as far as others ask for them, load them and unload them. What happens depends on the
// name:
//
//   ready       is ready, in version 2
//   refusing    the server is not ready
//   polling     the server is not in explicit mode
//   broken      does not load
//   slow        is loaded and unloaded once the test says so
//   told        does not load, and the error tells what was to be loaded
//   leaving     is gone when it was asked for three times
//   any other   is loaded and unloaded at once, and never ready
#ifndef FAKE_MODELS_H
#define FAKE_MODELS_H

#include "fake_triton.h"

// Whether loads and unloads of "slow" wait.
void fake_models_hold(bool hold);
// How many of them wait.
int fake_models_held(void);
// How many loads and unloads have ended, and how many parameters of loads there are.
long fake_models_done(void);
long fake_live_parameters(void);

#endif
