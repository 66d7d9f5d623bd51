/* Parity of a row: see the header. The matrix is the identity over a Cauchy
 * matrix, so every k of its k+m rows are independent (Bloemer et al., "An
 * XOR-based erasure-resilient coding scheme", 1995). */
#include "splitstream/parity.h"

#include <isa-l/erasure_code.h>
#include <string.h>

enum {
  LENGTH_LEN = 2, /* of the length before each packet */
  TABLE_LEN = 32, /* ISA-L's, for one coefficient */
  SHARD_MAX = SS_SCRIBE_PACKET_MAX + LENGTH_LEN,
};

/* A packet as the code sees it. */
static void
lay_out (GBytes *packet, uint8_t *ret_shard, size_t shard_len)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (packet, &len);
  g_assert (LENGTH_LEN + len <= shard_len);
  ret_shard[0] = (uint8_t) (len >> 8);
  ret_shard[1] = (uint8_t) len;
  memcpy (ret_shard + LENGTH_LEN, data, len);
  memset (ret_shard + LENGTH_LEN + len, 0, shard_len - LENGTH_LEN - len);
}

static GBytes *
take_out (const uint8_t *shard, size_t shard_len)
{
  size_t len = (size_t) shard[0] << 8 | shard[1];
  if (len == 0 || LENGTH_LEN + len > shard_len)
    return NULL;
  return g_bytes_new (shard + LENGTH_LEN, len);
}

void
ss_parity_encode (GBytes *const *data, unsigned n_data, unsigned n_parity,
                  GBytes **ret_shards)
{
  g_assert (n_data >= 1);
  g_assert (n_data + n_parity <= SS_ROW_MAX);
  size_t shard_len = 0;
  for (unsigned i = 0; i < n_data; i++)
    shard_len = MAX (shard_len, g_bytes_get_size (data[i]) + LENGTH_LEN);
  g_assert (shard_len <= SHARD_MAX);

  uint8_t shards[SS_ROW_MAX][SHARD_MAX];
  uint8_t *places[SS_ROW_MAX];
  for (unsigned i = 0; i < n_data + n_parity; i++)
    places[i] = shards[i];
  for (unsigned i = 0; i < n_data; i++)
    lay_out (data[i], shards[i], shard_len);
  uint8_t matrix[SS_ROW_MAX * SS_ROW_MAX];
  uint8_t tables[SS_ROW_MAX * SS_PARITY_MAX * TABLE_LEN];
  g_assert (n_parity <= SS_PARITY_MAX);
  gf_gen_cauchy1_matrix (matrix, (int) (n_data + n_parity), (int) n_data);
  ec_init_tables ((int) n_data, (int) n_parity, matrix + n_data * n_data,
                  tables);
  ec_encode_data ((int) shard_len, (int) n_data, (int) n_parity, tables, places,
                  places + n_data);
  for (unsigned i = 0; i < n_parity; i++)
    ret_shards[i] = g_bytes_new (shards[n_data + i], shard_len);
}

/* Which n_data of the row are there: data first. Their common length, or 0
 * if they do not do. */
static size_t
choose (GBytes *const *data, unsigned n_data, GBytes *const *shards,
        unsigned n_parity, unsigned ret_chosen[SS_ROW_MAX])
{
  size_t shard_len = 0;
  unsigned n = 0;
  for (unsigned i = 0; i < n_data; i++)
    if (data[i] != NULL)
      ret_chosen[n++] = i;
  for (unsigned i = 0; i < n_parity && n < n_data; i++) {
    if (shards[i] == NULL)
      continue;
    size_t len = g_bytes_get_size (shards[i]);
    if (shard_len != 0 && len != shard_len)
      return 0;
    shard_len = len;
    ret_chosen[n++] = n_data + i;
  }
  if (n < n_data || shard_len < LENGTH_LEN || shard_len > SHARD_MAX)
    return 0;
  for (unsigned i = 0; i < n_data; i++)
    if (data[i] != NULL && g_bytes_get_size (data[i]) + LENGTH_LEN > shard_len)
      return 0;
  return shard_len;
}

/* The coefficients that make the missing data of the chosen. */
static bool
make_tables (const unsigned *chosen, unsigned n_data, unsigned n_parity,
             const unsigned *missing, unsigned n_missing, uint8_t *ret_tables)
{
  uint8_t matrix[SS_ROW_MAX * SS_ROW_MAX];
  uint8_t square[SS_ROW_MAX * SS_ROW_MAX];
  uint8_t inverse[SS_ROW_MAX * SS_ROW_MAX];
  gf_gen_cauchy1_matrix (matrix, (int) (n_data + n_parity), (int) n_data);
  for (unsigned i = 0; i < n_data; i++)
    memcpy (square + i * n_data, matrix + chosen[i] * n_data, n_data);
  if (gf_invert_matrix (square, inverse, (int) n_data) != 0)
    return false;
  uint8_t rows[SS_PARITY_MAX * SS_ROW_MAX];
  for (unsigned i = 0; i < n_missing; i++)
    memcpy (rows + i * n_data, inverse + missing[i] * n_data, n_data);
  ec_init_tables ((int) n_data, (int) n_missing, rows, ret_tables);
  return true;
}

bool
ss_parity_rebuild (GBytes **data, unsigned n_data, GBytes *const *shards,
                   unsigned n_parity)
{
  g_assert (n_data >= 1);
  g_assert (n_parity <= SS_PARITY_MAX);
  g_assert (n_data + n_parity <= SS_ROW_MAX);
  unsigned chosen[SS_ROW_MAX], missing[SS_ROW_MAX], n_missing = 0;
  for (unsigned i = 0; i < n_data; i++)
    if (data[i] == NULL)
      missing[n_missing++] = i;
  if (n_missing == 0)
    return true;
  size_t shard_len = choose (data, n_data, shards, n_parity, chosen);
  if (shard_len == 0)
    return false;
  g_assert (n_missing <= n_parity);

  uint8_t tables[SS_ROW_MAX * SS_PARITY_MAX * TABLE_LEN];
  if (!make_tables (chosen, n_data, n_parity, missing, n_missing, tables))
    return false;
  uint8_t in[SS_ROW_MAX][SHARD_MAX], out[SS_PARITY_MAX][SHARD_MAX];
  uint8_t *in_places[SS_ROW_MAX], *out_places[SS_PARITY_MAX];
  for (unsigned i = 0; i < n_data; i++) {
    in_places[i] = in[i];
    if (chosen[i] < n_data)
      lay_out (data[chosen[i]], in[i], shard_len);
    else
      memcpy (in[i], g_bytes_get_data (shards[chosen[i] - n_data], NULL),
              shard_len);
  }
  for (unsigned i = 0; i < n_missing; i++)
    out_places[i] = out[i];
  ec_encode_data ((int) shard_len, (int) n_data, (int) n_missing, tables,
                  in_places, out_places);

  GBytes *rebuilt[SS_PARITY_MAX];
  for (unsigned i = 0; i < n_missing; i++) {
    rebuilt[i] = take_out (out[i], shard_len);
    if (rebuilt[i] != NULL)
      continue;
    while (i > 0)
      g_bytes_unref (rebuilt[--i]);
    return false;
  }
  for (unsigned i = 0; i < n_missing; i++)
    data[missing[i]] = rebuilt[i];
  return true;
}
