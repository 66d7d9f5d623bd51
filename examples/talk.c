/* A talk: the node in its ring, the room in it, the input and the output.
 * What becomes of a line is up to examples/chat.c. All that is done to the
 * node is done in one place (step), which is woken up by what happens. */
#include "examples/talk.h"

#include <errno.h>
#include <glib-unix.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "apps/control.h"
#include "examples/chat.h"
#include "examples/shown.h"
#include "net/key_file.h"
#include "net/signals.h"

#define LINES_MAX  SS_CONTROL_LINE_MAX /* read, not said: input is held then */
#define GUESTS_MAX 256                 /* who may speak in a closed room */
#define INVITE     "/invite "          /* then: what lets somebody speak */
#define NUMBER_LEN 8                   /* of who it is, as others see it */

#define STEP_TIME  (50 * SS_MSEC) /* while something is awaited */
#define ASK_TIME   (2 * SS_SEC)   /* between two questions */
#define GUEST_TIME (10 * SS_SEC)  /* who has not asked for so long has gone */
#define JOIN_TIME  (10 * SS_SEC)  /* else there is no ring */
#define LEAVE_TIME (500 * SS_MSEC)
/* For one more of the last lines to be said: who was too fast waits. */
#define END_TIME (SS_ORDERED_HOLD + 5 * SS_SEC)

typedef enum { JOINING, TALKING, LEAVING, GONE } State;

/* Somebody who asks to speak in a closed room of the user's own. */
typedef struct {
  char number[NUMBER_LEN + 1];
  SsId id;
  bool is_invited;
  SsTime asked;
} Guest;

typedef struct {
  SsProgram *program;
  const char *name, *nick;
  bool is_host; /* the room's key is this user's */
  bool is_closed, is_new;
  SsSigner key; /* then; else only its public half */
  SsSigner self;
  SsHost *host;
  Chat *chat;
  ChatRoom *room;
  SsControl *input;
  GQueue lines; /* read, not said */
  Shown shown;  /* heard, not written */
  GArray *guests;
  guint shown_watch;
  bool has_ring, has_input_ended, is_stopped;
  bool has_asked, has_told; /* that it may not speak yet */
  bool is_waiting;          /* for an invitation */
  State state;
  unsigned n_left; /* after the end of the input: lines not kept yet */
  SsTime until, ask_at;
  SsAlarm *alarm;
} Talk;

static void
wake (Talk *talk)
{
  ss_alarm_set (talk->alarm, ss_clock_now ());
}

/* What is heard goes to standard output, which may not hold up the node. */

static gboolean
on_writable (int fd, GIOCondition condition, void *user)
{
  Talk *talk = user;
  GPollFD room = { .fd = fd, .events = G_IO_OUT };

  /* A pipe that can be written to takes as much as a line without waiting. */
  while (talk->shown.lines.length > 0 && g_poll (&room, 1, 0) == 1) {
    g_autofree char *line = shown_next (&talk->shown);
    if (write (fd, line, strlen (line)) >= 0 || errno == EINTR)
      continue;
    ss_program_fail (talk->program, SS_NET_ERROR_FAILED,
                     "cannot write to standard output: %s", g_strerror (errno));
    talk->is_stopped = true;
    wake (talk);
    shown_clear (&talk->shown);
  }
  if (talk->shown.lines.length > 0)
    return G_SOURCE_CONTINUE;
  talk->shown_watch = 0;
  return G_SOURCE_REMOVE;
}

/* Nicks can be chosen by anybody, the number behind them cannot. */
static void
on_heard (void *user, ChatRoom *room, const SsId *speaker, const char *text)
{
  Talk *talk = user;
  SsId self = ss_id_of_key (&talk->self.key);
  const char *line = strchr (text, '\t');
  char id[SS_ID_STRLEN];

  if (line == NULL || ss_id_equal (speaker, &self))
    return;
  g_autofree char *typed = g_strndup (text, (size_t) (line - text));
  g_autofree char *nick = ss_printable (typed);
  g_autofree char *said = ss_printable (line + 1);

  ss_id_format (speaker, id);
  shown_add (&talk->shown,
             g_strdup_printf ("%s#%.*s: %s\n", nick, NUMBER_LEN, id, said));
  if (talk->shown_watch == 0)
    talk->shown_watch =
        g_unix_fd_add (STDOUT_FILENO, G_IO_OUT, on_writable, talk);
}

