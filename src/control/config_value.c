/* Texts to values by the type of the row. Bounds are read by the same code as the values. */
#include "control/config_value.h"

#include <stdio.h>

#include "base/must.h"
#include "base/num.h"

#include "control/config.h"
#include "control/config_address.h"
#include "control/quantity.h"
#include "control/yaml_plain.h"

#define PATH_BYTES_MAX 4095u

static void bounds_split(const struct config_row *row, str *ret_low, str *ret_high)
{
    const str bounds = str_of(row->bounds);
    const char *dots = strstr(row->bounds, "..");
    must(dots);
    *ret_low = (str){row->bounds, (size_t)(dots - row->bounds)};
    *ret_high = str_cut(bounds, ret_low->len + 2, bounds.len);
}

static bool quantity_in(const struct config_row *row, const struct quantity *q)
{
    str low;
    str high;
    struct quantity from;
    struct quantity to;
    if (!row->bounds[0])
        return true;
    bounds_split(row, &low, &high);
    must(quantity_read(row->type, low, &from) && quantity_read(row->type, high, &to));
    return !quantity_less(q, &from) && !quantity_less(&to, q);
}

/* The phrase after "want", by the row. */
static void want(const struct config_row *row, char *out, size_t cap)
{
    static const char *const forms[] = {
        [CONFIG_BOOL] = "true or false",
        [CONFIG_INT] = "decimal digits",
        [CONFIG_SIZE] = "digits and B, KiB, MiB, GiB or TiB",
        [CONFIG_BYTE_RATE] = "digits and B, KiB, MiB, GiB or TiB, then /s",
        [CONFIG_DURATION] = "digits and us, ms, s, m, h or d",
        [CONFIG_RATE] = "digits, / and s, m, h, d or a duration",
        [CONFIG_RATIO] = "0.05 or 5%, at most 6 decimals",
        [CONFIG_TEXT] = "a text without control characters",
        [CONFIG_ENUM] = "one of",
        [CONFIG_PATH] = "an absolute path, or one from the directory of this file, without ..",
        [CONFIG_ADDRESSES] = "a list of IP literals with ports, such as [\"127.0.0.1:8000\"]",
        [CONFIG_ENUMS] = "a list of",
    };
    const char *form = forms[row->type];
    if (row->type == CONFIG_ENUM || row->type == CONFIG_ENUMS) {
        (void)snprintf(out, cap, "%s %s", form, row->bounds);
        return;
    }
    if (row->type == CONFIG_PATH || row->type == CONFIG_BOOL) {
        (void)snprintf(out, cap, "%s", form);
        return;
    }
    if (row->type == CONFIG_TEXT || row->type == CONFIG_ADDRESSES) {
        (void)snprintf(out, cap, "%s, %s %s", form, row->bounds,
                       row->type == CONFIG_TEXT ? "bytes" : "of them");
        return;
    }
    str low;
    str high;
    bounds_split(row, &low, &high);
    const bool spelled = !config_row_computed(row) && !config_row_absent(row);
    const str like = spelled ? str_of(row->preset) : low;
    (void)snprintf(out, cap, "%s, %s, such as %.*s", form, row->bounds, STR_ARG(like));
}

/* At most 80 bytes of a text, at a whole character. */
static str shown(str s)
{
    if (s.len <= 80)
        return s;
    size_t end = 80;
    while (end > 76 && ((unsigned char)s.at[end] & 0xc0) == 0x80)
        end--;
    return str_cut(s, 0, end);
}

static err refuse(const struct config_row *row, const struct yaml_tree *node, const char *seen,
                  char *why)
{
    char wanted[CONFIG_WHY_BYTES / 2];
    want(row, wanted, sizeof(wanted));
    if (node->kind == YAML_TREE_TEXT) {
        const str text = shown(node->text);
        (void)snprintf(why, CONFIG_WHY_BYTES, "\"%.*s\" %s; want %s", STR_ARG(text), seen, wanted);
    } else {
        (void)snprintf(why, CONFIG_WHY_BYTES, "a %s %s; want %s",
                       node->kind == YAML_TREE_MAP ? "map" : "list", seen, wanted);
    }
    return ERR_INPUT;
}

