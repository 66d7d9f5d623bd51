/* Scenarios of groups that are no stations': see sim/study_groups.h. */
#include "sim/scenario.h"
#include "sim/study.h"
#include "sim/study_groups.h"

#define REST_TIME (60 * SS_SEC)
/* Smaller groups and rings have other shares: these are for the paper's. */
#define PAPER_NODES 100000
#define FIRST_MAX   4.1 /* messages */
#define JOINS_MAX   3.5
#define HOPS_MAX    2.3
#define NEAR_MIN    0.92
#define PENALTY_MAX 1.6
#define STRESS_MAX  2.3

static void
fail_above (SsWorld *world, const char *what, double value, double most)
{
  if (!(value <= most))
    ss_world_fail (world, "%s: %.4g, more than %.4g", what, value, most);
}

void
ss_scenario_anycast (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  SsStudyAnycast result;

  if (ss_study_grow (world, MAX (run->options->nodes, 16))) {
    ss_world_run (world, REST_TIME);
    ss_study_anycast (world, &result);
    ss_world_row (world, "JOINs: messages, empty group; on average",
                  "%.3f  %.3f (%u members)", result.join_first,
                  result.join_mean, result.n_members);
    ss_world_row (world, "traces told, for a member", "%.3f", result.traces);
    ss_world_row (world, "anycasts, not answered", "%u  %u", result.n_searches,
                  result.n_failed);
    ss_world_row (world, "messages of an anycast, mean and most", "%.3f  %u",
                  result.hops, result.hops_most);
    ss_world_row (world, "answered by one of the nearest 7%", "%.4f",
                  result.near_share);
    fail_above (world, "anycasts without an answer", result.n_failed, 0);
    fail_above (world, "messages of a first JOIN", result.join_first,
                FIRST_MAX);
    fail_above (world, "messages of a JOIN", result.join_mean, JOINS_MAX);
    if (run->options->nodes >= PAPER_NODES)
      fail_above (world, "messages of an anycast", result.hops, HOPS_MAX);
    if (run->options->nodes >= PAPER_NODES && result.near_share < NEAR_MIN)
      ss_world_fail (world, "%.4f of the anycasts found one near",
                     result.near_share);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_groups (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  SsStudyGroups result;

  if (ss_study_grow (world, MAX (run->options->nodes, 16))) {
    ss_world_run (world, REST_TIME);
    ss_study_groups (world, &result);
    const SsGroupsBurden *burden = &result.burden;

    ss_world_row (world, "groups, memberships, in no tree, missed",
                  "%u  %u  %u  %u", result.n_groups, result.n_memberships,
                  result.n_outside, result.n_missed);
    ss_world_row (world, "mean delay over IP's, median and p90 of groups",
                  "%.3f  %.3f", result.mean_ratio, result.mean_ratio_p90);
    ss_world_row (world, "longest delay over IP's, likewise", "%.3f  %.3f",
                  result.most_ratio, result.most_ratio_p90);
    ss_world_row (world, "link stress, mean; IP's", "%.3f  %.3f", result.stress,
                  result.stress_ip);
    ss_world_row (world, "link stress, most; IP's",
                  "%" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT,
                  result.stress_most, result.stress_ip_most);
    ss_world_row (world, "children of a node, mean, median, most",
                  "%.2f  %u  %u", burden->children_mean,
                  burden->children_median, burden->children_most);
    ss_world_row (world, "children tables, likewise", "%.2f  %u  %u",
                  burden->tables_mean, burden->tables_median,
                  burden->tables_most);
    fail_above (world, "members that were not reached",
                result.n_outside + result.n_missed, 0);
    fail_above (world, "the mean delay's ratio to IP's", result.mean_ratio,
                PENALTY_MAX);
    fail_above (world, "the longest delay's ratio to IP's", result.most_ratio,
                PENALTY_MAX);
    if (run->options->nodes >= PAPER_NODES)
      fail_above (world, "link stress", result.stress, STRESS_MAX);
    fail_above (world, "the children of a node", burden->children_most,
                SS_STUDY_CHILDREN);
  }
  ss_sim_end (run, world);
}

static void
row_burden (SsWorld *world, const char *what, const SsGroupsBurden *burden)
{
  ss_world_row (world, what, "%.2f %u  %.2f %u  %.2f %u", burden->children_mean,
                burden->children_most, burden->tables_mean, burden->tables_most,
                burden->lone_mean, burden->lone_most);
}

void
ss_scenario_economy (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  SsStudyEconomy result;

  if (ss_study_grow (world, MAX (run->options->nodes, 16))) {
    ss_world_run (world, REST_TIME);
    ss_study_economy (world, &result);
    ss_world_row (world, "groups, members each, in no tree, missed",
                  "%u  %u  %u  %u", result.n_groups, result.n_members,
                  result.n_outside, result.n_missed);
    row_burden (world, "children, tables, lone: mean, most", &result.before);
    row_burden (world, "the same, chains taken out", &result.after);
    ss_world_row (world, "crossings of links a member, before, after",
                  "%.2f  %.2f", result.stress_before, result.stress_after);
    ss_world_row (world, "bytes a membership", "%zu", result.bytes);
    fail_above (world, "members that were not reached",
                result.n_outside + result.n_missed, 0);
    fail_above (world, "lone forwarders", result.after.lone_mean,
                result.before.lone_mean / 2);
  }
  ss_sim_end (run, world);
}
