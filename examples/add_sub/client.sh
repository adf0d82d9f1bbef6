#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sends two vectors of 16 numbers to the model `add_sub` with nothing but curl, and prints the answer as JSON.
#
#   ./client.sh [http://localhost:8000]
set -eu
url=${1:-http://localhost:8000}
curl --silent --show-error --fail-with-body "$url/v2/models/add_sub/infer" --data '{
  "inputs": [
    { "name": "INPUT0", "datatype": "FP32", "shape": [1, 16],
      "data": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] },
    { "name": "INPUT1", "datatype": "FP32", "shape": [1, 16],
      "data": [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2] }
  ]
}'
echo
