/* What a worker or reader says to the keeper and hears from it, on the control descriptor.
 * errors  ERR_UNAVAILABLE: the keeper is gone; ERR_INPUT: it broke the rules of base/message.h
 * thread  talk_next: one reader; all else: any, one message at a time */
#ifndef GARRISON_ENGINE_TALK_H
#define GARRISON_ENGINE_TALK_H

#include "base/message.h"
#include "engine/sandbox.h"
#include "engine/scan.h"
#include "engine/trial.h"

struct talk;

/* Over a blocking descriptor, which stays the caller's. *ret_talk lives as long as the process. */
MUST_USE err talk_new(int fd, enum role role, struct talk **ret_talk, struct fault *f);

MUST_USE err talk_hello(struct talk *t, struct fault *f);

/* The next message for this role; the payload is valid until the next call. */
MUST_USE err talk_next(struct talk *t, struct message_frame *ret_frame, str *ret_payload,
                       struct fault *f);

MUST_USE err talk_up(struct talk *t, struct fault *f);
MUST_USE err talk_beat(struct talk *t, uint32_t fds, struct fault *f);
MUST_USE err talk_clean(struct talk *t, uint8_t loop, uint32_t generation, struct fault *f);

/* Answer to message id: the model is refused. why: its code gives the one word. */
MUST_USE err talk_refused(struct talk *t, uint64_t id, const char *reason, const char *text,
                          struct fault *f);

/* Answer to message id: the model is loaded. */
struct talk_loaded {
    const struct signature *sig;
    const struct trial *trial;
    const struct sandbox_report *sandbox;
    uint64_t load_ns;
};
MUST_USE err talk_loaded(struct talk *t, uint64_t id, const struct talk_loaded *l, struct fault *f);

/* Answer to message id: the model is walked; each file is named once. */
MUST_USE err talk_scanned(struct talk *t, uint64_t id, const struct scan *s, struct fault *f);

#endif
