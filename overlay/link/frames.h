/* How a data datagram holds its frames: see LINK_DATA in docs/wire.md. For the
 * link, and for who reads what the plain sealer left open (sim/traffic.h). */
#pragma once

#define SS_FRAMES_AT (1 + 4 + 8) /* in the datagram; the tag follows them */

/* A frame's first byte. */
#define SS_FRAME_CONTROL  0x80
#define SS_FRAME_RELIABLE 0x40
#define SS_FRAME_LENGTH   0x20
#define SS_FRAME_PROTOCOL 0x1f
#define SS_FRAME_MAX      (1 + 2 + 2) /* of a message, besides its bytes */

#define SS_FRAME_ACK_LEN 4 /* of an ACK, before its numbers */
