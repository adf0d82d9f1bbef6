#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sends a picture to the model `image_preprocess` with nothing but curl, and saves the 3 * 224 * 224 floats.
#
#   ./client.sh photo.jpg pixels.bin [http://localhost:8000]
set -eu
image=${1:?"usage: client.sh IMAGE OUTPUT [URL]"}
output=${2:?"usage: client.sh IMAGE OUTPUT [URL]"}
url=${3:-http://localhost:8000}

# A request is a JSON header followed by the bytes of its tensors; the answer has the same form.
size=$(wc -c <"$image" | tr -d ' ')
header=$(printf '{"inputs":[{"name":"IMAGE","datatype":"UINT8","shape":[%d],"parameters":{"binary_data_size":%d}}],"outputs":[{"name":"PIXELS","parameters":{"binary_data":true}}]}' "$size" "$size")
fields=$(mktemp)
trap 'rm -f "$fields" "$output.raw"' EXIT
{ printf '%s' "$header"; cat "$image"; } | curl --silent --show-error --fail-with-body \
  --header "Inference-Header-Content-Length: ${#header}" --data-binary @- \
  --dump-header "$fields" --output "$output.raw" "$url/v2/models/image_preprocess/infer" || { cat "$output.raw" >&2; exit 1; }

skip=$(tr -d '\r' <"$fields" | awk 'tolower($1) == "inference-header-content-length:" { print $2 }')
tail -c "+$((skip + 1))" "$output.raw" >"$output"
echo "$(wc -c <"$output" | tr -d ' ') bytes: FP32 [3, 224, 224], red, green and blue planes"