/* Texts, paths and words only: a plain text that other tools read as another thing. */
static err plain_judge(const struct yaml_tree *node, char *why)
{
    const char *reads_as = node->plain ? yaml_plain_reads_as(node->text) : NULL;
    if (!reads_as)
        return OK;
    const str text = shown(node->text);
    (void)snprintf(why, CONFIG_WHY_BYTES,
                   "%.*s without quotes is %s to other YAML tools; want \"%.*s\"", STR_ARG(text),
                   reads_as, STR_ARG(text));
    return ERR_INPUT;
}

static bool has_control(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.at[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.at[i + 1] < 0xa0)
            return true;
    }
    return false;
}

static err quantity_set(const struct config_row *row, const struct yaml_tree *node, char *why,
                        void *at)
{
    static const char *const broken[] = {
        [CONFIG_BOOL] = "is not a bool",         [CONFIG_INT] = "is not a whole number",
        [CONFIG_SIZE] = "is not a size",         [CONFIG_BYTE_RATE] = "is not a byte rate",
        [CONFIG_DURATION] = "is not a duration", [CONFIG_RATE] = "is not a rate",
        [CONFIG_RATIO] = "is not a ratio",
    };
    struct quantity q;
    if (!quantity_read(row->type, node->text, &q))
        return refuse(row, node, broken[row->type], why);
    if (!quantity_in(row, &q))
        return refuse(row, node, "is out of bounds", why);
    switch (row->type) {
    case CONFIG_BOOL:
        *(bool *)at = q.value == 1;
        break;
    case CONFIG_INT:
        *(uint32_t *)at = (uint32_t)q.value;
        break;
    case CONFIG_RATE:
        *(struct config_rate *)at =
            (struct config_rate){.count = (uint32_t)q.value, .period_ns = q.period_ns};
        break;
    case CONFIG_RATIO:
        *(double *)at = (double)q.value / QUANTITY_RATIO_ONE;
        break;
    default:
        *(uint64_t *)at = q.value;
    }
    return OK;
}

/* A copy of a and b, one after the other, with a NUL behind them. */
static bool text_keep(struct arena *arena, str a, str b, str *ret)
{
    char *copy = arena_alloc(arena, (uint64_t)a.len + b.len + 1);
    if (!copy)
        return false;
    if (a.len)
        memcpy(copy, a.at, a.len);
    if (b.len)
        memcpy(copy + a.len, b.at, b.len);
    *ret = (str){copy, a.len + b.len};
    return true;
}

static err text_set(const struct config_row *row, const struct yaml_tree *node,
                    const struct config_taking *how, char *why, str *at)
{
    str low;
    str high;
    uint64_t least = 0;
    uint64_t most = 0;
    bounds_split(row, &low, &high);
    must(num_u64(low, 1024, &least, NULL) == OK && num_u64(high, 1024, &most, NULL) == OK);
    if (has_control(node->text))
        return refuse(row, node, "has a control character", why);
    if (node->text.len < least || node->text.len > most)
        return refuse(row, node, "is out of bounds", why);
    return text_keep(how->arena, node->text, (str){0}, at) ? OK : ERR_UNAVAILABLE;
}

static bool climbs(str path)
{
    while (path.len) {
        const size_t end = str_find(path, '/');
        if (str_eq(str_cut(path, 0, end), STR("..")))
            return true;
        path = str_cut(path, end + 1, path.len);
    }
    return false;
}

static err path_set(const struct config_row *row, const struct yaml_tree *node,
                    const struct config_taking *how, char *why, str *at)
{
    const str path = node->text;
    if (path.len == 0 || path.len + how->dir.len + 1 > PATH_BYTES_MAX)
        return refuse(row, node, "is empty or longer than 4095 bytes", why);
    if (has_control(path))
        return refuse(row, node, "has a control character", why);
    if (!how->shell && (path.at[0] == '~' || path.at[0] == '$'))
        return refuse(row, node, "is written for a shell", why);
    if (!how->shell && climbs(path))
        return refuse(row, node, "climbs by ..", why);
    const bool join = path.at[0] != '/' && how->dir.len;
    return text_keep(how->arena, join ? how->dir : (str){0}, path, at) ? OK : ERR_UNAVAILABLE;
}

/* The number of a word of the row, or UINT32_MAX. */
static uint32_t word_number(const struct config_row *row, str word)
{
    str rest = str_of(row->bounds);
    for (uint32_t i = 0; rest.len; i++) {
        if (str_eq(config_word_next(&rest), word))
            return i;
    }
    return UINT32_MAX;
}

