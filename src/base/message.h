/* Messages between processes: the frame, and of every row of base/message.def a struct, an encoder
 * and a decoder. Nobody trusts a peer: a decoder refuses every length, count, UTF-8 sequence and
 * remainder that does not fit, and what it returns borrows from the payload.
 *
 * How a process of ours begins: it is executed as "garrison --role=data_front" (or ops_front) or
 * "garrison-worker --role=worker" (or reader) with /dev/null as stdin, descriptor 3 its control
 * socket (MESSAGE_CONTROL_FD), all else that it inherits named by number in `start`. It says hello,
 * gets start, maps and checks what it was given, says up, and beats once a second from then on.
 * A worker or reader stands in its sandbox before it says up, and is asked to load or walk after.
 *
 * errors  ERR_INPUT: a breach of the rules above; ERR_TOO_BIG: does not fit the frame or a limit
 * thread  any; the calls on descriptors block
 * source  api.md section 8 */
#ifndef GARRISON_BASE_MESSAGE_H
#define GARRISON_BASE_MESSAGE_H

#include <stdint.h>

#include "base/fault.h"
#include "base/role.h"

#define MESSAGE_TABLE       1u /* counts changes of the table; on admin.sock fields are appended */
#define MESSAGE_FRAME_BYTES 16u
#define MESSAGE_PAYLOAD_MAX 98304u
#define MESSAGE_FDS_MAX     4u
#define MESSAGE_CONTROL_FD  3
#define MESSAGE_ADMIN       0x100u /* the first admin message */
#define MESSAGE_MORE        1u     /* flag: the list goes on in the next message of this id */
#define MESSAGE_ANSWER      2u     /* flag: answers the message of this id */
#define MESSAGE_TENSORS_MAX 1088u
#define MESSAGE_LABELS_MAX  65536u /* of all messages of one answer together */

/* What an inherited descriptor is. */
enum fd_what {
    FD_LISTENER = 1, /* listening socket of a front's loop; name: its address */
    FD_CELLS,        /* metrics segment: cells (base/cell) */
    FD_SERIES,       /* metrics segment: directory of series, read-only */
    FD_SETTINGS,     /* sealed struct worker_settings or front_settings (base/settings) */
    FD_WEIGHTS,      /* sealed bytes of one file of the model */
    FD_LANE,         /* sized memfd of a lane: loop, part */
    FD_WAKE_WORKER,  /* eventfd that wakes the worker; it has one */
    FD_WAKE_LOOP,    /* eventfd that wakes loop `loop` of the data front */
    FD_WHAT_COUNT
};

/* Why a worker ended: the label of garrison_worker_exits_total. */
enum exit_reason {
    EXIT_UNLOAD, /* planned */
    EXIT_SANDBOX,
    EXIT_DEADLINE,
    EXIT_STALL,
    EXIT_OOM,
    EXIT_CRASH,
    EXIT_REFUSED,
    EXIT_REASON_COUNT
};
str exit_reason_name(enum exit_reason r); /* "unload"; "none" outside */

/* What a front says of a worker. */
enum lane_fault {
    LANE_FAULT_RULE,    /* a rule of the lane is broken: counted in lane_violations */
    LANE_FAULT_OVERDUE, /* a run that was to end a second ago has not come back */
    LANE_FAULT_COUNT
};

/* By what a caller of an admin message is known. */
enum message_cred { CRED_NONE, CRED_PEER, CRED_ANONYMOUS, CRED_COUNT };

struct message_frame {
    uint32_t bytes; /* of payload */
    uint16_t number;
    uint8_t flags;
    uint8_t fds; /* descriptors on its first byte */
    uint64_t id; /* chosen by the asker; 0: no answer */
};

/* A list as it lies in a payload: count encoded rows. Made by message_add_ROW over a buffer of
 * yours, walked by message_next_ROW. */
struct message_list {
    const uint8_t *at;
    uint32_t len;
    uint16_t count;
};

