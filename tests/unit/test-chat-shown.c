/* What a chat's output does not take in time is counted where it is missing. */
#include "examples/shown.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  Shown shown;
  unsigned added, next; /* of the lines, by number */
  unsigned n_told, n_notices;
} Reader;

static void
add (Reader *reader, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    shown_add (&reader->shown,
               g_strdup_printf ("anna#01234567: %u\n", reader->added++));
  g_assert_cmpuint (reader->shown.lines.length, <=, SHOWN_MAX);
}

/* Reads up to so many lines: the next one each time, or how many are not there
 * before it. */
static void
take (Reader *reader, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    g_autofree char *line = shown_next (&reader->shown);
    unsigned number;
    if (line == NULL)
      return;
    g_assert_true (g_str_has_suffix (line, "\n"));
    if (sscanf (line, "anna#01234567: %u\n", &number) == 1) {
      g_assert_cmpuint (number, ==, reader->next);
      reader->next++;
      continue;
    }
    g_assert_null (strchr (line, '#'));
    g_assert_cmpint (sscanf (line, "ss-chat: %u lines are lost", &number), ==,
                     1);
    reader->next += number;
    reader->n_told += number;
    reader->n_notices++;
  }
}

static void
test_in_time (void)
{
  Reader reader = { 0 };
  shown_init (&reader.shown);
  for (unsigned i = 0; i < 4; i++) {
    add (&reader, SHOWN_MAX);
    take (&reader, SHOWN_MAX);
  }
  g_assert_null (shown_next (&reader.shown));
  g_assert_cmpuint (reader.next, ==, 4 * SHOWN_MAX);
  g_assert_cmpuint (reader.n_notices, ==, 0);
  shown_clear (&reader.shown);
}

/* Nobody reads for a while, twice. */
static void
test_blocked (void)
{
  Reader reader = { 0 };
  shown_init (&reader.shown);
  for (unsigned i = 1; i <= 2; i++) {
    add (&reader, SHOWN_MAX + 123);
    take (&reader, SHOWN_MAX);
    g_assert_cmpuint (reader.n_notices, ==, i - 1);
    add (&reader, 1); /* there is room again, and it comes after the notice */
    take (&reader, 2);
    g_assert_cmpuint (reader.n_notices, ==, i);
    g_assert_cmpuint (reader.n_told, ==, i * 123);
    g_assert_cmpuint (reader.next, ==, reader.added);
    g_assert_null (shown_next (&reader.shown));
  }
  shown_clear (&reader.shown);
}

/* A reader half as fast as the talk: all is shown or told, and the most are
 * lines. */
static void
test_slow (void)
{
  Reader reader = { 0 };
  shown_init (&reader.shown);
  for (unsigned i = 0; i < 10 * SHOWN_MAX; i++) {
    add (&reader, 2);
    take (&reader, 1);
  }
  take (&reader, G_MAXUINT);
  g_assert_cmpuint (reader.next, ==, reader.added);
  g_assert_cmpuint (reader.n_told, >, reader.added / 4);
  g_assert_cmpuint (reader.n_notices, <=, 10);
  g_assert_cmpuint (reader.n_notices, >=, 2);
  shown_clear (&reader.shown);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/chat/shown/in-time", test_in_time);
  g_test_add_func ("/chat/shown/blocked", test_blocked);
  g_test_add_func ("/chat/shown/slow", test_slow);
  return g_test_run ();
}
