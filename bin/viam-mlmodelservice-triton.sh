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
# The messages of calls lie outside of the JavaScript heap, but V8 counts them with it, and would look through all of the small
# heap after every fifth picture, in the middle of calls. With these it collects what is young, which is cheap, and lets the whole
# grow to 64 MB before it looks at that.
heap="--max-semi-space-size=2 --initial-old-space-size=64"
# A function is compiled well after four hundred calls, and best after three thousand: at ten pictures a second that takes five
# minutes, and what runs slowly until then throws more away. These make it the first pictures. Other Nodes may not have them.
early="--invocation-count-for-maglev=40 --minimum-invocations-after-ic-update=50 --invocation-count-for-turbofan=1000"
case $(uname -m) in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) machine=$(uname -m) ;;
esac
# In a checkout or the registry's archive; beside this package where npm has installed it.
for node in "$root/node_modules/node-linux-$machine/bin/node" "$root/../node-linux-$machine/bin/node"; do
  if [ -x "$node" ]; then
    # shellcheck disable=SC2086 # several options
    exec "$node" $heap $early "$main" "$@"
  fi
done
if ! command -v node >/dev/null; then
  echo "The module needs Node 20 or newer, and none was found. Install one, or run \"npm run setup\" in $root." >&2
  exit 1
fi
# shellcheck disable=SC2086
exec node $heap "$main" "$@"
