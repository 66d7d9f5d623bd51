/* Parity of a row: Reed-Solomon over GF(2^8) with a Cauchy matrix, by ISA-L.
 * k data packets (whole signed packets, each preceded by its length in 16
 * bits and padded with zeros to the longest) give m shards; any k of the k+m
 * give all. Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "splitstream/station.h"

#define SS_ROW_MAX SS_STRIPES

/* 1 <= n_data, n_data + n_parity <= SS_STRIPES. The shards are of equal
 * length: the longest packet's + 2. */
void ss_parity_encode (GBytes *const *data, unsigned n_data, unsigned n_parity,
                       GBytes **ret_shards);
/* Fills in the NULLs of data. shards: NULL where missing; all that are there
 * must be of one length. False, and nothing is changed, if there are too few
 * or what comes out are no packets. n_data and n_parity as above. */
bool ss_parity_rebuild (GBytes **data, unsigned n_data, GBytes *const *shards,
                        unsigned n_parity);
