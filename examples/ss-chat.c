/* ss-chat: rooms to talk in, from a terminal or a script. An application of
 * Scribe with a ring of its own: the node, the loop and the options are those
 * of the other programs (talk.c), and what it does with them is chat.c. */
#include <string.h>

#include "apps/options.h"
#include "examples/chat.h"
#include "examples/talk.h"
#include "net/station_spec.h"

static const char help[] =
    "ss-chat: talk in a room that is kept by those who are in it\n"
    "\n"
    "usage: ss-chat [OPTION...] --open NAME [--closed]\n"
    "       ss-chat [OPTION...] --room NAME@KEY\n"
    "\n"
    "Says what is typed, a line at a time, and prints what others say, each\n"
    "one's lines in order and none missing. Leaves at the end of the input.\n"
    "\n"
    "  --open NAME            a room of your own, made if there is none yet; "
    "says\n"
    "                         what others have to type to join it\n"
    "  --closed               there only those speak whom you let: you are "
    "told "
    "who\n"
    "                         asks, and type '/invite NUMBER'. Else whoever "
    "asks may\n"
    "  --room NAME@KEY        somebody else's room, as that one was told\n"
    "  --nick NICK            what you are called there; guest by default\n";

/* As typed. */
typedef struct {
  char *open, *room, *nick;
  gboolean is_closed;
} Typed;

/* The room's name goes to *ret_name, to be freed. */
static bool
understand (const Typed *typed, char **rest, char **ret_name,
            TalkOptions *ret_options, GError **error)
{
  const char *nick = typed->nick;
  const char *room = typed->open != NULL ? typed->open : typed->room;
  const char *at = typed->room != NULL ? strrchr (room, '@') : NULL;
  g_autofree char *name =
      at != NULL ? g_strndup (room, (size_t) (at - room)) : g_strdup (room);
  g_autofree char *shown = nick != NULL ? ss_printable (nick) : NULL;
  g_autofree char *message = NULL;
  TalkOptions options = { .is_host = typed->open != NULL,
                          .is_closed = typed->is_closed };
  g_autofree char *checked =
      name != NULL ? ss_station_name_check (name, NULL) : NULL;

  if (rest != NULL)
    message =
        g_strdup_printf ("'%s' is too much: no argument is expected", rest[0]);
  else if ((typed->open == NULL) == (typed->room == NULL))
    message = g_strdup ("either --open or --room is expected");
  else if (typed->room != NULL && at == NULL)
    message = g_strdup ("--room is NAME@KEY, as who has opened the room was "
                        "told; a room of your own: --open NAME");
  else if (typed->is_closed && typed->open == NULL)
    message = g_strdup ("--closed is for who opens a room");
  else if (checked == NULL)
    message = g_strdup ("a room's name is 1 to 64 bytes of text without any "
                        "of @ / ? #");
  else if (at != NULL && !ss_key_parse (at + 1, &options.key))
    message = g_strdup ("what stands behind the @ of --room is no key of 64 "
                        "digits");
  else if (nick != NULL
           && (*nick == '\0' || strlen (nick) > CHAT_NICK_MAX
               || strcmp (nick, shown) != 0))
    message =
        g_strdup_printf ("--nick is 1 to %d bytes of text", CHAT_NICK_MAX);
  if (message != NULL) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "%s; see ss-chat --help", message);
    return false;
  }
  options.nick = nick != NULL ? nick : "guest";
  options.name = *ret_name = g_steal_pointer (&checked);
  *ret_options = options;
  return true;
}

int
main (int argc, char **argv)
{
  g_autofree char *name = NULL;
  Typed typed = { 0 };
  const GOptionEntry entries[] = {
    { "open", 0, 0, G_OPTION_ARG_STRING, &typed.open, NULL, NULL },
    { "closed", 0, 0, G_OPTION_ARG_NONE, &typed.is_closed, NULL, NULL },
    { "room", 0, 0, G_OPTION_ARG_STRING, &typed.room, NULL, NULL },
    { "nick", 0, 0, G_OPTION_ARG_STRING, &typed.nick, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  const SsOptionsSpec spec = { .help = help, .entries = entries };
  SsProgram program;
  SsOptions options;
  TalkOptions talk;
  GError *error = NULL;
  bool is_done = false;

  ss_program_init (&program, "ss-chat");
  if (!ss_options_parse (&options, &program, &spec, argc, argv, &is_done,
                         &error)
      || (!is_done && !understand (&typed, options.rest, &name, &talk, &error)))
    ss_program_fail_error (&program, error);
  else if (!is_done)
    talk_run (&program, &options.host, &talk);
  ss_options_clear (&options);
  g_free (typed.open);
  g_free (typed.room);
  g_free (typed.nick);
  ss_program_clear (&program);
  return program.status;
}
