/* Ordered mode. */
#include "scribe/state.h"

bool
ss_group_multicast (SsGroup *group, const uint8_t *data, size_t len)
{
  return false;
}
