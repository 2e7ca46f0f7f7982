/* Encoders and decoders of base/message.def. Each pass over the table expands to one function a
 * row, made of the same few checked primitives; the complication is that lists stay encoded, so a
 * decoder walks their rows once to know that they fit. */
#include "base/message.h"

#include <inttypes.h>

#include "base/utf8.h"

/* --- writing -----------------------------------------------------------------------------------
 */

static err put_raw(struct message_buffer *b, const void *at, uint64_t len, struct fault *f)
{
    if (len > b->cap - b->len)
        return fail(f, ERR_TOO_BIG, "a message takes more than %" PRIu32 " bytes", b->cap);
    if (len > 0)
        memcpy(b->at + b->len, at, len);
    b->len += (uint32_t)len;
    return OK;
}

static err put_number(struct message_buffer *b, uint64_t v, unsigned bytes, struct fault *f)
{
    uint8_t out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    return put_raw(b, out, bytes, f);
}

static err put_double(struct message_buffer *b, double v, struct fault *f)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return put_number(b, bits, 8, f);
}

static bool is_text(str s)
{
    return utf8_valid(s) && str_find(s, '\0') == s.len;
}

static err put_slice(struct message_buffer *b, str s, uint32_t max, bool text, struct fault *f)
{
    if (s.len > max)
        return fail(f, ERR_TOO_BIG, "a field has %zu bytes, want <= %" PRIu32, s.len, max);
    if (text && !is_text(s))
        return fail(f, ERR_INPUT, "a text field is not UTF-8 without NUL");
    err e = put_number(b, s.len, 4, f);
    return e == OK ? put_raw(b, s.at, s.len, f) : e;
}

static err put_list(struct message_buffer *b, const struct message_list *l, uint16_t max,
                    struct fault *f)
{
    if (l->count > max)
        return fail(f, ERR_TOO_BIG, "a list has %u rows, want <= %u", l->count, max);
    err e = put_number(b, l->count, 2, f);
    return e == OK ? put_raw(b, l->at, l->len, f) : e;
}

/* Each field is written only while all before it were; a half-written payload is taken back. */
#define PUT_END                                                                                    \
    if (e != OK)                                                                                   \
        b->len = before;                                                                           \
    return e;                                                                                      \
    }
#define ROW(name)                                                                                  \
    static err put_row_##name(const struct message_##name *m, struct message_buffer *b,            \
                              struct fault *f)                                                     \
    {                                                                                              \
        const uint32_t before = b->len;                                                            \
        err e = OK;
#define ROW_END(name)    PUT_END
#define U8(field)        e = e == OK ? put_number(b, m->field, 1, f) : e;
#define U16(field)       e = e == OK ? put_number(b, m->field, 2, f) : e;
#define U32(field)       e = e == OK ? put_number(b, m->field, 4, f) : e;
#define U64(field)       e = e == OK ? put_number(b, m->field, 8, f) : e;
#define I64(field)       e = e == OK ? put_number(b, (uint64_t)m->field, 8, f) : e;
#define F64(field)       e = e == OK ? put_double(b, m->field, f) : e;
#define TEXT(field, max) e = e == OK ? put_slice(b, m->field, (max), true, f) : e;
#include "base/message_rows.def"

#define MESSAGE(name, number, from, to, fds)                                                       \
    err message_put_##name(const struct message_##name *m, struct message_buffer *b,               \
                           struct fault *f)                                                        \
    {                                                                                              \
        const uint32_t before = b->len;                                                            \
        err e = OK;
#define MESSAGE_END(name)     PUT_END
#define U8(field)             e = e == OK ? put_number(b, m->field, 1, f) : e;
#define U16(field)            e = e == OK ? put_number(b, m->field, 2, f) : e;
#define U32(field)            e = e == OK ? put_number(b, m->field, 4, f) : e;
#define U64(field)            e = e == OK ? put_number(b, m->field, 8, f) : e;
#define I64(field)            e = e == OK ? put_number(b, (uint64_t)m->field, 8, f) : e;
#define F64(field)            e = e == OK ? put_double(b, m->field, f) : e;
#define TEXT(field, max)      e = e == OK ? put_slice(b, m->field, (max), true, f) : e;
#define BLOB(field, max)      e = e == OK ? put_slice(b, m->field, (max), false, f) : e;
#define LIST(field, row, max) e = e == OK ? put_list(b, &m->field, (max), f) : e;
#include "base/message.def"

#define ROW(name)                                                                                  \
    err message_add_##name(struct message_buffer *b, const struct message_##name *row,             \
                           struct fault *f)                                                        \
    {                                                                                              \
        if (b->count == UINT16_MAX)                                                                \
            return fail(f, ERR_TOO_BIG, "a list is full");                                         \
        const err e = put_row_##name(row, b, f);                                                   \
        b->count = (uint16_t)(b->count + (e == OK));                                               \
        return e;                                                                                  \
    }
