/* The window's inside, shared by reorder.c (what is here, what is missing),
 * rebuild.c (rows and their parity), chase.c (what is done about the missing)
 * and playout.c (when it starts, what comes out). */
#pragma once

#include "splitstream/paritywatch.h"
#include "splitstream/reorder.h"

/* Thousands of these are passed over as a stream plays: they are kept small. */
typedef struct {
  GBytes *packet;   /* NULL: missing */
  SsTime departure; /* if missing: a guess, if there is one */
  union {
    struct { /* if here */
      SsTime timestamp;
      uint32_t frame_number;
      uint32_t duration;  /* of the one part that it has, */
      uint16_t part_from; /* from there to its end; 0: none, or several */
      uint16_t row_low;
      uint8_t index, flags, version;
      bool is_by_tree; /* it has come down its tree */
    };
    struct { /* if missing */
      SsTime noticed, want_at;
      bool is_asked, is_parity_asked, is_in_burst, has_guess, is_told;
    };
  };
} SsReorderSlot;
_Static_assert(sizeof (SsReorderSlot) <= 40, "a slot of the window");

typedef struct {
  uint32_t row;
  uint64_t first;
  unsigned n_data;
  bool is_bad; /* what came out was not authentic: not tried again */
  GBytes *shards[SS_PARITY_MAX];
} SsReorderRow;

struct SsReorder {
  SsMediaClock *clock;
  SsReorderCalls calls;
  void *user;
  unsigned n_parity, n_columns;
  SsTime latency;
  SsTime deadline;
  /* Slots of [first, end); next is the one playing. */
  SsReorderSlot *slots;
  unsigned capacity; /* a power of 2 */
  bool has_any;
  uint64_t first, next, end;
  GArray *missing; /* uint64_t, ascending, all in [next, end) */
  GArray *rows;    /* SsReorderRow, by row */
  bool has_row;
  uint32_t last_row; /* of a parity packet, the greatest */
  SsParityWatch parity_watch;
  uint64_t n_rows; /* passed */
  bool has_passed;
  uint16_t passed_row_low; /* of the packet played last */
  bool is_expecting; /* [expect_first, expect_newest] until expect_until */
  uint64_t expect_first, expect_newest;
  SsTime expect_until;
  SsTime round_trip;  /* to who sends it; 0: not known */
  SsTime hold_until;  /* no gap is asked for before */
  uint64_t floor;     /* what is below is not played */
  SsTime burst_heard; /* when it was promised, or brought something last */
  bool has_end;
  uint64_t end_number; /* of the first end mark */
  /* playing */
  bool is_started, has_frame;
  uint64_t last_frame;   /* number of the last frame out or known lost */
  SsTime given_at;       /* the last part; n_given of them then */
  SsTime together_until; /* what falls due before may go */
  unsigned n_given;
  bool is_parsed;
  SsPacket current; /* the packet `next`, parsed */
  unsigned part;    /* of it, the next to go */
  size_t part_offset;
  SsTime part_time;
  GByteArray *partial; /* a frame's first parts; NULL: none */
  uint64_t partial_number;
  unsigned partial_len; /* of the last that was whole */
  SsReorderStats stats;
};

static inline SsReorderSlot *
ss_reorder_slot (const SsReorder *reorder, uint64_t number)
{
  return &reorder->slots[number & (reorder->capacity - 1)];
}

static inline SsTime
ss_reorder_due (const SsReorder *reorder, const SsReorderSlot *slot)
{
  return slot->timestamp + reorder->clock->base + reorder->latency;
}

static inline void
ss_reorder_at (SsReorder *reorder, SsTime deadline)
{
  reorder->deadline = MIN (reorder->deadline, deadline);
}

/* reorder.c */
void ss_reorder_advance (SsReorder *reorder, uint64_t next);
/* Nothing below the floor is missed. */
void ss_reorder_keep_above (SsReorder *reorder);
void ss_reorder_hurry_burst (SsReorder *reorder, SsTime now);

/* rebuild.c */
uint32_t ss_reorder_full_row (const SsReorder *reorder, uint16_t row_low);
SsReorderRow *ss_reorder_find_row (const SsReorder *reorder, uint64_t number);
SsReorderRow *ss_reorder_note_row (SsReorder *reorder, uint32_t row_number,
                                   const SsPacket *packet);
void ss_reorder_forget_row (SsReorder *reorder, unsigned i);
void ss_reorder_rebuild (SsReorder *reorder, SsTime now, SsReorderRow *row);

/* chase.c. What is overdue is asked for; parity that is, is told of. */
void ss_reorder_chase (SsReorder *reorder, SsTime now);
void ss_reorder_watch_parity (SsReorder *reorder, SsTime now);

/* playout.c */
void ss_reorder_start (SsReorder *reorder, SsTime now);
void ss_reorder_play (SsReorder *reorder, SsTime now);
