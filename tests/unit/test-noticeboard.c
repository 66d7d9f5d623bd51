/* The example application, in a ring of overlay nodes: what is pinned by one
 * is read by others, also after those who kept it have died. */
#include <string.h>

#include "examples/noticeboard.h"
#include "tests/harness/ring.h"

#define NODES  40
#define TOPICS 20

typedef struct {
  unsigned n_answers, n_nothing, n_wrong;
} Answers;

static void
on_read (void *user, const SsId *topic, const char *text)
{
  Answers *answers = user;
  char expected[SS_ID_STRLEN];
  ss_id_format (topic, expected);
  answers->n_answers++;
  answers->n_nothing += text == NULL;
  answers->n_wrong += text != NULL && strcmp (text, expected) != 0;
}

static SsId
topic_of (unsigned index)
{
  char name[16];
  g_snprintf (name, sizeof name, "topic %u", index);
  return noticeboard_topic (name);
}

/* Everybody who is up reads every topic. */
static void
check_all (Ring *ring, Noticeboard **boards, Answers *answers)
{
  unsigned n_asked = 0;
  *answers = (Answers){ 0 };
  for (unsigned i = 0; i < NODES; i++) {
    RingNode *node = ring_node (ring, i);
    for (unsigned k = 0; node->up && k < TOPICS; k++) {
      SsId topic = topic_of (k);
      node->env.now = ring->now;
      g_assert_true (noticeboard_read (boards[i], &topic));
      ring_drain (node);
      n_asked++;
    }
  }
  ring_run (ring, 5 * SS_SEC);
  g_assert_cmpuint (answers->n_answers, ==, n_asked);
  g_assert_cmpuint (answers->n_nothing, ==, 0);
  g_assert_cmpuint (answers->n_wrong, ==, 0);
}

static void
test_board (void)
{
  Ring *ring = ring_new (1, NULL);
  Noticeboard *boards[NODES];
  Answers answers = { 0 };
  for (unsigned i = 0; i < NODES; i++) {
    ring_grow (ring, 1);
    boards[i] = noticeboard_new (ring_node (ring, i)->kbr, on_read, &answers);
  }
  SsId nobodys = noticeboard_topic ("nobody's");
  g_assert_true (noticeboard_read (boards[3], &nobodys));
  ring_drain (ring_node (ring, 3));
  for (unsigned k = 0; k < TOPICS; k++) {
    RingNode *node = ring_node (ring, k);
    SsId topic = topic_of (k);
    char text[SS_ID_STRLEN];
    ss_id_format (&topic, text);
    node->env.now = ring->now;
    g_assert_true (noticeboard_pin (boards[k], &topic, text));
    ring_drain (node);
  }
  ring_run (ring, SS_SEC);
  g_assert_cmpuint (answers.n_nothing, ==, 1);
  check_all (ring, boards, &answers);
  unsigned n_kept = 0;
  for (unsigned i = 0; i < NODES; i++)
    n_kept += noticeboard_n_kept (boards[i]);
  g_assert_cmpuint (n_kept, ==, TOPICS * NOTICEBOARD_COPIES);

  for (unsigned i = 0; i < 10; i++) {
    ring_kill (ring_node (ring, 4 * i));
    ring_run (ring, 10 * SS_SEC);
  }
  check_all (ring, boards, &answers);
  ring_free (ring);
  for (unsigned i = 0; i < NODES; i++)
    noticeboard_free (boards[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/noticeboard", test_board);
  return g_test_run ();
}
