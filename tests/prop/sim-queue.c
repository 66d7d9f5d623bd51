/* The simulator's queue of events against a list that is searched from end to
 * end. */
#include "sim/queue.h"

#include <glib.h>

#include "base/rng.h"

#define SEEDS  30
#define STEPS  3000
#define PUSHES 4 /* at most, each step */

/* Of the same moment, of today, of days to come, of years to come. */
static const SsTime spans[] = {
  1, 50 * SS_USEC, 30 * SS_MSEC, 5 * SS_SEC, 60 * SS_SEC,
};

typedef struct {
  SsQueue queue;
  GArray *events; /* SsQueued, in the order of pushing */
  SsTime now;
  uint64_t next;
} Model;

static void
push (Model *model, SsRng *rng)
{
  SsTime span = spans[ss_rng_below (rng, G_N_ELEMENTS (spans))];
  SsQueued event = {
    .at = model->now + (SsTime) ss_rng_below (rng, (uint64_t) span),
    .kind = 1,
    .number = model->next++,
  };

  ss_queue_push (&model->queue, &event);
  g_array_append_val (model->events, event);
}

static int
find_first (const Model *model, SsTime until)
{
  int first = -1;

  for (unsigned i = 0; i < model->events->len; i++) {
    const SsQueued *event = &g_array_index (model->events, SsQueued, i);

    if (event->at <= until
        && (first < 0
            || event->at < g_array_index (model->events, SsQueued, first).at))
      first = (int) i;
  }
  return first;
}

static void
pop_until (Model *model, SsTime until)
{
  SsQueued event;

  while (ss_queue_pop (&model->queue, until, &event)) {
    int first = find_first (model, until);

    g_assert_cmpint (first, >=, 0);
    g_assert_cmpuint (
        event.number, ==,
        g_array_index (model->events, SsQueued, (unsigned) first).number);
    g_assert_cmpint (event.at, >=, model->now);
    model->now = event.at;
    g_array_remove_index (model->events, (unsigned) first);
    if (model->events->len % 3 == 0)
      return; /* what is pushed next falls between */
  }
  g_assert_cmpint (find_first (model, until), ==, -1);
  model->now = until;
}

/* Every other seed looks ahead, which is to change nothing. */
static void
look (Model *model)
{
  int first = find_first (model, SS_NEVER);
  SsTime at = SS_NEVER;

  if (first >= 0)
    at = g_array_index (model->events, SsQueued, (unsigned) first).at;
  g_assert_cmpint (ss_queue_next (&model->queue), ==, at);
}

static void
test_order (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    Model model = { .events = g_array_new (FALSE, FALSE, sizeof (SsQueued)) };
    SsRng rng;

    ss_rng_init_number (&rng, seed);
    ss_queue_init (&model.queue);
    for (unsigned i = 0; i < STEPS; i++) {
      uint64_t n = ss_rng_below (&rng, PUSHES);
      SsTime span = spans[ss_rng_below (&rng, G_N_ELEMENTS (spans))];

      /* Grows for a while, then shrinks. */
      for (; i < STEPS / 2 && n > 0; n--)
        push (&model, &rng);
      if (seed % 2 != 0)
        look (&model);
      pop_until (&model,
                 model.now + (SsTime) ss_rng_below (&rng, (uint64_t) span));
    }
    ss_queue_clear (&model.queue);
    g_array_unref (model.events);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sim-queue/order", test_order);
  return g_test_run ();
}
