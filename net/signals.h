/* SIGINT and SIGTERM: the first asks for an orderly end, a second one kills,
 * even when the main loop hangs. SIGPIPE is ignored. */
#pragma once

#include <glib.h>

/* Once a process. `call` runs in the default main context. */
void ss_signals_catch (void (*call) (void *user), void *user);
