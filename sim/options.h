/* The options of a simulation, on the command line and off it. */
#pragma once

#include "sim/world.h"

/* What the command line said, before it is known of which scenario. */
typedef struct SsGiven SsGiven;

/* Takes options out of argc and argv; NULL if they are wrong. */
SsGiven *ss_given_parse (const char *summary, int *argc, char ***argv,
                         GError **error);
void ss_given_free (SsGiven *given);
/* Puts what was said over the defaults. */
void ss_given_apply (const SsGiven *given, SsSimOptions *options);
const char *ss_given_csv (const SsGiven *given); /* NULL: not said */
/* What is wrong with them together; NULL: nothing. */
const char *ss_options_objection (const SsSimOptions *options);

/* As on the command line, so that it can be pasted: what is not as in the
 * defaults, nodes and seed always. To be freed. */
char *ss_options_format (const SsSimOptions *options,
                         const SsSimOptions *defaults);