#include "base/message_rows.def"

/* --- reading -----------------------------------------------------------------------------------
 */

static err get_raw(str *rest, uint64_t len, str *ret, struct fault *f)
{
    if (len > rest->len)
        return fail(f, ERR_INPUT, "a message ends %" PRIu64 " bytes early", len - rest->len);
    *ret = (str){rest->at, len};
    *rest = str_cut(*rest, len, rest->len);
    return OK;
}

static err get_number(str *rest, unsigned bytes, uint64_t *ret, struct fault *f)
{
    str in;
    const err e = get_raw(rest, bytes, &in, f);
    if (e != OK)
        return e;
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(uint8_t)in.at[i] << (8 * i);
    *ret = v;
    return OK;
}

static err get_slice(str *rest, uint32_t max, bool text, str *ret, struct fault *f)
{
    uint64_t len = 0;
    str s;
    err e = get_number(rest, 4, &len, f);
    if (e == OK && len > max)
        e = fail(f, ERR_INPUT, "a field has %" PRIu64 " bytes, want <= %" PRIu32, len, max);
    if (e == OK)
        e = get_raw(rest, len, &s, f);
    if (e == OK && text && !is_text(s))
        e = fail(f, ERR_INPUT, "a text field is not UTF-8 without NUL");
    if (e == OK)
        *ret = s;
    return e;
}

#define GET(field, type, bytes)                                                                    \
    if (e == OK && (e = get_number(rest, (bytes), &number, f)) == OK)                              \
        m.field = (type)number;
#define U8(field)  GET(field, uint8_t, 1)
#define U16(field) GET(field, uint16_t, 2)
#define U32(field) GET(field, uint32_t, 4)
#define U64(field) GET(field, uint64_t, 8)
#define I64(field) GET(field, int64_t, 8)
#define F64(field)                                                                                 \
    if (e == OK && (e = get_number(rest, 8, &number, f)) == OK)                                    \
        memcpy(&m.field, &number, sizeof number);
#define TEXT(field, max) e = e == OK ? get_slice(rest, (max), true, &m.field, f) : e;
#define BLOB(field, max) e = e == OK ? get_slice(rest, (max), false, &m.field, f) : e;
#define ROW(name)                                                                                  \
    static err get_row_##name(str *rest, struct message_##name *ret, struct fault *f)              \
    {                                                                                              \
        struct message_##name m = {0};                                                             \
        uint64_t number = 0;                                                                       \
        err e = OK;
#define ROW_END(name)                                                                              \
    if (e == OK)                                                                                   \
        *ret = m;                                                                                  \
    (void)number;                                                                                  \
    return e;                                                                                      \
    }
#include "base/message_rows.def"

