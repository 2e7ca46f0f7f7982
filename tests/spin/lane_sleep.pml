/* The sleep protocol of a lane (src/engine/lane_layout.h names the same steps: publish, clear,
 * announce, look, awake). One ring is modelled in each direction by its published index; the
 * consumer's position is its own. Either end may die at any step and is replaced:
 *   the front dies    keeper waits for its end, tells the worker to drop the generation (which
 *                     leaves the worker's flag alone), and a new front starts on a clean lane
 *   the worker dies   keeper waits for its end and wakes the front with the word; a new worker
 *                     gets a fresh lane (all words zero)
 * A lost wake-up is a state in which both ends sleep and one of them has something to take: spin
 * finds it as an invalid end state, since every end but a lawful one is blocked there for good.
 * Memory is sequentially consistent here; the C uses seq_cst read-modify-writes on the flags, which
 * is what makes that a fair model: each look is ordered behind the exchange before it.
 * Defines make mutants that must be found wrong: NO_LOOK (no second look), CLEAR_FIRST (the flag
 * is cleared before the index is published), DROP_CLEARS (the drop lowers the worker's flag),
 * NO_KICK (an end sleeps with something untold). */

#define REQUESTS 3 /* by each front */
#define FRONTS   2 /* lives of the front */
#define WORKERS  2 /* lives of the worker */

byte submitted, completed;         /* published indices */
bool front_sleeps, worker_sleeps;  /* the two flags */
byte front_event, worker_event;    /* the two eventfds: 0 or 1 */
bool front_dead, worker_dead;      /* what the keeper sees by waitpid */
bool drop_asked, dropped;          /* messages keeper <> worker */
bool lane_lost;                    /* message keeper > front: its worker is gone */
bool finished;                     /* the last front did all it wanted */
bool may_die = true;               /* one death at a time: the keeper handles it first */
byte taken;                        /* by the present worker */
byte fronts, workers;              /* lives begun */

/* An exchange: returns the old value in was, atomically. */
inline swap(flag, value, was)
{
    atomic {
        was = flag;
        flag = value;
    }
}

/* What is published is told at once or later, but before its end sleeps: one wake for many. */
#ifdef CLEAR_FIRST
#define PUBLISH(index, flag, event)          \
    swap(flag, false, was);                  \
    index++;                                 \
    if                                       \
    :: was -> event = 1                      \
    :: else                                  \
    fi
#else
#define PUBLISH(index, flag, event)          \
    index++; /* publish */                   \
    quiet = true
#endif

#define KICK(flag, event)                    \
    if                                       \
    :: quiet ->                              \
        swap(flag, false, was); /* clear */  \
        quiet = false;                       \
        if                                   \
        :: was -> event = 1                  \
        :: else                              \
        fi                                   \
    :: else                                  \
    fi

#ifdef NO_KICK
#define KICK_BEFORE_SLEEP(flag, event) skip
#else
#define KICK_BEFORE_SLEEP(flag, event) KICK(flag, event)
#endif

#define FRONT_MAY_DIE                                                      \
    if                                                                     \
    :: atomic { may_die && fronts < FRONTS -> may_die = false; goto die }  \
    :: true                                                                \
    fi

proctype front()
{
    byte sent = 0, done = 0;
    bool was, quiet = false;

    do
    :: lane_lost -> /* requests in flight are answered 503; the new lane is fresh */
        atomic {
            lane_lost = false;
            done = sent;
            break
        }
    :: !lane_lost && sent < REQUESTS && sent - done < 2 ->
        FRONT_MAY_DIE;
        sent++;
        PUBLISH(submitted, worker_sleeps, worker_event);
        FRONT_MAY_DIE
    :: !lane_lost && quiet ->
        KICK(worker_sleeps, worker_event);
        FRONT_MAY_DIE
    :: !lane_lost && completed > done -> /* look */
        done++;
        FRONT_MAY_DIE
    :: !lane_lost && done == REQUESTS -> break
    :: !lane_lost && sent > done && completed <= done ->
        KICK_BEFORE_SLEEP(worker_sleeps, worker_event);
        swap(front_sleeps, true, was); /* announce */
        FRONT_MAY_DIE;
#ifndef NO_LOOK
        if
        :: completed > done -> goto awake /* look again */
        :: else
        fi;
#endif
        if
        :: atomic { front_event == 1 -> front_event = 0 }
        fi;
awake:
        swap(front_sleeps, false, was) /* awake */
    od;
    finished = true;
    goto end;
die:
    front_dead = true;
end:
    skip
}

#define WORKER_MAY_DIE                                                        \
    if                                                                        \
    :: atomic { may_die && workers < WORKERS -> may_die = false; goto die }   \
    :: true                                                                   \
    fi

inline drop()
{
    atomic { /* the old front is gone, the next one waits for the word: nobody else writes */
        submitted = 0;
        completed = 0;
        taken = 0;
        front_sleeps = false;
#ifdef DROP_CLEARS
        worker_sleeps = false;
#endif
        drop_asked = false;
        dropped = true
    }
}

proctype worker()
{
    bool was, quiet = false;
    byte running = 0;

    do
    :: drop_asked ->
        running = 0; /* its finish says nothing to nobody */
        drop()
    :: !drop_asked && submitted > taken -> /* look */
        taken++;
        running++;
        WORKER_MAY_DIE
    :: !drop_asked && running > 0 ->
        running--;
        PUBLISH(completed, front_sleeps, front_event);
        WORKER_MAY_DIE
    :: !drop_asked && quiet ->
        KICK(front_sleeps, front_event);
        WORKER_MAY_DIE
    :: !drop_asked && running == 0 && submitted <= taken ->
        KICK_BEFORE_SLEEP(front_sleeps, front_event);
        swap(worker_sleeps, true, was); /* announce */
        WORKER_MAY_DIE;
#ifndef NO_LOOK
        if
        :: submitted > taken || drop_asked -> goto awake /* look again */
        :: else
        fi;
#endif
endidle: /* a worker may wait for work for ever */
        if
        :: atomic { worker_event == 1 -> worker_event = 0 }
        :: atomic { drop_asked -> running = 0 }; /* the control reader drops while the others sleep */
            drop();
            goto endidle
        fi;
awake:
        swap(worker_sleeps, false, was) /* awake */
    od;
die:
    worker_dead = true
}

active proctype keeper()
{
    atomic {
        fronts = 1;
        workers = 1;
        run front();
        run worker()
    }
endwatch:
    do
    :: front_dead ->
        front_dead = false;
        drop_asked = true;
        /* no wake-up: the word comes over the control pipe, which has a reader of its own */
        if
        :: dropped ->
            dropped = false
        fi;
        atomic {
            fronts++;
            front_event = 0; /* a new front has a new loop and a new eventfd */
            may_die = true;
            run front()
        }
    :: worker_dead ->
        atomic {
            worker_dead = false;
            lane_lost = !finished;
            front_event = 1 /* the word is a message on the front's loop */
        }
        if
        :: !lane_lost || finished
        fi;
        atomic {
            submitted = 0;
            completed = 0;
            taken = 0;
            front_sleeps = false;
            worker_sleeps = false;
            worker_event = 0;
            workers++;
            may_die = true;
            run worker()
        }
    od
}
