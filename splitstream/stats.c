/* A station's figures. */
#include "splitstream/private.h"

#include <string.h>

static void
describe_stripe (const SsStation *station, const SsStripe *stripe,
                 SsStripeStats *ret_stats)
{
  const SsGroup *group = stripe->group;
  ret_stats->received = stripe->received;
  ret_stats->pause = stripe->pause;
  ret_stats->lost = station->past.stripes_lost[stripe->index];
  if (station->current != NULL) {
    ret_stats->lag =
        ss_media_clock_lag (&station->current->clock, stripe->index);
    ret_stats->lost += ss_reorder_stats (station->current->reorder)
                           ->stripes_lost[stripe->index];
  }
  if (station->draining != NULL)
    ret_stats->lost += ss_reorder_stats (station->draining->reorder)
                           ->stripes_lost[stripe->index];
  if (group == NULL)
    return;
  const SsContact *parent = ss_group_parent (group);
  const SsContact *root = ss_group_root (group);
  if (parent != NULL)
    ret_stats->parent = *parent;
  if (root != NULL)
    ret_stats->root = *root;
  ret_stats->in_tree = ss_group_in_tree (group);
  ret_stats->is_root = ss_group_is_root (group);
  ret_stats->homeless = ss_group_is_orphan (stripe->group);
  ret_stats->children = ss_group_n_children (group);
  ret_stats->reparented = ss_group_n_reparented (group);
}

static void
describe_listener (const SsStation *station, SsStationStats *stats)
{
  const SsReorderStats *past = &station->past;
  const SsReception *current = station->current;
  const SsReorderStats *now = ss_reorder_stats (current->reorder);
  SsTime env_now = station->owner->env->now;
  stats->rows = station->past_rows + ss_reorder_n_rows (current->reorder);
  stats->payload_bytes = past->payload_bytes + now->payload_bytes;
  stats->packets_from_parity = past->packets_rebuilt + now->packets_rebuilt;
  stats->packets_lost = past->packets_lost + now->packets_lost;
  stats->frames_out = past->frames_out + now->frames_out;
  stats->frames_lost = past->frames_lost + now->frames_lost;
  if (station->draining != NULL) {
    const SsReorderStats *old = ss_reorder_stats (station->draining->reorder);
    stats->payload_bytes += old->payload_bytes;
    stats->packets_from_parity += old->packets_rebuilt;
    stats->packets_lost += old->packets_lost;
    stats->frames_out += old->frames_out;
    stats->frames_lost += old->frames_lost;
    stats->rows += ss_reorder_n_rows (station->draining->reorder);
  }
  if (current->clock.is_set)
    stats->latency = current->latency + current->clock.base
                     - ss_media_clock_measured (&current->clock);
  stats->arrivals = current->arrivals;
  stats->arrival_p50 = ss_arrivals_quantile (&current->arrivals, 0.5);
  stats->arrival_p99 = ss_arrivals_quantile (&current->arrivals, 0.99);
  if (current->arrivals.is_set)
    stats->media_origin = current->arrivals.base;
  stats->buffered = ss_reorder_buffered (current->reorder, env_now);
}

void
ss_station_stats (const SsStation *station, SsStationStats *ret_stats)
{
  memset (ret_stats, 0, sizeof *ret_stats);
  ret_stats->params = station->params;
  ret_stats->role = station->role;
  ret_stats->session = station->session;
  ret_stats->tune_in = station->tune_in;
  ret_stats->media_origin = station->has_origin ? station->origin : SS_NEVER;
  ret_stats->packets_received = station->packets_received;
  ret_stats->packets_duplicate = station->packets_duplicate;
  ret_stats->packets_retransmitted = station->packets_retransmitted;
  ret_stats->packets_rejected = station->packets_rejected;
  ret_stats->silent = station->is_silent;
  ret_stats->ended = station->is_ended;
  ret_stats->arrival_p50 = ret_stats->arrival_p99 = SS_NEVER;
  if (station->role == SS_ROLE_PUBLISHER) {
    ret_stats->rows = ss_rows_n_rows (station->rows);
    ret_stats->packets_sent = station->packets_sent;
    ret_stats->data_packets = station->data_packets;
    ret_stats->data_bytes = station->data_bytes;
    ret_stats->payload_bytes = station->payload_bytes;
  } else if (station->role == SS_ROLE_LISTENER) {
    describe_listener (station, ret_stats);
  }
  for (unsigned i = 0; i < SS_STRIPES; i++)
    describe_stripe (station, &station->stripes[i], &ret_stats->stripes[i]);
}
