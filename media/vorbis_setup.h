/* The one thing that carrying Vorbis needs of its setup header: which modes
 * use long blocks. Vorbis I specification sections 3.2.1 and 4.2.4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `data` follows the 7 bytes of packet type and magic. Returns the number of
 * modes (1 to 64) and fills their flags, or 0 when the header is malformed. */
unsigned ss_vorbis_setup_modes (const uint8_t *data, size_t len,
                                unsigned n_channels, bool ret_is_long[64]);
