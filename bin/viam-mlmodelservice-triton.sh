#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a Viam robot starts: bin/viam-mlmodelservice-triton.sh ADDRESS [OPTION...]. Runs the module on the Node that the install
# brought, else on the one that is on PATH.
root=$(dirname "$(dirname "$(readlink -f "$0")")")
main="$root/dist/viam-module/main.js"
if [ ! -f "$main" ]; then
  echo "The module is not built: $main is missing. Run \"npm run setup\" in $root first." >&2
  exit 1
fi
case $(uname -m) in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) machine=$(uname -m) ;;
esac
# In a checkout or the registry's archive; beside this package where npm has installed it.
for node in "$root/node_modules/node-linux-$machine/bin/node" "$root/../node-linux-$machine/bin/node"; do
  if [ -x "$node" ]; then
    exec "$node" "$main" "$@"
  fi
done
if ! command -v node >/dev/null; then
  echo "The module needs Node 20 or newer, and none was found. Install one, or run \"npm run setup\" in $root." >&2
  exit 1
fi
exec node "$main" "$@"
