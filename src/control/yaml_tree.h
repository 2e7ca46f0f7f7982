/* A YAML document as a tree of maps, lists and texts with their places, by libyaml's events.
 * Only plain data passes: anchors, aliases, tags, merge keys, directives, complex keys, block
 * scalars, repeated keys, empty values and nulls are findings. The tree knows no type of a value:
 * the table does.
 * source  config.md section 1; YAML 1.1 */
#ifndef GARRISON_CONTROL_YAML_TREE_H
#define GARRISON_CONTROL_YAML_TREE_H

#include "base/arena.h"
#include "base/fault.h"

#include "control/config_report.h"

#define YAML_TREE_DEPTH_MAX 16u
#define YAML_TREE_NODES_MAX 20000u

enum yaml_tree_kind { YAML_TREE_TEXT, YAML_TREE_MAP, YAML_TREE_LIST };

struct yaml_tree {
    enum yaml_tree_kind kind;
    bool plain;        /* a text without quotes */
    bool refused;      /* a finding names it already: judge it no further */
    bool key_plain;    /* its key had no quotes */
    uint32_t line;     /* of its first character, from 1 */
    uint32_t column;   /* in characters, from 1 */
    uint32_t key_line; /* of its key in a map */
    uint32_t key_column;
    uint32_t child_count; /* of a map or list */
    str key;              /* in a map */
    str text;             /* of a text */
    struct yaml_tree *first;
    struct yaml_tree *next;
};

/* Reads one document; an empty one is an empty map.
 * in      bytes  UTF-8, at most the caller's limit
 *         name   of the file, for findings
 *         a      keeps the tree, and copies of all texts
 * out     ret    the root, a map; borrowed from a; NULL if the form is broken (then report has it)
 * errors  ERR_UNAVAILABLE: no memory
 * thread  any; never blocks */
MUST_USE err yaml_tree_read(str bytes, const char *name, struct arena *a,
                            const struct yaml_tree **ret, struct config_report *report,
                            struct fault *f);

#endif
