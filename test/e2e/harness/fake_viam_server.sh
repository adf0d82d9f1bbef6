#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the fake of viam-server: VIAM_SERVER=$PWD/test/e2e/harness/fake_viam_server.sh npm run test:e2e -- test/e2e/viam_server.test.ts
here=$(dirname "$(readlink -f "$0")")
exec node --import "file://$here/../../../node_modules/tsx/dist/loader.mjs" "$here/fake_viam_server.ts" "$@"