static void
on_missed (void *user, ChatRoom *room, const SsId *speaker, unsigned n)
{
  Talk *talk = user;
  char id[SS_ID_STRLEN];

  ss_id_format (speaker, id);
  ss_program_say (talk->program, SS_LOG_ERROR,
                  "%u lines of #%.*s are lost: you were cut off for too long",
                  n, NUMBER_LEN, id);
}

static void
on_cut (void *user, ChatRoom *room, bool is_cut)
{
  Talk *talk = user;

  ss_program_say (talk->program, SS_LOG_ERROR,
                  is_cut ? "cut off from %s; trying to get back" : "back in %s",
                  talk->name);
}

static void
on_admitted (void *user, ChatRoom *room, bool is_admitted)
{
  Talk *talk = user;

  if (is_admitted)
    ss_program_say (talk->program, SS_LOG_INFO, "you may speak in %s",
                    talk->name);
  else if (!talk->is_waiting)
    ss_program_say (talk->program, SS_LOG_INFO,
                    "%s is closed: who opened it is told that you ask to "
                    "speak; you hear the others meanwhile",
                    talk->name);
  talk->is_waiting |= !is_admitted;
  wake (talk);
}

/* A closed room's guests. */

/* A place for one more: that of somebody who does not ask any more. */
static Guest *
add_guest (GArray *guests, SsTime now)
{
  for (unsigned i = 0; i < guests->len; i++) {
    Guest *guest = &g_array_index (guests, Guest, i);
    if (!guest->is_invited && now >= guest->asked + GUEST_TIME)
      return guest;
  }
  if (guests->len == GUESTS_MAX)
    return NULL;
  g_array_set_size (guests, guests->len + 1);
  return &g_array_index (guests, Guest, guests->len - 1);
}

static bool
on_asks (void *user, ChatRoom *room, const SsId *speaker, const char *nick)
{
  Talk *talk = user;
  SsTime now = ss_clock_now ();
  char id[SS_ID_STRLEN];

  if (!talk->is_closed)
    return true;
  for (unsigned i = 0; i < talk->guests->len; i++) {
    Guest *guest = &g_array_index (talk->guests, Guest, i);
    if (!ss_id_equal (&guest->id, speaker))
      continue;
    guest->asked = now;
    return guest->is_invited;
  }
  Guest *guest = add_guest (talk->guests, now);
  if (guest == NULL)
    return false;
  g_autofree char *shown = ss_printable (nick);

  ss_id_format (speaker, id);
  *guest = (Guest){ .id = *speaker, .asked = now };
  g_strlcpy (guest->number, id, sizeof guest->number);
  ss_program_say (talk->program, SS_LOG_INFO,
                  "%s#%s asks to speak; type '" INVITE "%s' to let it", shown,
                  guest->number, guest->number);
  return false;
}

/* It is told so when it asks again. */
static void
invite (Talk *talk, const char *number)
{
  for (unsigned i = 0; i < talk->guests->len; i++) {
    Guest *guest = &g_array_index (talk->guests, Guest, i);
    if (strcmp (guest->number, number) != 0)
      continue;
    guest->is_invited = true;
    ss_program_say (talk->program, SS_LOG_INFO, "#%s may speak", number);
    return;
  }
  ss_program_say (talk->program, SS_LOG_ERROR, "nobody asks who is '%s'",
                  number);
}

static const ChatUpcalls upcalls = { on_heard, on_missed, on_cut, on_admitted,
                                     on_asks };

static void
on_line (void *user, const char *line)
{
  Talk *talk = user;

  if (line == NULL) {
    talk->has_input_ended = true;
  } else if (talk->is_closed && g_str_has_prefix (line, INVITE)) {
    invite (talk, line + strlen (INVITE));
  } else {
    g_autofree char *said = g_utf8_make_valid (line, -1);
    char *text = g_strdup_printf ("%s\t%s", talk->nick, said);

    if (strlen (text) <= CHAT_TEXT_MAX) {
      g_assert (talk->lines.length < LINES_MAX);
      g_queue_push_tail (&talk->lines, text);
    } else {
      ss_program_say (talk->program, SS_LOG_ERROR,
                      "a line is too long, and was not said; %d bytes is the "
                      "most",
                      CHAT_TEXT_MAX - CHAT_NICK_MAX - 1);
      g_free (text);
    }
  }
  ss_control_hold (talk->input, talk->lines.length > 0);
  wake (talk);
}

