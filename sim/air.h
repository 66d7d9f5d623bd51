/* The station of a simulated world: for sim/world.c. */
#pragma once

#include "sim/world.h"

void ss_air_listen (SsWorld *world, SsMember *member);
void ss_air_event (SsWorld *world, SsMember *member, SsEvent *event);
/* Frees what a silenced node says. */
void ss_air_drop_event (SsEvent *event);
void ss_air_publisher_is_gone (SsWorld *world);
/* The frames made of late. */
SsAir *ss_air_new (void);
void ss_air_free (SsAir *air);
