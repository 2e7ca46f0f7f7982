/* libyaml's events to a tree. The one complication: a finding that spoils a single value (a tag, a
 * repeated key) must not hide the others, so such a value stays in the tree, marked as refused;
 * only a broken form or a passed limit ends the reading. */
#include "control/yaml_tree.h"

#include "base/utf8.h"

#include "control/yaml_plain.h"

#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    const char *name;
    str bytes;
    struct arena *arena;
    struct config_report *report;
    struct yaml_tree *open[YAML_TREE_DEPTH_MAX]; /* maps and lists not closed yet */
    struct yaml_tree *last[YAML_TREE_DEPTH_MAX]; /* the newest child of each */
    uint32_t depth;
    uint32_t nodes;
    struct yaml_tree *root;
    struct yaml_tree key; /* the key that waits for its value, in the innermost map */
    bool key_waits;
};

static void found(struct reading *r, const yaml_mark_t *at, const char *what)
{
    const struct config_place place = {r->name, (uint32_t)at->line + 1, (uint32_t)at->column + 1};
    config_report_add(r->report, &place, false, "%s", what);
}

static err no_memory(struct fault *f)
{
    return fail(f, ERR_UNAVAILABLE, "no memory for the configuration");
}

/* Copies text behind a NUL of its own. */
static bool text_copy(struct reading *r, const yaml_event_t *e, str *ret)
{
    char *copy = arena_alloc(r->arena, e->data.scalar.length + 1);
    if (!copy)
        return false;
    if (e->data.scalar.length)
        memcpy(copy, e->data.scalar.value, e->data.scalar.length);
    *ret = (str){copy, e->data.scalar.length};
    return true;
}

static bool key_repeated(const struct yaml_tree *map, str key)
{
    for (const struct yaml_tree *n = map->first; n; n = n->next) {
        if (str_eq(n->key, key))
            return true;
    }
    return false;
}

static bool in_map(const struct reading *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == YAML_TREE_MAP;
}

/* Hangs n under the innermost open node, with the key that waits. */
static void attach(struct reading *r, struct yaml_tree *n)
{
    if (r->depth == 0) {
        r->root = n;
        return;
    }
    struct yaml_tree *parent = r->open[r->depth - 1];
    if (parent->kind == YAML_TREE_MAP) {
        n->key = r->key.text;
        n->key_plain = r->key.plain;
        n->key_line = r->key.line;
        n->key_column = r->key.column;
        n->refused |= r->key.refused;
        r->key_waits = false;
    }
    struct yaml_tree **end = r->last[r->depth - 1] ? &r->last[r->depth - 1]->next : &parent->first;
    *end = n;
    r->last[r->depth - 1] = n;
    parent->child_count++;
}

/* The findings that any node may have: what YAML allows and a configuration does not need. */
static bool decorated(struct reading *r, const yaml_event_t *e, const yaml_char_t *anchor,
                      const yaml_char_t *tag)
{
    if (anchor)
        found(r, &e->start_mark, "an anchor (&) stands here; want the value alone");
    else if (tag)
        found(r, &e->start_mark, "a tag (!) stands here; want the value alone");
    return anchor || tag;
}

static err scalar_judge(struct reading *r, const yaml_event_t *e, struct yaml_tree *n,
                        struct fault *f)
{
    const yaml_scalar_style_t style = e->data.scalar.style;
    if (!text_copy(r, e, &n->text))
        return no_memory(f);
    n->plain = style == YAML_PLAIN_SCALAR_STYLE;
    n->refused = decorated(r, e, e->data.scalar.anchor, e->data.scalar.tag);
    if (n->refused)
        return OK;
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
        found(r, &e->start_mark, "a block scalar (| or >) stands here; want the text on one line");
        n->refused = true;
    }
    return OK;
}

static err on_key(struct reading *r, const yaml_event_t *e, struct fault *f)
{
    r->key = (struct yaml_tree){.line = (uint32_t)e->start_mark.line + 1,
                                .column = (uint32_t)e->start_mark.column + 1};
    const err code = scalar_judge(r, e, &r->key, f);
    if (code)
        return code;
    r->key_waits = true;
    if (r->key.refused)
        return OK;
    if (r->key.plain && str_eq(r->key.text, STR("<<"))) {
        found(r, &e->start_mark, "a merge key (<<) stands here; want the keys themselves");
        r->key.refused = true;
    } else if (r->key.text.len == 0) {
        found(r, &e->start_mark, "an empty key stands here; want a name");
        r->key.refused = true;
    } else if (key_repeated(r->open[r->depth - 1], r->key.text)) {
        const struct config_place place = {r->name, r->key.line, r->key.column};
        config_report_add(r->report, &place, false, "\"%.*s\" stands twice in this map; want once",
                          (int)(r->key.text.len > 80 ? 80 : r->key.text.len), r->key.text.at);
        r->key.refused = true;
    }
    return OK;
}

static err on_text(struct reading *r, const yaml_event_t *e, struct yaml_tree *n, struct fault *f)
{
    n->kind = YAML_TREE_TEXT;
    const err code = scalar_judge(r, e, n, f);
    if (code)
        return code;
    if (!n->refused && n->plain && n->text.len == 0) {
        found(r, &e->start_mark, "an empty value stands here; leave the key out for the default");
        n->refused = true;
    } else if (!n->refused && n->plain &&
               str_eq(STR("null"), str_of(yaml_plain_reads_as(n->text)))) {
        found(r, &e->start_mark,
              "null stands here; leave the key out for the default, or quote it as a text");
        n->refused = true;
    }
    return OK;
}

