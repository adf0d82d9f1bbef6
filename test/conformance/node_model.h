// SPDX-License-Identifier: Apache-2.0
// A model of models/, on a real Node, that the fake host has loaded.
#ifndef NODE_MODEL_H
#define NODE_MODEL_H

#include "fake_host.h"

// Loads the model of the folder, which has no tensors; ends the test when it does not load. fake_host_unload pairs with
// this.
void node_model_load(struct fake_host* host, const char* folder);

#endif