/* From the ring into the room and out again. */

static void
say_where (Talk *talk)
{
  SsAddr addr = ss_host_address (talk->host);
  char room[SS_KEY_HEX_STRLEN], key[SS_KEY_HEX_STRLEN], where[SS_ADDR_STRLEN];

  if (talk->is_host)
    ss_program_say (talk->program, SS_LOG_INFO,
                    "%s your room %s%s: %s may speak",
                    talk->is_new ? "opened" : "opened again", talk->name,
                    talk->is_new ? ", a new one" : "",
                    talk->is_closed ? "only whom you invite" : "whoever asks");
  else
    ss_program_say (talk->program, SS_LOG_INFO,
                    "joined %s, a room of somebody else's", talk->name);
  ss_key_format (&talk->key.key, room);
  ss_key_format (&talk->self.key, key);
  ss_addr_format (&addr, where);
  g_autofree char *spec = g_strdup_printf ("%s@%s", talk->name, room);
  g_autofree char *quoted = g_shell_quote (spec);

  ss_program_say (talk->program, SS_LOG_INFO,
                  "others join with: ss-chat --room %s --bootstrap %s@%s",
                  quoted, key, where);
}

static void
enter (Talk *talk)
{
  SsNode *node = ss_host_node (talk->host);

  talk->state = TALKING;
  talk->until = SS_NEVER;
  talk->chat = chat_new (ss_node_env (node), ss_node_kbr (node), &talk->self,
                         &upcalls, talk);
  talk->room = chat_enter (talk->chat, &talk->key.key, talk->name, NULL);
  if (talk->is_host)
    chat_host (talk->room, &talk->key);
  say_where (talk);
}

static void
leave (Talk *talk, SsTime now)
{
  talk->state = LEAVING;
  talk->until = now + LEAVE_TIME;
  talk->room = NULL;
  if (talk->chat != NULL)
    chat_close (talk->chat);
}

static void
talk_on (Talk *talk, SsTime now)
{
  bool may_speak = chat_may_speak (talk->room);

  if (!may_speak && now >= talk->ask_at) {
    if (talk->has_asked && !talk->has_told && !talk->is_waiting)
      ss_program_say (talk->program, SS_LOG_INFO,
                      "nobody is there who could let you speak; you hear the "
                      "others meanwhile");
    talk->has_told |= talk->has_asked;
    talk->has_asked = true;
    chat_ask (talk->room, talk->nick);
    talk->ask_at = now + ASK_TIME;
  }
  while (may_speak && talk->lines.length > 0
         && chat_say (talk->room, g_queue_peek_head (&talk->lines)))
    g_free (g_queue_pop_head (&talk->lines));
  ss_control_hold (talk->input, talk->lines.length > 0);
  if (!talk->has_input_ended)
    return;
  unsigned n_left = talk->lines.length + chat_n_unsaid (talk->room);

  if (talk->until == SS_NEVER || n_left < talk->n_left)
    talk->until = now + END_TIME;
  talk->n_left = n_left;
  if (n_left > 0 && now < talk->until)
    return;
  if (n_left > 0)
    ss_program_fail (talk->program, SS_NET_ERROR_FAILED,
                     "%u lines could not be said; %s", n_left,
                     may_speak          ? "is the ring still there?"
                     : talk->is_waiting ? "you were not invited to speak"
                                        : "nobody was there to let you speak");
  leave (talk, now);
}

