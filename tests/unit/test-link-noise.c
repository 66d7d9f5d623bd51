/* The handshake against the public vectors (cacophony's set): every message,
 * the handshake hash and the transport messages, for IK and IKpsk2. */
#include "overlay/link/noise.h"
#include "overlay/link/sealer.h"

#include <glib.h>
#include <json-glib/json-glib.h>
#include <sodium.h>
#include <string.h>

#define MESSAGE_MAX 256

typedef struct {
  uint8_t data[MESSAGE_MAX];
  size_t len;
} Blob;

static Blob
blob_of_hex (const char *hex)
{
  Blob blob = { .len = 0 };
  int status = sodium_hex2bin (blob.data, sizeof blob.data, hex, strlen (hex),
                               NULL, &blob.len, NULL);
  g_assert_cmpint (status, ==, 0);
  return blob;
}

static Blob
member (JsonObject *object, const char *name)
{
  return blob_of_hex (json_object_get_string_member (object, name));
}

static void
init (SsNoise *noise, JsonObject *vector, bool initiator)
{
  const char *protocol =
      json_object_get_string_member (vector, "protocol_name");
  bool has_psk = strstr (protocol, "psk2") != NULL;
  const char *side = initiator ? "init" : "resp";
  Blob psk = { .len = 0 };
  if (has_psk) {
    g_autofree char *name = g_strconcat (side, "_psks", NULL);
    psk = blob_of_hex (json_array_get_string_element (
        json_object_get_array_member (vector, name), 0));
  }
  g_autofree char *prologue_name = g_strconcat (side, "_prologue", NULL);
  g_autofree char *static_name = g_strconcat (side, "_static", NULL);
  Blob prologue = member (vector, prologue_name);
  Blob secret = member (vector, static_name);
  Blob remote = member (vector, "init_remote_static");
  ss_noise_init (noise, &(SsNoiseConfig){
                            .pattern = has_psk ? SS_NOISE_IKPSK2 : SS_NOISE_IK,
                            .prologue = prologue.data,
                            .prologue_len = prologue.len,
                            .static_secret = secret.data,
                            .remote_static = initiator ? remote.data : NULL,
                            .psk = has_psk ? psk.data : NULL,
                        });
}

static void
check_transport (JsonArray *messages, const uint8_t first[32],
                 const uint8_t second[32])
{
  uint64_t nonces[2] = { 0, 0 };
  for (guint i = 2; i < json_array_get_length (messages); i++) {
    JsonObject *message = json_array_get_object_element (messages, i);
    Blob payload = member (message, "payload");
    Blob expected = member (message, "ciphertext");
    /* The initiator speaks at even places. */
    const uint8_t *key = i % 2 == 0 ? first : second;
    uint64_t nonce = nonces[i % 2]++;
    Blob sealed = payload;
    ss_noise_seal (key, nonce, sealed.data, payload.len);
    g_assert_cmpmem (sealed.data, payload.len + SS_NOISE_TAG_LEN, expected.data,
                     expected.len);
    g_assert_true (ss_noise_open (key, nonce, sealed.data, expected.len));
    g_assert_cmpmem (sealed.data, payload.len, payload.data, payload.len);
  }
}

static void
check_vector (JsonObject *vector)
{
  JsonArray *messages = json_object_get_array_member (vector, "messages");
  JsonObject *message = json_array_get_object_element (messages, 0);
  SsNoise initiator, responder;
  uint8_t buf[MESSAGE_MAX], plain[MESSAGE_MAX];
  init (&initiator, vector, true);
  init (&responder, vector, false);

  Blob ephemeral = member (vector, "init_ephemeral");
  Blob payload = member (message, "payload");
  Blob expected = member (message, "ciphertext");
  g_assert_true (ss_noise_write_initiation (&initiator, ephemeral.data,
                                            payload.data, payload.len, buf));
  g_assert_cmpmem (buf, payload.len + SS_NOISE_INITIATION_OVERHEAD,
                   expected.data, expected.len);
  g_assert_true (
      ss_noise_read_initiation (&responder, buf, expected.len, plain));
  g_assert_cmpmem (plain, payload.len, payload.data, payload.len);
  g_assert_cmpmem (responder.remote_static, 32, initiator.static_public, 32);

  message = json_array_get_object_element (messages, 1);
  ephemeral = member (vector, "resp_ephemeral");
  payload = member (message, "payload");
  expected = member (message, "ciphertext");
  g_assert_true (ss_noise_write_response (&responder, ephemeral.data,
                                          payload.data, payload.len, buf));
  g_assert_cmpmem (buf, payload.len + SS_NOISE_RESPONSE_OVERHEAD, expected.data,
                   expected.len);
  g_assert_true (ss_noise_read_response (&initiator, buf, expected.len, plain));
  g_assert_cmpmem (plain, payload.len, payload.data, payload.len);

  Blob hash = member (vector, "handshake_hash");
  g_assert_cmpmem (initiator.hash, 32, hash.data, hash.len);
  g_assert_cmpmem (responder.hash, 32, hash.data, hash.len);

  uint8_t keys[4][32];
  ss_noise_split (&initiator, keys[0], keys[1]);
  ss_noise_split (&responder, keys[2], keys[3]);
  g_assert_cmpmem (keys[0], 64, keys[2], 64);
  check_transport (messages, keys[0], keys[1]);
}

static void
test_vectors (void)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path =
      g_test_build_filename (G_TEST_DIST, "vectors", "noise-ikpsk2.json", NULL);
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *vectors = json_object_get_array_member (
      json_node_get_object (json_parser_get_root (parser)), "vectors");
  g_assert_cmpuint (json_array_get_length (vectors), ==, 2);
  for (guint i = 0; i < json_array_get_length (vectors); i++)
    check_vector (json_array_get_object_element (vectors, i));
}