/* One node of any kind. *ret_go false: the reading cannot go on. */
static err on_node(struct reading *r, const yaml_event_t *e, bool *ret_go, struct fault *f)
{
    const bool scalar = e->type == YAML_SCALAR_EVENT;
    *ret_go = false;
    if (++r->nodes > YAML_TREE_NODES_MAX) {
        found(r, &e->start_mark, "more than 20000 nodes; want fewer");
        return OK;
    }
    if (in_map(r) && !r->key_waits && e->type != YAML_ALIAS_EVENT) {
        *ret_go = scalar;
        if (scalar)
            return on_key(r, e, f);
        found(r, &e->start_mark, "a map or list stands as a key; want a name");
        return OK;
    }
    struct yaml_tree *n = arena_new(r->arena, struct yaml_tree, 1);
    if (!n)
        return no_memory(f);
    n->line = (uint32_t)e->start_mark.line + 1;
    n->column = (uint32_t)e->start_mark.column + 1;
    *ret_go = true;
    if (e->type == YAML_ALIAS_EVENT) {
        found(r, &e->start_mark,
              "an alias (*) stands here; want the value, or quotes round a text");
        n->refused = true;
        if (in_map(r) && !r->key_waits) { /* as a key: nothing to hang it on */
            *ret_go = false;
            return OK;
        }
    } else if (scalar) {
        const err code = on_text(r, e, n, f);
        if (code)
            return code;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        n->kind = YAML_TREE_MAP;
        n->refused = decorated(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    } else {
        n->kind = YAML_TREE_LIST;
        n->refused = decorated(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    }
    attach(r, n);
    if (scalar || e->type == YAML_ALIAS_EVENT)
        return OK;
    if (r->depth == YAML_TREE_DEPTH_MAX) {
        found(r, &e->start_mark, "more than 16 levels; want fewer");
        *ret_go = false;
        return OK;
    }
    r->open[r->depth] = n;
    r->last[r->depth++] = NULL;
    return OK;
}

static err on_event(struct reading *r, const yaml_event_t *e, bool *ret_go, struct fault *f)
{
    *ret_go = true;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->root) {
            found(r, &e->start_mark, "a second document begins; want one");
            *ret_go = false;
        } else if (e->data.document_start.version_directive ||
                   e->data.document_start.tag_directives.start !=
                       e->data.document_start.tag_directives.end) {
            found(r, &e->start_mark, "a directive (%) stands here; want none");
        }
        return OK;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return on_node(r, e, ret_go, f);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        /* the map around it had its key taken when this node was attached */
        r->key_waits = false;
        return OK;
    case YAML_STREAM_END_EVENT:
        *ret_go = false;
        return OK;
    default:
        return OK;
    }
}

/* A place for what libyaml's reader refuses, which it knows only as an offset in bytes. */
static void place_of_byte(str bytes, size_t offset, yaml_mark_t *ret)
{
    *ret = (yaml_mark_t){0};
    for (size_t i = 0; i < offset && i < bytes.len; i++) {
        if (bytes.at[i] == '\n') {
            ret->line++;
            ret->column = 0;
        } else if (((unsigned char)bytes.at[i] & 0xc0) != 0x80) {
            ret->column++;
        }
    }
}

static void syntax(struct reading *r)
{
    const yaml_parser_t *p = &r->parser;
    yaml_mark_t mark = p->problem_mark;
    if (p->error == YAML_READER_ERROR)
        place_of_byte(r->bytes, p->problem_offset, &mark);
    const struct config_place place = {r->name, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
    const char *context = p->context ? p->context : "";
    config_report_add(r->report, &place, false, "not YAML, %s%s%s; want UTF-8 YAML",
                      p->problem ? p->problem : "unreadable", *context ? " " : "", context);
}

static size_t utf8_broken(str bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        const unsigned len = utf8_len(str_cut(bytes, at, bytes.len));
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

static err read_events(struct reading *r, struct fault *f)
{
    bool go = true;
    while (go) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e)) {
            if (r->parser.error == YAML_MEMORY_ERROR)
                return no_memory(f);
            syntax(r);
            r->root = NULL;
            return OK;
        }
        const err code = on_event(r, &e, &go, f);
        const bool end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (code)
            return code;
        if (!go && !end)
            r->root = NULL;
    }
    return OK;
}

err yaml_tree_read(str bytes, const char *name, struct arena *a, const struct yaml_tree **ret,
                   struct config_report *report, struct fault *f)
{
    struct reading r = {.name = name, .bytes = bytes, .arena = a, .report = report};
    const size_t broken = utf8_broken(bytes);
    if (broken < bytes.len) {
        yaml_mark_t mark;
        place_of_byte(bytes, broken, &mark);
        found(&r, &mark, "a byte that is not UTF-8; want UTF-8 YAML");
        *ret = NULL;
        return OK;
    }
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(f);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes.at, bytes.len);
    const uint32_t errors_before = report->error_count;
    err code = read_events(&r, f);
    yaml_parser_delete(&r.parser);
    if (code)
        return code;

    if (!r.root && report->error_count == errors_before) {
        r.root = arena_new(a, struct yaml_tree, 1);
        if (!r.root)
            return no_memory(f);
        *r.root = (struct yaml_tree){.kind = YAML_TREE_MAP, .line = 1, .column = 1};
    } else if (r.root && r.root->kind != YAML_TREE_MAP) {
        const yaml_mark_t mark = {.line = r.root->line - 1, .column = r.root->column - 1};
        if (!r.root->refused)
            found(&r, &mark, "no map stands here; want keys and values, such as server: ..");
        r.root = NULL;
    }
    *ret = r.root;
    return OK;
}
