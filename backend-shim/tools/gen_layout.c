// SPDX-License-Identifier: Apache-2.0
// Prints what is made of the contract's lists: `gen_layout ts` stub/src/protocol/layout.gen.ts, `gen_layout docs` the
// tables of docs/protocol.md. `npm run gen:protocol` writes both, `npm test` compares.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"

static const struct {
  const char* name;
  int number, bytes;
  const char* array;
} DTYPES[] = {
#define TSB_DTYPE(name, number, bytes, array) {#name, number, bytes, #array},
#include "tsb_dtype.def"
};

static const struct {
  const char* name;
  int number;
} STATUSES[] = {
#define TSB_STATUS(name, number, suffix) {#name, number},
#include "tsb_status.def"
};

static const struct {
  const char *name, *lower, *receiver, *owner, *place, *text;
  int number;
} ENTRIES[] = {
#define TSB_ENTRY(name, lower, number, receiver, owner, place, text) \
  {#name, #lower, #receiver, owner, place, text, number},
#define TSB_ENTRY_FLAG(kind, name, bit, text)
#define TSB_TABLE(name, number, text)
#include "tsb_entry.def"
#undef TSB_ENTRY
#undef TSB_ENTRY_FLAG
};

static const struct {
  const char *kind, *name, *text;
} ENTRY_FLAGS[] = {
#define TSB_ENTRY(name, lower, number, receiver, owner, place, text)
#define TSB_ENTRY_FLAG(kind, name, bit, text) {#kind, #name, text},
#include "tsb_entry.def"
};

static const struct {
  const char *name, *lower, *receiver, *form, *text;
  int number;
} METHODS[] = {
#define TSB_METHOD(name, lower, number, receiver, form, text) {#name, #lower, #receiver, #form, text, number},
#define TSB_METHOD_KEY(method, part, key)
#define TSB_FRAME_FLAG(name, bit, text)
#include "tsb_method.def"
#undef TSB_METHOD
#undef TSB_METHOD_KEY
};

static const struct {
  const char *method, *part, *key;
} KEYS[] = {
#define TSB_METHOD(name, lower, number, receiver, form, text)
#define TSB_METHOD_KEY(method, part, key) {#method, #part, #key},
#include "tsb_method.def"
};

#define EACH(list, i) for (unsigned i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

static int is_for(const char* receiver, const char* side) {
  return strcmp(receiver, side) == 0 || strcmp(receiver, "BOTH") == 0;
}

// Names of the lists are written with underscores; JavaScript's properties are not.
static void print_camel(const char* lower) {
  for (const char* at = lower; *at != '\0'; at++) {
    if (*at == '_' && at[1] != '\0') {
      putchar(toupper((unsigned char)*++at));
    } else {
      putchar(*at);
    }
  }
}

// The keys of a payload, each between two quotes, with `begin` before the first.
static void print_keys(const char* method, const char* part, const char* begin, char quote) {
  const char* separator = begin;
  EACH(KEYS, i) {
    if (strcmp(KEYS[i].method, method) != 0 || strcmp(KEYS[i].part, part) != 0) continue;
    printf("%s%c%s%c", separator, quote, KEYS[i].key, quote);
    separator = ", ";
  }
}

static void print_dispatch(void) {
  printf("\n/** Kinds of entries that the stub takes. */\nexport const ENTRIES_TO_STUB = {\n");
  EACH(ENTRIES, i) {
    if (is_for(ENTRIES[i].receiver, "STUB")) printf("  %s: %d,\n", ENTRIES[i].lower, ENTRIES[i].number);
  }
  printf("} as const;\n");
}

static void print_methods(void) {
  printf(
      "\n/**\n * Methods of the control channel: who has `stub: true` must be answered by the stub's dispatcher, and "
      "who has `shim:\n");
  printf(" * true` may be called by the stub.\n */\n");
  printf("export const METHODS = {\n");
  EACH(METHODS, i) {
    printf("  ");
    print_camel(METHODS[i].lower);
    printf(": {\n    number: %d,\n    stub: %s,\n    shim: %s,\n    call: [", METHODS[i].number,
           is_for(METHODS[i].receiver, "STUB") ? "true" : "false",
           is_for(METHODS[i].receiver, "SHIM") && strcmp(METHODS[i].form, "CALL") == 0 ? "true" : "false");
    print_keys(METHODS[i].name, "CALL", "", '"');
    printf("],\n    reply: [");
    print_keys(METHODS[i].name, "REPLY", "", '"');
    printf("],\n    part: [");
    print_keys(METHODS[i].name, "PART", "", '"');
    printf("],\n  },\n");
  }
  printf("} as const;\n\n/** Keys of the error that any reply may hold instead, and of what is in it. */\n");
  printf("export const ERROR_KEYS = { reply: [");
  print_keys("ERROR", "REPLY", "", '"');
  printf("], part: [");
  print_keys("ERROR", "PART", "", '"');
  printf("] } as const;\n");
}

static void print_typescript(void) {
  printf("// SPDX-License-Identifier: Apache-2.0\n");
  printf("// Generated from backend-shim/shared/ by `npm run gen:protocol`. Do not edit.\n\n");
  printf("export const FINGERPRINT = 0x%016" PRIx64 "n;\n\n", tsb_layout_fingerprint());
  for (uint32_t i = 0; i < tsb_layout_count; i++) {
    printf("export const ");
    for (const char* at = tsb_layout_items[i].name; *at != '\0'; at++) putchar(toupper((unsigned char)*at));
    printf(" = %" PRIu64 ";\n", tsb_layout_items[i].value);
  }
  print_dispatch();
  print_methods();
  printf("\n/** Datatypes by their number in Triton's API; `bytes` is the size of one element, 0 for BYTES. */\n");
  printf("export const DTYPES = [\n");
  EACH(DTYPES, i) {
    printf("  { name: \"%s\", number: %d, bytes: %d, array: %s },\n", DTYPES[i].name, DTYPES[i].number, DTYPES[i].bytes,
           DTYPES[i].array);
  }
  printf("] as const;\n\n/** Numbers of the codes of `TritonError` in a response record. */\n");
  printf("export const STATUSES = {\n");
  EACH(STATUSES, i) printf("  %s: %d,\n", STATUSES[i].name, STATUSES[i].number);
  printf("} as const;\n");
}

static void print_docs(void) {
  printf("<!-- entries -->\n");
  printf("| entry | to | owner | place | what it says; flags |\n| --- | --- | --- | --- | --- |\n");
  EACH(ENTRIES, i) {
    printf("| `%s` | %s | %s | %s | %s", ENTRIES[i].name, strcmp(ENTRIES[i].receiver, "STUB") == 0 ? "stub" : "shim",
           ENTRIES[i].owner, ENTRIES[i].place, ENTRIES[i].text);
    EACH(ENTRY_FLAGS, j) {
      if (strcmp(ENTRY_FLAGS[j].kind, ENTRIES[i].name) != 0) continue;
      printf(" `%s`: %s", ENTRY_FLAGS[j].name, ENTRY_FLAGS[j].text);
    }
    printf(" |\n");
  }
  printf("<!-- methods -->\n");
  printf("| method | to | reply | what it says | keys of its payload; of its reply's |\n");
  printf("| --- | --- | --- | --- | --- |\n");
  EACH(METHODS, i) {
    printf("| `%s` | %s | %s | %s | ", METHODS[i].name,
           strcmp(METHODS[i].receiver, "BOTH") == 0   ? "both"
           : strcmp(METHODS[i].receiver, "STUB") == 0 ? "stub"
                                                      : "shim",
           strcmp(METHODS[i].form, "CALL") == 0 ? "yes" : "no", METHODS[i].text);
    print_keys(METHODS[i].name, "CALL", "", '`');
    print_keys(METHODS[i].name, "PART", ", each of ", '`');
    print_keys(METHODS[i].name, "REPLY", "; ", '`');
    printf(" |\n");
  }
}

int main(int count, char** arguments) {
  if (count == 2 && strcmp(arguments[1], "ts") == 0) {
    print_typescript();
  } else if (count == 2 && strcmp(arguments[1], "docs") == 0) {
    print_docs();
  } else {
    fprintf(stderr, "Usage: gen_layout ts|docs\n");
    return 1;
  }
  return 0;
}
