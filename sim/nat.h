/* Nodes behind NATs, in a simulated network: what they get is only what comes
 * from where they have sent something a short while ago (RFC 4787, section 5:
 * address- and port-dependent filtering). Addresses are not changed: each
 * node is alone behind its NAT. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/time.h"

typedef struct SsNat SsNat;

SsNat *ss_nat_new (void);
void ss_nat_free (SsNat *nat);
/* node is behind one from now on that forgets after so long. */
void ss_nat_put (SsNat *nat, unsigned node, SsTime memory);
bool ss_nat_has (const SsNat *nat, unsigned node);
/* To be asked for each datagram: false if it does not get through. */
bool ss_nat_pass (SsNat *nat, SsTime now, unsigned from, unsigned to);
