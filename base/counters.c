/* Names and documentation of the counters. */
#include "base/counters.h"

#include <glib.h>

static const struct {
  const char *name, *doc;
} counters[SS_N_COUNTERS] = {
#define SS_COUNTER(name, doc) { #name, doc },
#include "base/counters.def"
#undef SS_COUNTER
};

const char *
ss_counter_name (SsCounterName counter)
{
  g_assert ((unsigned) counter < SS_N_COUNTERS);
  /* Interned: the preprocessor cannot lower a name's case, and the caller
   * need not free it. */
  char *lower = g_ascii_strdown (counters[counter].name, -1);
  const char *name = g_intern_string (lower);

  g_free (lower);
  return name;
}

const char *
ss_counter_doc (SsCounterName counter)
{
  g_assert ((unsigned) counter < SS_N_COUNTERS);
  return counters[counter].doc;
}
