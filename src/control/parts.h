/* The keeper's parts and what they share; not an interface of the room. Each part has a file:
 * front.c, model.c, model_load.c, publish.c, admin.c, drain.c, sandbox_probe.c, keeper.c.
 * thread  the keeper's main thread */
#ifndef GARRISON_CONTROL_PARTS_H
#define GARRISON_CONTROL_PARTS_H

#include "base/digest.h"
#include "base/settings.h"
#include "control/child.h"
#include "control/config.h"
#include "control/data_dir.h"
#include "control/journal.h"
#include "control/keeper.h"
#include "control/lanes.h"
#include "control/loaded.h"
#include "control/output.h"
#include "engine/probe.h"
#include "registry/model_file.h"
#include "registry/model_state.h"

#define KEEPER_LISTENERS_MAX (CONFIG_ADDRESSES_MAX * LANES_LOOPS_MAX)

struct keeper;
struct admin;
struct gauges;

/* --- front.c: the two fronts and their listeners -----------------------------------------------
 */

struct listener {
    int fd;
    uint8_t loop;
    uint8_t address; /* index into texts */
};

struct front {
    struct keeper *k;
    enum role role;
    struct listener *listeners;
    uint32_t listener_count;
    char address[CONFIG_ADDRESSES_MAX][CONFIG_ADDRESS_BYTES]; /* with the port in use */
    uint32_t address_count;
    uint32_t loops;
    int settings;
    struct child *child; /* NULL while it is down */
    bool up;
    uint32_t generation; /* counts its processes; of the data front also that of lanes */
    uint32_t restarts;
    struct backoff backoff;
    struct timer again;
    bool drained;
    bool ending; /* its end is wanted: it is not started again */
    struct message_front_drained cut;
};

MUST_USE err front_prepare(struct front *fr, struct keeper *k, enum role role, struct fault *f);
void front_start(struct front *fr);                              /* now; on failure again later */
void front_send(struct front *fr, uint16_t number, str payload); /* nothing while it is down */
void front_close_listeners(struct front *fr);
void front_free(struct front *fr);

/* --- model.c, model_load.c: models and their workers -------------------------------------------
 */

struct model {
    struct keeper *k;
    const struct config_model *cfg;
    struct model_state state;
    struct model_files *files;
    uint8_t digest[DIGEST_BYTES];
    bool digest_known;
    struct child *child; /* reader or worker */
    bool reader;         /* child is the reader */
    bool reading;        /* a step of reading is posted */
    uint32_t worker;     /* id while a worker lives, else SNAPSHOT_NO_WORKER */
    struct lanes *lanes;
    struct loaded *loaded;  /* of the newest good load: shown in snapshots */
    struct loaded *loading; /* of the load under way */
    struct output output;
    struct timer timer; /* load deadline or backoff */
    bool waits;         /* the timer is the backoff */
    bool refused;       /* the worker or reader has said why it ends */
    uint64_t budget_bytes;
    uint64_t load_began_ns, load_ns;
    int64_t deployed_us;
    uint32_t restarts;
    uint32_t exits[EXIT_REASON_COUNT];
    uint32_t violations;
    uint32_t cells;    /* first cell of its block in the metrics segment */
    bool series_asked; /* for that block */
};

MUST_USE err model_prepare(struct model *m, struct keeper *k, const struct config_model *cfg,
                           struct fault *f);
void models_turn(struct keeper *k); /* gives free turns of worker.loads to queued models */
void model_load(struct model *m);   /* starts its worker; state is LOADING */
void model_scan(struct model *m);   /* starts its reader; state is SCANNING */
void model_step(struct model *m);   /* posts the next step of reading */
void model_refuse(struct model *m, const char *reason, const char *text);
void model_died(struct model *m, enum exit_reason reason, const char *text);
void model_stop(struct model *m); /* ends its process for good */
void model_free(struct model *m);
struct model *model_of_worker(struct keeper *k, uint32_t worker);

/* Lanes between the models and the data front. */
void model_lanes_offer(struct model *m); /* those that are free, to the front that is up */
void models_front_lost(struct keeper *k, uint32_t generation);
void model_lanes_drop(struct model *m, enum exit_reason why); /* the worker is gone */

/* --- publish.c: snapshots ----------------------------------------------------------------------
 */

void publish(struct keeper *k); /* a new generation to the fronts that are up */
void publish_to(struct keeper *k, struct front *fr); /* the present one */

/* --- admin.c: admin.sock and admin messages ----------------------------------------------------
 */

MUST_USE err admin_open(struct keeper *k, struct admin **ret, struct fault *f);
void admin_free(struct admin *a);
const char *admin_path(const struct admin *a);
/* Answers an admin message of the ops front. */
void admin_of_front(struct keeper *k, const struct link_message *m);

/* --- status.c: the answer to status ------------------------------------------------------------
 */

struct text;
void status_write(const struct keeper *k, struct text *t);

/* --- sandbox_probe.c: the proof at start -------------------------------------------------------
 */

/* Starts the probes; done is called once with OK or why the sandbox does not hold. */
MUST_USE err probes_start(struct keeper *k, void (*done)(struct keeper *k, err e, const char *why),
                          struct fault *f);
void probes_tick(struct keeper *k); /* gives up on one that hangs */
void probes_reaped(struct keeper *k, pid_t pid, int status);

/* --- drain.c: the end --------------------------------------------------------------------------
 */

enum drain_phase { DRAIN_NOT, DRAIN_DELAY, DRAIN_GRACE, DRAIN_WORKERS, DRAIN_OPS, DRAIN_OVER };

struct drain {
    enum drain_phase phase;
    uint32_t signals;
    uint64_t delay_until_ns;
    bool workers_told;
    struct timer timer;
};

void drain_signal(struct keeper *k, int number);
void drain_front_up(struct keeper *k, struct front *fr); /* one came up while draining */
void drain_look(struct keeper *k); /* something ended: is the next phase due? */

/* --- keeper.c ----------------------------------------------------------------------------------
 */

struct keeper {
    const struct config *cfg;
    struct loop *loop;
    struct children *children;
    uint64_t boot;
    uint64_t began_ns;
    int64_t began_us;
    int exe_self, exe_worker;
    struct data_dir dir;
    struct front data, ops;
    int wake[LANES_LOOPS_MAX]; /* eventfd of each loop of the data front */
    struct model *models;      /* ascending by name */
    uint32_t model_count;
    uint32_t worker_last; /* id of the newest worker */
    uint64_t generation;  /* of the snapshot */
    int snapshot;         /* its memfd, -1: none yet */
    uint64_t snapshot_bytes;
    struct admin *admin;
    struct gauges *gauges;
    struct {
        pid_t pid; /* of the process that runs them; 0: none */
        int out;   /* reads what it writes */
        uint64_t began_ns;
        void (*done)(struct keeper *k, err e, const char *why);
    } probes;
    bool sandbox_ok;                    /* models may load */
    char sandbox_why[FAULT_TEXT_BYTES]; /* why not */
    uint8_t sandbox_level;              /* worst of the workers */
    bool announced;
    struct drain drain;
    struct timer tick; /* every second */
    struct loop_signal on_child, on_term, on_int;
    int exit;
};

uint32_t keeper_chance(void);              /* a random number */
bool keeper_ready(const struct keeper *k); /* every model is ready or over, and both fronts up */
void keeper_look(struct keeper *k);        /* announces, once, that the start is over */

#endif