/* Memory of the caller that rows or a payload are appended to; len and count begin with 0. */
struct message_buffer {
    uint8_t *at;
    uint32_t cap;
    uint32_t len;
    uint16_t count; /* rows added */
};

static inline struct message_list message_list_of(const struct message_buffer *b)
{
    return (struct message_list){b->at, b->len, b->count};
}

/* Numbers: MESSAGE_hello and so on. */
enum message_number {
#define MESSAGE(name, number, from, to, fds) MESSAGE_##name = (number),
#define BARE(name, number, from, to)         MESSAGE_##name = (number),
#include "base/message.def"
};

/* Rows: struct message_fd and so on. */
#define ROW(name) struct message_##name {
#define ROW_END(name)                                                                              \
    }                                                                                              \
    ;
#define U8(field)        uint8_t field;
#define U16(field)       uint16_t field;
#define U32(field)       uint32_t field;
#define U64(field)       uint64_t field;
#define I64(field)       int64_t field;
#define F64(field)       double field;
#define TEXT(field, max) str field;
#include "base/message_rows.def"

/* Messages: struct message_hello and so on. */
#define MESSAGE(name, number, from, to, fds) struct message_##name {
#define MESSAGE_END(name)                                                                          \
    }                                                                                              \
    ;
#define U8(field)             uint8_t field;
#define U16(field)            uint16_t field;
#define U32(field)            uint32_t field;
#define U64(field)            uint64_t field;
#define I64(field)            int64_t field;
#define F64(field)            double field;
#define TEXT(field, max)      str field;
#define BLOB(field, max)      str field;
#define LIST(field, row, max) struct message_list field;
#include "base/message.def"

/* message_put_hello: appends the payload of a message to b.
 * message_get_hello: reads the whole payload; *ret borrows from it and is untouched on error.
 * message_add_fd: appends one row. message_next_fd: cuts the first row off a list that message_get_
 * has accepted; false at its end. */
#define MESSAGE(name, number, from, to, fds)                                                       \
    MUST_USE err message_put_##name(const struct message_##name *m, struct message_buffer *b,      \
                                    struct fault *f);                                              \
    MUST_USE err message_get_##name(str payload, struct message_##name *ret, struct fault *f);
#include "base/message.def"
#define ROW(name)                                                                                  \
    MUST_USE err message_add_##name(struct message_buffer *b, const struct message_##name *row,    \
                                    struct fault *f);                                              \
    bool message_next_##name(struct message_list *l, struct message_##name *ret);
#include "base/message_rows.def"

str message_name(unsigned number); /* "hello"; "unknown" outside the table */

/* Whether that message may go from one to the other at all, with so many descriptors. Callers on
 * admin.sock may send unknown numbers from MESSAGE_ADMIN on: they are answered UNSUPPORTED. */
MUST_USE err message_allowed(const struct message_frame *frame, enum role from, enum role to,
                             struct fault *f);

/* The frame's 16 bytes. Decoding checks size and flags; the number is for message_allowed. */
void message_frame_put(const struct message_frame *frame, uint8_t out[MESSAGE_FRAME_BYTES]);
MUST_USE err message_frame_get(const uint8_t in[MESSAGE_FRAME_BYTES], struct message_frame *ret,
                               struct fault *f);

/* For a process that talks on a blocking descriptor without passing any: the worker, commands.
 * message_write sends one frame and its payload; frame->bytes is set to len.
 * message_read reads one whole frame into payload (MESSAGE_PAYLOAD_MAX bytes).
 * errors  ERR_UNAVAILABLE: the peer is gone, or the descriptor's own time-out passed */
MUST_USE err message_write(int fd, const struct message_frame *frame, const void *payload,
                           uint32_t len, struct fault *f);
MUST_USE err message_read(int fd, struct message_frame *ret_frame, uint8_t *payload,
                          struct fault *f);

#endif