static void
pair_init (SsNoise *initiator, SsNoise *responder, const uint8_t psk_a[32],
           const uint8_t psk_b[32])
{
  static const uint8_t secret_a[32] = { 1 }, secret_b[32] = { 2 };
  static const uint8_t prologue[] = { 9 };
  uint8_t public_b[32];
  crypto_scalarmult_curve25519_base (public_b, secret_b);
  SsNoiseConfig config = {
    .pattern = SS_NOISE_IKPSK2,
    .prologue = prologue,
    .prologue_len = sizeof prologue,
    .static_secret = secret_a,
    .remote_static = public_b,
    .psk = psk_a,
  };
  ss_noise_init (initiator, &config);
  config.static_secret = secret_b;
  config.remote_static = NULL;
  config.psk = psk_b;
  ss_noise_init (responder, &config);
}

/* Any bit flipped anywhere ends the handshake. */
static void
test_tampering (void)
{
  static const uint8_t psk[32] = { 3 }, ephemeral_a[32] = { 4 },
                       ephemeral_b[32] = { 5 }, payload[] = "payload";
  enum { FIRST = SS_NOISE_INITIATION_OVERHEAD + sizeof payload };
  enum { SECOND = SS_NOISE_RESPONSE_OVERHEAD + sizeof payload };
  uint8_t first[FIRST], second[SECOND], plain[sizeof payload];

  for (unsigned i = 0; i < FIRST; i++) {
    SsNoise initiator, responder;
    pair_init (&initiator, &responder, psk, psk);
    g_assert_true (ss_noise_write_initiation (&initiator, ephemeral_a, payload,
                                              sizeof payload, first));
    first[i] ^= (uint8_t) (1 << i % 7);
    g_assert_false (ss_noise_read_initiation (&responder, first, FIRST, plain));
  }
  for (unsigned i = 0; i < SECOND; i++) {
    SsNoise initiator, responder;
    pair_init (&initiator, &responder, psk, psk);
    g_assert_true (ss_noise_write_initiation (&initiator, ephemeral_a, payload,
                                              sizeof payload, first));
    g_assert_true (ss_noise_read_initiation (&responder, first, FIRST, plain));
    g_assert_true (ss_noise_write_response (&responder, ephemeral_b, payload,
                                            sizeof payload, second));
    second[i] ^= (uint8_t) (1 << i % 7);
    g_assert_false (ss_noise_read_response (&initiator, second, SECOND, plain));
  }
}

static void
test_other_psk (void)
{
  static const uint8_t psk_a[32] = { 3 }, psk_b[32] = { 4 },
                       ephemeral[32] = { 5 };
  SsNoise initiator, responder;
  uint8_t first[SS_NOISE_INITIATION_OVERHEAD];
  uint8_t second[SS_NOISE_RESPONSE_OVERHEAD], plain[1];
  pair_init (&initiator, &responder, psk_a, psk_b);
  g_assert_true (
      ss_noise_write_initiation (&initiator, ephemeral, NULL, 0, first));
  g_assert_true (
      ss_noise_read_initiation (&responder, first, sizeof first, plain));
  g_assert_true (
      ss_noise_write_response (&responder, ephemeral, NULL, 0, second));
  g_assert_false (
      ss_noise_read_response (&initiator, second, sizeof second, plain));
}

/* A low-order point yields the zero secret (RFC 7748, section 6.1). */
static void
test_low_order (void)
{
  static const uint8_t psk[32] = { 3 };
  SsNoise initiator, responder;
  uint8_t first[SS_NOISE_INITIATION_OVERHEAD] = { 0 }, plain[1];
  pair_init (&initiator, &responder, psk, psk);
  g_assert_false (
      ss_noise_read_initiation (&responder, first, sizeof first, plain));
}

/* Two nodes have the same secret from each other's keys, and no third. */
static void
test_secret (void)
{
  static const uint8_t realm[32];
  SsSealer *sealers[3];
  SsKey keys[3];
  uint8_t secrets[3][32], none[2][32];
  for (unsigned i = 0; i < G_N_ELEMENTS (sealers); i++) {
    uint8_t seed[32] = { (uint8_t) (i + 1) };
    ss_sealer_key_of_seed (seed, &keys[i]);
    sealers[i] = ss_sealer_new (seed, realm, 1);
  }
  ss_sealer_secret (sealers[0], &keys[1], secrets[0]);
  ss_sealer_secret (sealers[1], &keys[0], secrets[1]);
  ss_sealer_secret (sealers[2], &keys[0], secrets[2]);
  g_assert_cmpmem (secrets[0], 32, secrets[1], 32);
  g_assert_cmpint (sodium_memcmp (secrets[0], secrets[2], 32), !=, 0);
  /* What is no key of anybody's has a secret that nobody knows. */
  const SsKey low_order = { { 0 } };
  ss_sealer_secret (sealers[0], &low_order, none[0]);
  ss_sealer_secret (sealers[1], &low_order, none[1]);
  g_assert_cmpint (sodium_memcmp (none[0], none[1], 32), !=, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (sealers); i++)
    ss_sealer_free (sealers[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_add_func ("/link/noise/vectors", test_vectors);
  g_test_add_func ("/link/noise/tampering", test_tampering);
  g_test_add_func ("/link/noise/other-psk", test_other_psk);
  g_test_add_func ("/link/noise/low-order", test_low_order);
  g_test_add_func ("/link/noise/secret", test_secret);
  return g_test_run ();
}