/* Lists are walked here and kept as they lie. */
#define ROW(name)                                                                                  \
    static err get_list_##name(str *rest, uint16_t max, struct message_list *ret, struct fault *f) \
    {                                                                                              \
        uint64_t count = 0;                                                                        \
        err e = get_number(rest, 2, &count, f);                                                    \
        if (e == OK && count > max)                                                                \
            e = fail(f, ERR_INPUT, "a list has %" PRIu64 " rows, want <= %u", count, max);         \
        const char *from = rest->at;                                                               \
        struct message_##name row;                                                                 \
        for (uint64_t i = 0; e == OK && i < count; i++)                                            \
            e = get_row_##name(rest, &row, f);                                                     \
        if (e == OK)                                                                               \
            *ret = (struct message_list){(const uint8_t *)from, (uint32_t)(rest->at - from),       \
                                         (uint16_t)count};                                         \
        return e;                                                                                  \
    }                                                                                              \
    bool message_next_##name(struct message_list *l, struct message_##name *ret)                   \
    {                                                                                              \
        str rest = {(const char *)l->at, l->len};                                                  \
        if (l->count == 0 || get_row_##name(&rest, ret, NULL) != OK)                               \
            return false;                                                                          \
        *l = (struct message_list){(const uint8_t *)rest.at, (uint32_t)rest.len,                   \
                                   (uint16_t)(l->count - 1)};                                      \
        return true;                                                                               \
    }
#include "base/message_rows.def"

#define U8(field)  GET(field, uint8_t, 1)
#define U16(field) GET(field, uint16_t, 2)
#define U32(field) GET(field, uint32_t, 4)
#define U64(field) GET(field, uint64_t, 8)
#define I64(field) GET(field, int64_t, 8)
#define F64(field)                                                                                 \
    if (e == OK && (e = get_number(rest, 8, &number, f)) == OK)                                    \
        memcpy(&m.field, &number, sizeof number);
#define TEXT(field, max)      e = e == OK ? get_slice(rest, (max), true, &m.field, f) : e;
#define BLOB(field, max)      e = e == OK ? get_slice(rest, (max), false, &m.field, f) : e;
#define LIST(field, row, max) e = e == OK ? get_list_##row(rest, (max), &m.field, f) : e;
#define MESSAGE(name, number_, from, to, fds)                                                      \
    err message_get_##name(str payload, struct message_##name *ret, struct fault *f)               \
    {                                                                                              \
        struct message_##name m = {0};                                                             \
        str *rest = &payload;                                                                      \
        uint64_t number = 0;                                                                       \
        err e = OK;
#define MESSAGE_END(name)                                                                          \
    if (e == OK && rest->len > 0)                                                                  \
        e = fail(f, ERR_INPUT, "message " #name " has %zu bytes too many", rest->len);             \
    if (e == OK)                                                                                   \
        *ret = m;                                                                                  \
    (void)number;                                                                                  \
    return e;                                                                                      \
    }
#include "base/message.def"

/* --- the table ---------------------------------------------------------------------------------
 */

#define K   (1u << ROLE_KEEPER)
#define D   (1u << ROLE_DATA_FRONT)
#define O   (1u << ROLE_OPS_FRONT)
#define W   (1u << ROLE_WORKER)
#define R   (1u << ROLE_READER)
#define S   (1u << ROLE_SOCKET)
#define ANY 255u

struct entry {
    uint16_t number;
    uint8_t from, to, fds;
    bool bare;
    str name;
};

static const struct entry table[] = {
#define MESSAGE(name, number, from, to, fds) {(number), (from), (to), (fds), false, STR_LIT(#name)},
#define BARE(name, number, from, to)         {(number), (from), (to), 0, true, STR_LIT(#name)},
#include "base/message.def"
};

static const struct entry *entry_of(unsigned number)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].number == number)
            return &table[i];
    return NULL;
}

str message_name(unsigned number)
{
    const struct entry *t = entry_of(number);
    return t ? t->name : STR("unknown");
}

err message_allowed(const struct message_frame *frame, enum role from, enum role to,
                    struct fault *f)
{
    const struct entry *t = entry_of(frame->number);
    if (!t && from == ROLE_SOCKET && frame->number >= MESSAGE_ADMIN && frame->fds == 0)
        return OK;
    if (!t)
        return fail(f, ERR_INPUT, "message number %u is unknown", frame->number);
    if (!(t->from & 1u << from) || !(t->to & 1u << to))
        return fail(f, ERR_INPUT, "message %.*s may not come from %.*s", STR_ARG(t->name),
                    STR_ARG(role_name(from)));
    if (t->fds == ANY ? frame->fds > 1 : frame->fds != t->fds)
        return fail(f, ERR_INPUT, "message %.*s carries %u descriptors", STR_ARG(t->name),
                    frame->fds);
    if (t->bare && frame->bytes > 0)
        return fail(f, ERR_INPUT, "message %.*s has a payload, want none", STR_ARG(t->name));
    return OK;
}

str exit_reason_name(enum exit_reason r)
{
    static const str names[EXIT_REASON_COUNT] = {
        [EXIT_UNLOAD] = STR_LIT("unload"),     [EXIT_SANDBOX] = STR_LIT("sandbox"),
        [EXIT_DEADLINE] = STR_LIT("deadline"), [EXIT_STALL] = STR_LIT("stall"),
        [EXIT_OOM] = STR_LIT("oom"),           [EXIT_CRASH] = STR_LIT("crash"),
        [EXIT_REFUSED] = STR_LIT("refused"),
    };
    return (unsigned)r < EXIT_REASON_COUNT ? names[r] : STR("none");
}