static err words_set(const struct config_row *row, const struct yaml_tree *node, char *why,
                     const struct yaml_tree **ret_spot, uint32_t *at)
{
    uint32_t set = 0;
    for (const struct yaml_tree *item = node->first; item; item = item->next) {
        *ret_spot = item;
        if (item->kind != YAML_TREE_TEXT)
            return refuse(row, item, "stands here", why);
        if (plain_judge(item, why))
            return ERR_INPUT;
        const uint32_t number = word_number(row, item->text);
        if (number == UINT32_MAX)
            return refuse(row, item, "is not one of its words", why);
        if (set & 1u << number)
            return refuse(row, item, "stands twice", why);
        set |= 1u << number;
    }
    *at = set;
    return OK;
}

static err addresses_set(const struct config_row *row, const struct yaml_tree *node,
                         const struct config_taking *how, char *why,
                         const struct yaml_tree **ret_spot, struct config_addresses *at)
{
    if (node->child_count == 0 || node->child_count > CONFIG_ADDRESSES_MAX) {
        return refuse(row, node, "of another length stands here", why);
    }
    struct config_address *all = arena_new(how->arena, struct config_address, node->child_count);
    if (!all)
        return ERR_UNAVAILABLE;
    uint32_t n = 0;
    for (const struct yaml_tree *item = node->first; item; item = item->next, n++) {
        *ret_spot = item;
        if (item->kind != YAML_TREE_TEXT)
            return refuse(row, item, "stands here", why);
        if (!config_address_read(item->text, &all[n])) {
            const str text = shown(item->text);
            (void)snprintf(why, CONFIG_WHY_BYTES,
                           "\"%.*s\" is not an IP literal with a port; want one such as "
                           "127.0.0.1:8000 or [::1]:8000",
                           STR_ARG(text));
            return ERR_INPUT;
        }
    }
    *at = (struct config_addresses){all, n};
    return OK;
}

static err scalar_set(const struct config_row *row, const struct yaml_tree *node,
                      const struct config_taking *how, char *why, void *at)
{
    if (node->kind != YAML_TREE_TEXT)
        return refuse(row, node, "stands here", why);
    if (row->type != CONFIG_TEXT && row->type != CONFIG_PATH && row->type != CONFIG_ENUM)
        return quantity_set(row, node, why, at);
    if (plain_judge(node, why))
        return ERR_INPUT;
    if (row->type == CONFIG_TEXT)
        return text_set(row, node, how, why, at);
    if (row->type == CONFIG_PATH)
        return path_set(row, node, how, why, at);
    const uint32_t number = word_number(row, node->text);
    if (number == UINT32_MAX)
        return refuse(row, node, "is not one of its words", why);
    *(uint32_t *)at = number;
    return OK;
}

err config_value_set(const struct config_row *row, const struct yaml_tree *node,
                     const struct config_taking *how, void *base, char *why,
                     const struct yaml_tree **ret_spot)
{
    void *at = (char *)base + row->offset;
    *ret_spot = node;
    if (row->type != CONFIG_ADDRESSES && row->type != CONFIG_ENUMS)
        return scalar_set(row, node, how, why, at);
    if (node->kind != YAML_TREE_LIST)
        return refuse(row, node, "stands here", why);
    if (row->type == CONFIG_ENUMS)
        return words_set(row, node, why, ret_spot, at);
    return addresses_set(row, node, how, why, ret_spot, at);
}

void config_value_preset(const struct config_row *row, const struct config_taking *how, void *base)
{
    struct yaml_tree items[CONFIG_ADDRESSES_MAX] = {0};
    struct yaml_tree node = {.kind = YAML_TREE_TEXT, .text = str_of(row->preset)};
    char why[CONFIG_WHY_BYTES];
    const struct yaml_tree *spot;
    if (row->type == CONFIG_ADDRESSES || row->type == CONFIG_ENUMS) {
        str rest = node.text;
        node.kind = YAML_TREE_LIST;
        node.first = items;
        while (rest.len) {
            must(node.child_count < CONFIG_ADDRESSES_MAX);
            struct yaml_tree *item = &items[node.child_count++];
            item->text = config_word_next(&rest);
            item->next = rest.len ? item + 1 : NULL;
        }
    }
    must(config_value_set(row, &node, how, base, why, &spot) == OK);
}
