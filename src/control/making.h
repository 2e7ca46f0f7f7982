/* A configuration while it is being made: what its readers and its rules share. Inner to the files
 * control/config_load.c and control/making.c.
 * thread  owned by one thread */
#ifndef GARRISON_CONTROL_MAKING_H
#define GARRISON_CONTROL_MAKING_H

#include "control/config.h"
#include "control/config_report.h"
#include "control/config_value.h"

#define MAKING_ROWS_MAX 128u

/* A model and where its keys stood, by row; line 0 and where NULL: not written. */
struct making_model {
    struct config_model model;
    struct config_place at; /* of its name */
    struct config_place path;
    struct config_place labels;
    struct config_place version;
    struct config_place lane; /* of lane, else of lane_reply */
    struct config_place request_timeout;
    bool path_broken; /* a finding names its path already */
};

struct making {
    struct config *config;
    struct config_report *report;
    struct arena *scratch; /* freed when the configuration is made */
    const char *where;     /* the file, or the flag that is being read */
    struct config_taking of_file;
    const struct yaml_tree *models_tree;
    struct making_model *models;
    uint32_t model_count; /* also the index of the model that is being read */
    struct config_place places[MAKING_ROWS_MAX]; /* where each row stood last */
    bool broken[MAKING_ROWS_MAX];
    bool look; /* at the files of models */
    bool has_file;
};

MUST_USE err making_no_memory(struct fault *f);

MUST_USE err making_begin(struct making *m); /* errors: ERR_UNAVAILABLE */

/* A model called name, with the defaults of the file; then its keys are taken, then _end. */
void making_model_begin(struct making *m, str name, const struct config_place *at);
MUST_USE err making_model_end(struct making *m); /* errors: ERR_UNAVAILABLE */

/* Fills in what is computed: loops, directories, memory, names. errors: ERR_UNAVAILABLE */
MUST_USE err making_complete(struct making *m);

/* The rules between rows (config.md section 4), and the files of models. */
void making_judge(struct making *m);

#endif
