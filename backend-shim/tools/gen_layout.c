// SPDX-License-Identifier: Apache-2.0
// Prints stub/src/protocol/layout.gen.ts from the contract. `npm run gen:protocol` writes it, `npm test` compares.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "layout.h"

struct dtype_row {
  const char* name;
  int number;
  int bytes;
  const char* array;
};
static const struct dtype_row DTYPES[] = {
#define TSB_DTYPE(name, number, bytes, array) {#name, number, bytes, #array},
#include "tsb_dtype.def"
};
struct status_row {
  const char* name;
  int number;
};
static const struct status_row STATUSES[] = {
#define TSB_STATUS(name, number, suffix) {#name, number},
#include "tsb_status.def"
};

int main(void) {
  printf("// SPDX-License-Identifier: Apache-2.0\n");
  printf("// Generated from backend-shim/shared/ by `npm run gen:protocol`. Do not edit.\n\n");
  printf("export const FINGERPRINT = 0x%016" PRIx64 "n;\n\n", tsb_layout_fingerprint());
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    printf("export const ");
    for (const char* at = tsb_layout_items[i].name; *at != '\0'; at++) putchar(toupper((unsigned char)*at));
    printf(" = %" PRIu64 ";\n", tsb_layout_items[i].value);
  }
  printf("\n/** Datatypes by their number in Triton's API; `bytes` is the size of one element, 0 for BYTES. */\n");
  printf("export const DTYPES = [\n");
  for (unsigned i = 0; i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
    printf("  { name: \"%s\", number: %d, bytes: %d, array: %s },\n", DTYPES[i].name, DTYPES[i].number, DTYPES[i].bytes,
           DTYPES[i].array);
  }
  printf("] as const;\n\n/** Numbers of the codes of `TritonError` in a response record. */\n");
  printf("export const STATUSES = {\n");
  for (unsigned i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
    printf("  %s: %d,\n", STATUSES[i].name, STATUSES[i].number);
  }
  printf("} as const;\n");
  return 0;
}
