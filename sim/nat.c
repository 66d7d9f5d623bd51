/* Nodes behind NATs: see nat.h. */
#include "sim/nat.h"

typedef struct {
  unsigned node;
  SsTime last; /* sent there */
} Binding;

typedef struct {
  unsigned node;
  SsTime memory;
  GArray *bindings; /* Binding, by node */
} Box;

struct SsNat {
  GArray *boxes; /* Box: there are few */
};

SsNat *
ss_nat_new (void)
{
  SsNat *nat = g_new0 (SsNat, 1);

  nat->boxes = g_array_new (FALSE, FALSE, sizeof (Box));
  return nat;
}

void
ss_nat_free (SsNat *nat)
{
  if (nat == NULL)
    return;
  for (unsigned i = 0; i < nat->boxes->len; i++)
    g_array_unref (g_array_index (nat->boxes, Box, i).bindings);
  g_array_unref (nat->boxes);
  g_free (nat);
}

static Box *
find_box (const SsNat *nat, unsigned node)
{
  for (unsigned i = 0; i < nat->boxes->len; i++)
    if (g_array_index (nat->boxes, Box, i).node == node)
      return &g_array_index (nat->boxes, Box, i);
  return NULL;
}

/* Where the binding towards a node is, or should be. */
static unsigned
place_of (const Box *box, unsigned node)
{
  unsigned low = 0, high = box->bindings->len;

  while (low < high) {
    unsigned middle = (low + high) / 2;

    if (g_array_index (box->bindings, Binding, middle).node < node)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void
ss_nat_put (SsNat *nat, unsigned node, SsTime memory)
{
  const Box box = {
    .node = node,
    .memory = memory,
    .bindings = g_array_new (FALSE, FALSE, sizeof (Binding)),
  };

  g_assert (find_box (nat, node) == NULL);
  g_array_append_val (nat->boxes, box);
}

bool
ss_nat_has (const SsNat *nat, unsigned node)
{
  return find_box (nat, node) != NULL;
}

bool
ss_nat_pass (SsNat *nat, SsTime now, unsigned from, unsigned to)
{
  Box *inside = find_box (nat, from);

  if (inside != NULL) {
    unsigned place = place_of (inside, to);
    const Binding binding = { to, now };

    if (place < inside->bindings->len
        && g_array_index (inside->bindings, Binding, place).node == to)
      g_array_index (inside->bindings, Binding, place) = binding;
    else
      g_array_insert_val (inside->bindings, place, binding);
  }
  const Box *box = find_box (nat, to);

  if (box == NULL)
    return true;
  unsigned place = place_of (box, from);

  if (place == box->bindings->len)
    return false;
  const Binding *binding = &g_array_index (box->bindings, Binding, place);

  return binding->node == from && now - binding->last <= box->memory;
}
