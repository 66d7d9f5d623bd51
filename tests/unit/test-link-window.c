/* The receive window of reliable messages as a table of verdicts. */
#include <glib.h>

#include "overlay/link/private.h"

#define OWNER UINT32_C (0x1234)

typedef struct {
  uint16_t sequence;
  SsTime at;
  bool is_new;
} Verdict;

static void
test_table (void)
{
  static const Verdict verdicts[] = {
    { 8186, 0, true },
    { 8186, 0, false },
    { 8185, 0, true }, /* overtaken by the first */
    { 8185, 0, false },
    { 8188, 0, true },
    { 8187, 0, true },
    { 4, 0, true }, /* they wrap around */
    { 8187, 0, false },
    { 8191, 0, true },
    { 4 + SEQUENCE_WINDOW - 1, 0, true },
    { 4, 0, false },
    { 5, 0, true },
    { 8191, 0, false }, /* too old to tell */
    { 3, 0, false },
    { 1000, 0, true }, /* farther than the window is long */
    { 1000 - SEQUENCE_WINDOW + 1, 0, true },
    { 1000 - SEQUENCE_WINDOW, 0, false },
    { 1000, WINDOW_LIFETIME, false },
    { 999, 2 * WINDOW_LIFETIME, true },
    { 1000, 3 * WINDOW_LIFETIME + 2 * SS_SEC, true }, /* was quiet */
  };
  SsReceiveWindow window = { 0 };

  for (unsigned i = 0; i < G_N_ELEMENTS (verdicts); i++) {
    const Verdict *verdict = &verdicts[i];
    bool is_new =
        ss_link_window_accept (&window, OWNER, verdict->sequence, verdict->at);

    if (is_new != verdict->is_new)
      g_error ("row %u: %u", i, verdict->sequence);
  }
}

/* One that the sender kept before it lost its state says nothing of what it
 * numbers now. */
static void
test_owner (void)
{
  SsReceiveWindow window = { 0 };

  g_assert_false (ss_link_window_is_others (&window, OWNER, 0));
  g_assert_true (ss_link_window_accept (&window, OWNER, 7, 0));
  g_assert_false (ss_link_window_is_others (&window, OWNER, 0));
  g_assert_true (ss_link_window_is_others (&window, OWNER + 1, 0));
  g_assert_false (ss_link_window_is_others (&window, OWNER + 1,
                                            WINDOW_LIFETIME + 2 * SS_SEC));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/window/table", test_table);
  g_test_add_func ("/link/window/owner", test_owner);
  return g_test_run ();
}
