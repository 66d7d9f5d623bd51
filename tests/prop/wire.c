/* Every message of every protocol against the codec's properties, over many
 * seeds; and what a wrong encoding of each kind looks like, by example. */
#include "base/wire.h"

#include <string.h>

#include "docs/wire_protocols.h"
#include "tests/prop/check_wire.h"
#include "tests/prop/wire_example.h"

#define SEEDS 100

static void
test_definitions (const void *data)
{
  check_wire_protocol (data);
}

static void
test_messages (const void *data)
{
  const SsWireProtocol *protocol = data;

  for (unsigned i = 0; i < protocol->n_messages; i++)
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
      SsRng rng;

      ss_rng_init_number (&rng, seed);
      check_wire_message (protocol->schemas[i](), &rng);
    }
}

static void
test_layout (void)
{
  SsMsgExamplePlain message = {
    .small = 1,
    .medium = 0x0203,
    .large = 0x04050607,
    .huge = 0x08090a0b0c0d0e0f,
    .peer = { .flags = 9, .n_addrs = 1 },
  };
  uint8_t buf[SS_MSG_EXAMPLE_PLAIN_MAX];

  memset (message.id.b, 0x11, SS_ID_LEN);
  memset (message.key.b, 0x22, SS_KEY_LEN);
  memset (message.peer.key.b, 0x33, SS_KEY_LEN);
  memset (message.fixed, 0x44, sizeof message.fixed);
  message.peer.addrs[0] = ss_addr_v4 (0x7f000001, 0x1234);
  size_t len = ss_msg_example_plain_encode (&message, buf, sizeof buf);

  g_assert_cmpuint (len, ==, 1 + 15 + 20 + 32 + 1 + 41 + 7);
  for (unsigned i = 0; i < 15; i++)
    g_assert_cmphex (buf[1 + i], ==, 1 + i);
  g_assert_cmphex (buf[68], ==, 0); /* no address */
  static const uint8_t peer_end[] = { 9, 1, 4, 127, 0, 0, 1, 0x12, 0x34 };
  g_assert_cmpmem (buf + 69 + 32, sizeof peer_end, peer_end, sizeof peer_end);
}

/* Decodes a list of addresses, alone among the lists. */
static bool
addrs_decode (const uint8_t *addrs, size_t len)
{
  uint8_t buf[64] = { SS_MSG_EXAMPLE_LISTS };
  SsMsgExampleLists message;

  memcpy (buf + 7, addrs, len);
  return ss_msg_example_lists_decode (buf, 7 + len + 1, &message);
}

static void
test_canonical_addresses (void)
{
  static const uint8_t good_v4[] = { 1, 4, 10, 0, 0, 1, 0, 80 };
  static const uint8_t no_port[] = { 1, 4, 10, 0, 0, 1, 0, 0 };
  static const uint8_t unset_in_list[] = { 1, 0 };
  static const uint8_t family[] = { 1, 5, 10, 0, 0, 1, 0, 80 };
  static const uint8_t v6[] = { 1, 6, 0, 0, 0, 0, 0, 0, 0, 0,
                                0, 0, 0, 0, 0, 0, 0, 1, 0, 80 };
  static const uint8_t mapped[] = { 1, 6, 0,    0,    0,  0, 0, 0, 0, 0,
                                    0, 0, 0xff, 0xff, 10, 0, 0, 1, 0, 80 };

  g_assert_true (addrs_decode (good_v4, sizeof good_v4));
  g_assert_true (addrs_decode (v6, sizeof v6));
  g_assert_false (addrs_decode (no_port, sizeof no_port));
  g_assert_false (addrs_decode (unset_in_list, sizeof unset_in_list));
  g_assert_false (addrs_decode (family, sizeof family));
  g_assert_false (addrs_decode (mapped, sizeof mapped));
}

static void
test_views (void)
{
  SsMsgExampleViews message = {
    .first = { (const uint8_t *) "abc", 3 },
    .rest = { (const uint8_t *) "defg", 4 },
  };
  SsMsgExampleViews decoded;
  uint8_t buf[SS_MSG_EXAMPLE_VIEWS_MAX];
  size_t len = ss_msg_example_views_encode (&message, buf, sizeof buf);

  g_assert_cmpuint (len, ==, 1 + 2 + 3 + 2 + 4);
  g_assert_true (ss_msg_example_views_decode (buf, len, &decoded));
  g_assert_true (decoded.first.data == buf + 3);
  g_assert_cmpmem (decoded.rest.data, decoded.rest.len, "defg", 4);
  g_assert_cmpuint (decoded.second.len, ==, 0);
  buf[2] = 200; /* longer than what follows */
  g_assert_false (ss_msg_example_views_decode (buf, len, &decoded));
}

static void
test_print (void)
{
  SsMsgExampleViews views = { .first = { (const uint8_t *) "\1\2", 2 } };
  SsMsgExampleLists lists = { .n_smalls = 2, .smalls = { 7, 8 } };
  GString *text = g_string_new (NULL);

  lists.n_addrs = 1;
  lists.addrs[0] = ss_addr_v4 (0x01020304, 5);
  ss_msg_example_views_print (&views, text);
  g_assert_cmpstr (text->str, ==, "EXAMPLE_VIEWS first=0102 second= rest=");
  g_string_truncate (text, 0);
  ss_msg_example_lists_print (&lists, text);
  g_assert_cmpstr (text->str, ==,
                   "EXAMPLE_LISTS smalls=[7, 8] mediums=[] larges=[] "
                   "huges=[] ids=[] keys=[] addrs=[1.2.3.4:5] peers=[]");
  g_string_free (text, TRUE);
}

static void
test_too_long (void)
{
  if (g_test_subprocess ()) {
    SsMsgExampleLists message = { .n_mediums = 4 };
    uint8_t buf[SS_MSG_EXAMPLE_LISTS_MAX];

    ss_msg_example_lists_encode (&message, buf, sizeof buf);
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
}

int
main (int argc, char **argv)
{
#define ROW(name) &ss_wire_protocol_##name,
  static const SsWireProtocol *const protocols[] = {
    SS_WIRE_PROTOCOLS (ROW) & ss_wire_protocol_example
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/layout", test_layout);
  g_test_add_func ("/wire/canonical-addresses", test_canonical_addresses);
  g_test_add_func ("/wire/views", test_views);
  g_test_add_func ("/wire/print", test_print);
  g_test_add_func ("/wire/too-long", test_too_long);
  for (unsigned i = 0; i < G_N_ELEMENTS (protocols); i++) {
    const char *name = protocols[i]->name;
    char *path = g_strdup_printf ("/wire/%s/definitions", name);

    g_test_add_data_func (path, protocols[i], test_definitions);
    g_free (path);
    path = g_strdup_printf ("/wire/%s/messages", name);
    g_test_add_data_func (path, protocols[i], test_messages);
    g_free (path);
  }
  return g_test_run ();
}
