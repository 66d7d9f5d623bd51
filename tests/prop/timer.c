/* The timer heap against a plain list that is searched from end to end. */
#include "base/timer.h"

#include <glib.h>

#include "base/rng.h"

#define SEEDS  200
#define STEPS  500
#define TIMERS 40
/* Few different deadlines, so that equals are common. */
#define DEADLINES 20

typedef struct {
  SsTimer timer;
  SsTime deadline; /* SS_NEVER: not armed */
  unsigned order;
} Slot;

typedef struct {
  SsTimers timers;
  Slot slots[TIMERS];
  unsigned next_order;
} Model;

static Slot *
earliest (Model *model)
{
  Slot *first = NULL;

  for (unsigned i = 0; i < TIMERS; i++) {
    Slot *slot = &model->slots[i];

    if (slot->deadline == SS_NEVER)
      continue;
    if (first == NULL || slot->deadline < first->deadline
        || (slot->deadline == first->deadline && slot->order < first->order))
      first = slot;
  }
  return first;
}

static void
check (Model *model)
{
  const Slot *first = earliest (model);
  unsigned n = 0;

  g_assert_cmpint (ss_timers_deadline (&model->timers), ==,
                   first != NULL ? first->deadline : SS_NEVER);
  for (unsigned i = 0; i < TIMERS; i++) {
    bool armed = model->slots[i].deadline != SS_NEVER;

    g_assert_cmpint (ss_timer_is_armed (&model->slots[i].timer), ==, armed);
    n += armed;
  }
  g_assert_cmpuint (model->timers.n, ==, n);
}

static void
pop (Model *model, SsTime now)
{
  Slot *first = earliest (model);
  SsTimer *popped = ss_timers_pop (&model->timers, now);

  if (first == NULL || first->deadline > now) {
    g_assert_null (popped);
    return;
  }
  g_assert_true (popped == &first->timer);
  g_assert_true (SS_CONTAINER_OF (popped, Slot, timer) == first);
  first->deadline = SS_NEVER;
}

static void
step (Model *model, SsRng *rng)
{
  Slot *slot = &model->slots[ss_rng_below (rng, TIMERS)];
  SsTime deadline = (SsTime) ss_rng_below (rng, DEADLINES);

  switch (ss_rng_below (rng, 6)) {
  case 0:
    ss_timers_disarm (&model->timers, &slot->timer);
    slot->deadline = SS_NEVER;
    break;
  case 1:
    pop (model, deadline);
    break;
  case 2:
    ss_timers_arm_earliest (&model->timers, &slot->timer, deadline);
    if (deadline < slot->deadline) {
      slot->deadline = deadline;
      slot->order = model->next_order++;
    }
    break;
  case 3:
    if (ss_rng_below (rng, 4) == 0)
      deadline = SS_NEVER;
    /* fall through */
  default:
    ss_timers_arm (&model->timers, &slot->timer, deadline);
    slot->deadline = deadline;
    slot->order = model->next_order++;
    break;
  }
}

static void
test_model (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    Model model = { .next_order = 0 };
    SsRng rng;

    ss_rng_init_number (&rng, seed);
    ss_timers_init (&model.timers);
    for (unsigned i = 0; i < TIMERS; i++) {
      ss_timer_init (&model.slots[i].timer, SS_LAYER_NODE, i);
      model.slots[i].deadline = SS_NEVER;
    }
    for (unsigned i = 0; i < STEPS; i++) {
      step (&model, &rng);
      check (&model);
    }
    while (earliest (&model) != NULL) {
      pop (&model, DEADLINES);
      check (&model);
    }
    ss_timers_clear (&model.timers);
  }
}

static void
test_equals (void)
{
  SsTimers timers;
  SsTimer timer[3];

  ss_timers_init (&timers);
  for (unsigned i = 0; i < 3; i++) {
    ss_timer_init (&timer[i], SS_LAYER_LINK, i);
    ss_timers_arm (&timers, &timer[i], 10);
  }
  ss_timers_arm (&timers, &timer[0], 10); /* armed again: now the last */
  g_assert_null (ss_timers_pop (&timers, 9));
  g_assert_true (ss_timers_pop (&timers, 10) == &timer[1]);
  g_assert_true (ss_timers_pop (&timers, 10) == &timer[2]);
  g_assert_true (ss_timers_pop (&timers, 10) == &timer[0]);
  g_assert_null (ss_timers_pop (&timers, 10));
  g_assert_cmpint (timer[2].layer, ==, SS_LAYER_LINK);
  g_assert_cmpint (timer[2].kind, ==, 2);
  ss_timers_clear (&timers);
}

static void
test_clear (void)
{
  SsTimers timers;
  SsTimer timer;

  ss_timers_init (&timers);
  ss_timer_init (&timer, SS_LAYER_LINK, 0);
  ss_timers_arm (&timers, &timer, 1);
  ss_timers_clear (&timers);
  g_assert_false (ss_timer_is_armed (&timer));
  g_assert_cmpint (ss_timers_deadline (&timers), ==, SS_NEVER);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/timer/model", test_model);
  g_test_add_func ("/timer/equals", test_equals);
  g_test_add_func ("/timer/clear", test_clear);
  return g_test_run ();
}
