// SPDX-License-Identifier: Apache-2.0
#include "resemblance.h"

#include <ctype.h>
#include <string.h>

enum { LETTERS_MAX = 64, FRONT_MIN = 8, LETTERS_PER_SLIP = 6, SLIPS_MAX = 3 };

// The letters and digits of a name; false when there are too many.
static bool resemblance__letters(const char* name, char letters[LETTERS_MAX + 1]) {
  size_t length = 0;
  for (; *name != '\0'; name++) {
    if (!isalnum((unsigned char)*name)) continue;
    if (length == LETTERS_MAX) return false;
    letters[length++] = (char)tolower((unsigned char)*name);
  }
  letters[length] = '\0';
  return true;
}

// How many letters must be put in, left out or exchanged to make one of the other.
static size_t resemblance__distance(const char* from, const char* to) {
  size_t row[LETTERS_MAX + 1];
  size_t columns = strlen(to);
  for (size_t j = 0; j <= columns; j++) row[j] = j;
  for (size_t i = 1; from[i - 1] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= columns; j++) {
      size_t exchanged = diagonal + (from[i - 1] != to[j - 1]);
      size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = exchanged < other ? exchanged : other;
    }
  }
  return row[columns];
}

bool tsb_resembles(const char* given, const char* known) {
  char a[LETTERS_MAX + 1], b[LETTERS_MAX + 1];
  if (!resemblance__letters(given, a) || !resemblance__letters(known, b)) return false;
  size_t length = strlen(a), slips = strlen(b) / LETTERS_PER_SLIP;
  if (length >= FRONT_MIN && strncmp(a, b, length) == 0) return true;
  return resemblance__distance(a, b) <= (slips < SLIPS_MAX ? slips : SLIPS_MAX);
}