static void
step (void *user)
{
  Talk *talk = user;
  SsTime now = ss_clock_now ();
  bool is_serving = false;

  ss_node_tick (ss_host_node (talk->host), now);
  if (talk->state == JOINING && talk->has_ring)
    enter (talk);
  if (talk->state < LEAVING && talk->is_stopped)
    leave (talk, now);
  if (talk->state == JOINING && now >= talk->until) {
    g_autofree char *trouble = ss_host_join_trouble (talk->host);

    ss_program_fail (talk->program, SS_NET_ERROR_NOT_JOINED, "%s", trouble);
    leave (talk, now);
  }
  if (talk->state == TALKING)
    talk_on (talk, now);
  if (talk->state == LEAVING) {
    is_serving = talk->chat != NULL && chat_is_serving (talk->chat);
    if (!is_serving || now >= talk->until) {
      talk->state = GONE;
      talk->until = SS_NEVER; /* SS_EVENT_LEFT comes in any case */
      ss_host_leave (talk->host);
    }
  }
  bool is_waiting = is_serving || talk->lines.length > 0
                    || (talk->state == TALKING && talk->has_input_ended);
  bool is_asking = talk->state == TALKING && !chat_may_speak (talk->room);

  ss_alarm_set (talk->alarm, is_waiting  ? now + STEP_TIME
                             : is_asking ? talk->ask_at
                                         : talk->until);
  ss_host_flush (talk->host);
}

static void
on_event (void *user, const SsEvent *event)
{
  Talk *talk = user;

  if (event->type == SS_EVENT_LEFT) {
    ss_program_quit (talk->program);
  } else if (event->type == SS_EVENT_STATE) {
    talk->has_ring =
        event->state == SS_NODE_JOINED || event->state == SS_NODE_ALONE;
    if (talk->state == JOINING)
      wake (talk);
  }
}

static void
on_signal (void *user)
{
  Talk *talk = user;

  talk->is_stopped = true;
  wake (talk);
}

/* The key of a room of the user's own is kept as a station's is. */
static bool
open_key (Talk *talk, GError **error)
{
  uint8_t seed[SS_SECRET_LEN];
  g_autofree char *escaped = g_uri_escape_string (talk->name, NULL, TRUE);
  g_autofree char *file = g_strconcat (escaped, ".key", NULL);
  g_autofree char *path =
      g_build_filename (ss_host_dirs (talk->host)->data, "rooms", file, NULL);

  ss_host_random (talk->host, seed, sizeof seed);
  talk->is_new = !ss_key_file_exists (path);
  bool ok = ss_make_parent_dir (path, error)
            && (talk->is_new
                    ? ss_key_file_create (path, SS_KEY_FILE_ROOM, seed, error)
                    : ss_key_file_load (path, SS_KEY_FILE_ROOM, seed, error));

  if (ok)
    ss_signer_init (&talk->key, seed);
  sodium_memzero (seed, sizeof seed);
  return ok;
}

void
talk_run (SsProgram *program, SsHostOptions *host, const TalkOptions *options)
{
  Talk state = { .program = program,
                 .name = options->name,
                 .nick = options->nick,
                 .is_host = options->is_host,
                 .is_closed = options->is_closed,
                 .guests = g_array_new (FALSE, FALSE, sizeof (Guest)),
                 .key = { .key = options->key } };
  Talk *talk = &state;
  GError *error = NULL;

  shown_init (&talk->shown);
  host->application = "chat";
  host->may_stand_alone = talk->is_host;
  host->event = on_event;
  host->user = talk;
  talk->host = ss_host_new (host, &error);
  if (talk->host == NULL || (talk->is_host && !open_key (talk, &error))) {
    ss_program_fail_error (talk->program, error);
  } else {
    ss_host_signer (talk->host, &talk->self);
    talk->until = ss_clock_now () + JOIN_TIME;
    talk->alarm = ss_alarm_new (NULL, step, talk);
    ss_alarm_set (talk->alarm, talk->until);
    talk->input = ss_control_new (STDIN_FILENO, on_line, talk);
    ss_signals_catch (on_signal, talk);
    ss_host_start (talk->host);
    ss_program_run (program);
    if (talk->shown_watch != 0) {
      on_writable (STDOUT_FILENO, G_IO_OUT, talk);
      g_clear_handle_id (&talk->shown_watch, g_source_remove);
    }
    if (talk->shown.lines.length > 0)
      ss_program_say (talk->program, SS_LOG_ERROR,
                      "what was said last is not shown, as standard output "
                      "is not read");
    if (talk->chat != NULL)
      chat_free (talk->chat);
    ss_control_free (talk->input);
    ss_alarm_free (talk->alarm);
  }
  ss_host_free (talk->host);
  ss_signer_clear (&talk->key);
  ss_signer_clear (&talk->self);
  g_queue_clear_full (&talk->lines, g_free);
  shown_clear (&talk->shown);
  g_array_free (talk->guests, TRUE);
}
