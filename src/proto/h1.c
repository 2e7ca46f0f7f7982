/* The state machine of a request. The one complication: a head may come in pieces, so its lines are
 * gathered in a buffer that grows and moves; slices into it move along until the head is handed
 * out, and from then on it stays where it is (trailers have a buffer of their own). */
#include "proto/h1.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/num.h"
#include "proto/h1_line.h"

#define BUFFER_FIRST_BYTES 2048u
#define FIELDS_FIRST       16u
#define CHUNK_DIGITS_MAX   16u

enum state {
    STATE_NEXT, /* the head of the last request still lives */
    STATE_LINE,
    STATE_FIELD,
    STATE_FIXED,
    STATE_SIZE,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_TRAILER,
    STATE_END,
    STATE_REFUSED
};

/* How far a line has come. */
enum line { LINE_PART, LINE_WHOLE, LINE_REFUSED };

void h1_init(struct h1 *h, const struct h1_limits *limits)
{
    *h = (struct h1){.limits = *limits};
}

void h1_free(struct h1 *h)
{
    free(h->lines.at);
    free(h->trailer.at);
    free(h->fields);
    h1_init(h, &(const struct h1_limits){0});
}

bool h1_idle(const struct h1 *h)
{
    return h->state == STATE_NEXT || (h->state == STATE_LINE && h->lines.len == 0 && !h->cr);
}

const struct request_head *h1_begun(struct h1 *h)
{
    if (h->head.target.len == 0)
        return NULL;
    h->head.fields = h->fields;
    return &h->head;
}

static void refuse(struct h1 *h, err code, const char *text)
{
    h->state = STATE_REFUSED;
    h->refused = code;
    h->refused_text = text;
}

/* Makes room for need more bytes. */
static bool buffer_grow(struct h1_buffer *b, uint64_t need)
{
    uint64_t cap = b->cap ? b->cap : BUFFER_FIRST_BYTES;
    while (cap - b->len < need)
        cap *= 2;
    if (cap == b->cap)
        return true;
    char *at = cap <= UINT32_MAX ? realloc(b->at, cap) : NULL;
    if (!at)
        return false;
    b->at = at;
    b->cap = (uint32_t)cap;
    return true;
}

/* Moves a slice of the old buffer of len bytes into the new one, and leaves any other. */
static void follow(str *s, uintptr_t from, uint32_t len, const char *to)
{
    const uintptr_t at = (uintptr_t)s->at - from;
    if (s->at && at <= len)
        s->at = to + at;
}

static bool lines_grow(struct h1 *h, uint64_t need)
{
    const uintptr_t from = (uintptr_t)h->lines.at;
    if (!buffer_grow(&h->lines, need))
        return false;
    const char *to = h->lines.at;
    if ((uintptr_t)to == from)
        return true;
    const uint32_t len = h->lines.len;
    follow(&h->head.method_text, from, len, to);
    follow(&h->head.target, from, len, to);
    follow(&h->head.path, from, len, to);
    follow(&h->head.query, from, len, to);
    follow(&h->head.host, from, len, to);
    follow(&h->marks.host, from, len, to);
    for (uint32_t i = 0; i < h->head.field_count; i++) {
        follow(&h->fields[i].name, from, len, to);
        follow(&h->fields[i].value, from, len, to);
    }
    return true;
}

static bool fields_grow(struct h1 *h)
{
    if (h->head.field_count < h->field_cap)
        return true;
    const uint64_t cap = h->field_cap ? 2ull * h->field_cap : FIELDS_FIRST;
    struct field *fields = cap <= UINT32_MAX ? realloc(h->fields, cap * sizeof(*fields)) : NULL;
    if (!fields)
        return false;
    h->fields = fields;
    h->field_cap = (uint32_t)cap;
    return true;
}

/* Steps over n bytes that are there. */
static void skip(str *input, size_t n)
{
    input->at += n;
    input->len -= n;
}

/* There is room for a line's end behind every byte that was read of it. */
static enum line line_end(struct h1_buffer *b)
{
    memcpy(b->at + b->len, "\r\n", 2);
    b->len += 2;
    return LINE_WHOLE;
}

/* Takes bytes of a line of at most max bytes, and its CRLF. Bytes are judged in their order, so
 * that a refusal does not depend on how the input was cut. */
static enum line line_read(struct h1 *h, struct h1_buffer *b, uint32_t max, str *input)
{
    const uint32_t len = b->len - (b == &h->lines ? h->line_at : 0);
    const uint32_t room = max - len;
    if (!h->cr && input->len > 0) {
        const size_t look = input->len <= room ? input->len : (size_t)room + 1;
        const size_t n = h1_line_run(input->at, look);
        if (n > room) {
            refuse(h, ERR_HEADER,
                   h->state == STATE_LINE ? "the request line is over its limit"
                                          : "the header fields are over their limit of bytes");
            return LINE_REFUSED;
        }
        const uint64_t need = (uint64_t)n + 2;
        if (b->cap - b->len < need &&
            !(b == &h->lines ? lines_grow(h, need) : buffer_grow(b, need))) {
            refuse(h, ERR_UNAVAILABLE, "out of memory");
            return LINE_REFUSED;
        }
        memcpy(b->at + b->len, input->at, n);
        b->len += (uint32_t)n;
        skip(input, n);
        if (input->len >= 2 && input->at[0] == '\r' && input->at[1] == '\n') {
            skip(input, 2);
            return line_end(b);
        }
        if (input->len == 0)
            return LINE_PART;
        if (input->at[0] != '\r') {
            refuse(h, ERR_INPUT,
                   input->at[0] == '\n' ? "a line ends in LF without CR"
                                        : "a control character or a byte over 0x7E in the head");
            return LINE_REFUSED;
        }
        h->cr = true;
        skip(input, 1);
    }
    if (input->len == 0)
        return LINE_PART;
    if (input->at[0] != '\n') {
        refuse(h, ERR_INPUT, "a CR without LF in the head");
        return LINE_REFUSED;
    }
    h->cr = false;
    skip(input, 1);
    return line_end(b);
}

/* The whole line in lines without its CRLF, and the next one begins behind it. */
static str line_take(struct h1 *h)
{
    const uint32_t at = h->line_at;
    h->line_at = h->lines.len;
    return (str){h->lines.at + at, h->lines.len - at - 2};
}

/* Bytes that the text of a field line may still have: its CRLF counts too. */
static uint32_t field_room(const struct h1 *h)
{
    const uint32_t left = h->limits.header_bytes - h->header_bytes;
    return left > 2 ? left - 2 : 0;
}

/* Counts a field against the limits. */
static bool count_field(struct h1 *h, size_t len)
{
    if (h->header_count == h->limits.header_count) {
        refuse(h, ERR_HEADER, "more header fields than the limit");
        return false;
    }
    h->header_count++;
    h->header_bytes += (uint32_t)len + 2;
    return true;
}

static void begin(struct h1 *h)
{
    h->head = (struct request_head){.no_name_of = ~0ull};
    h->marks = (struct h1_marks){0};
    h->lines.len = 0;
    h->line_at = 0;
    h->header_bytes = 0;
    h->header_count = 0;
    h->body = 0;
    h->left = 0;
    h->blank = false;
    h->headed = false;
    h->state = STATE_LINE;
}

/* True: the input begins with the head of the last request, byte for byte. Then all that was read
 * of that one holds again, and its slices still stand: a client that goes on mostly repeats itself.
 * Trailers count on from the head, so a head with chunks is read anew. */
static bool repeats(const struct h1 *h, str input)
{
    const str last = {h->lines.at, h->lines.len};
    return last.len > 0 && !h->head.chunked && str_starts(input, last);
}

static void request_line(struct h1 *h, str *input)
{
    if (line_read(h, &h->lines, h->limits.request_line, input) != LINE_WHOLE)
        return;
    const str line = line_take(h);
    if (line.len == 0) {
        if (h->blank)
            refuse(h, ERR_INPUT, "an empty line where a request line is due");
        h->blank = true;
        h->lines.len = 0;
        h->line_at = 0;
        return;
    }
    const char *why = h1_line_request(line, &h->head);
    if (why)
        refuse(h, ERR_INPUT, why);
    else
        h->state = STATE_FIELD;
}

/* The body that the head announces comes next, or the end. */
static void body_begin(struct h1 *h)
{
    h->left = h->head.content_length;
    h->state = h->head.chunked ? STATE_SIZE : h->left > 0 ? STATE_FIXED : STATE_END;
}

/* Says what follows a head. */
static void head_end(struct h1 *h)
{
    const char *why = NULL;
    const err e = h1_head_end(&h->head, &h->marks, h->limits.body, &why);
    h->head.fields = h->fields;
    h->headed = e != ERR_INPUT;
    if (e == OK)
        body_begin(h);
    else
        refuse(h, e, why);
}

/* Takes a field line into the head; false: refused. */
static bool field_take(struct h1 *h, str line)
{
    if (!fields_grow(h)) {
        refuse(h, ERR_UNAVAILABLE, "out of memory");
        return false;
    }
    struct field *field = &h->fields[h->head.field_count];
    const char *why = h1_line_field(line, field);
    if (!why && !count_field(h, line.len))
        return false;
    if (!why)
        why = h1_head_field(&h->head, &h->marks, field);
    if (why) {
        refuse(h, ERR_INPUT, why);
        return false;
    }
    h->head.field_count++;
    h->head.no_name_of &= ~(1ull << (field->name.len & 63));
    return true;
}

/* Reads field lines as far as they are there; true: the head is complete. */
static bool field_lines(struct h1 *h, str *input)
{
    while (line_read(h, &h->lines, field_room(h), input) == LINE_WHOLE) {
        const str line = line_take(h);
        if (line.len == 0) {
            head_end(h);
            return h->state != STATE_REFUSED;
        }
        if (!field_take(h, line))
            return false;
    }
    return false;
}

static void trailer_line(struct h1 *h, str *input)
{
    if (line_read(h, &h->trailer, field_room(h), input) != LINE_WHOLE)
        return;
    const str line = {h->trailer.at, h->trailer.len - 2};
    h->trailer.len = 0;
    if (line.len == 0) {
        h->state = STATE_END;
        return;
    }
    struct field field = {0};
    const char *why = h1_line_field(line, &field);
    if (!why && h1_head_is_framing(field.name))
        why = "a trailer is named like a framing field";
    if (why)
        refuse(h, ERR_INPUT, why);
    else
        (void)count_field(h, line.len);
}

/* Reads the digits of a chunk size and the CR behind them. */
static void chunk_size(struct h1 *h, str *input)
{
    while (input->len > 0) {
        const char c = input->at[0];
        const int digit = num_hex_digit(c);
        if (digit < 0 && (c != '\r' || h->digits == 0)) {
            refuse(h, ERR_INPUT, "a chunk size is not hex digits and CRLF");
            return;
        }
        skip(input, 1);
        if (digit < 0) {
            h->state = STATE_SIZE_LF;
            return;
        }
        if (h->digits == CHUNK_DIGITS_MAX) {
            refuse(h, ERR_INPUT, "a chunk size has more than 16 digits");
            return;
        }
        h->digits++;
        h->left = h->left << 4 | (unsigned)digit;
    }
}

/* The size is known at its LF: the last chunk, or data. */
static void chunk_begin(struct h1 *h)
{
    h->digits = 0;
    h->state = h->left > 0 ? STATE_DATA : STATE_TRAILER;
    if (h->left > h->limits.body - h->body)
        refuse(h, ERR_TOO_BIG, "the chunks are over the limit of a body");
    else
        h->body += h->left;
}

/* Takes the one byte that must come here. */
static bool take(struct h1 *h, str *input, char want, const char *why)
{
    if (input->at[0] != want) {
        refuse(h, ERR_INPUT, why);
        return false;
    }
    skip(input, 1);
    return true;
}

static void framing(struct h1 *h, str *input)
{
    switch (h->state) {
    case STATE_SIZE:
        chunk_size(h, input);
        return;
    case STATE_SIZE_LF:
        if (take(h, input, '\n', "a chunk size is not hex digits and CRLF"))
            chunk_begin(h);
        return;
    case STATE_DATA_CR:
        if (take(h, input, '\r', "no CRLF behind the data of a chunk"))
            h->state = STATE_DATA_LF;
        return;
    case STATE_DATA_LF:
        if (take(h, input, '\n', "no CRLF behind the data of a chunk"))
            h->state = STATE_SIZE;
        return;
    default:
        never("a state without framing");
    }
}

static void body_piece(struct h1 *h, str *input, struct h1_out *ret)
{
    const size_t n = input->len < h->left ? input->len : (size_t)h->left;
    ret->piece = str_cut(*input, 0, n);
    skip(input, n);
    h->left -= n;
    if (h->left == 0)
        h->state = h->state == STATE_FIXED ? STATE_END : STATE_DATA_CR;
}

/* One step in a state that needs input; true: *ret_event is to be said. */
static bool step(struct h1 *h, str *input, struct h1_out *ret, enum h1_event *ret_event)
{
    switch (h->state) {
    case STATE_LINE:
        request_line(h, input);
        return false;
    case STATE_FIELD:
        if (!field_lines(h, input))
            return false;
        ret->head = &h->head;
        *ret_event = H1_HEAD;
        return true;
    case STATE_FIXED:
    case STATE_DATA:
        ret->head = &h->head;
        body_piece(h, input, ret);
        *ret_event = H1_BODY;
        return true;
    case STATE_TRAILER:
        trailer_line(h, input);
        return false;
    default:
        framing(h, input);
        return false;
    }
}

enum h1_event h1_next(struct h1 *h, str *input, struct h1_out *ret)
{
    enum h1_event event = H1_MORE;
    if (h->state == STATE_NEXT && repeats(h, *input)) {
        skip(input, h->lines.len);
        body_begin(h);
        ret->head = &h->head;
        return H1_HEAD;
    }
    if (h->state == STATE_NEXT)
        begin(h);
    for (;;) {
        if (h->state == STATE_END) {
            h->state = STATE_NEXT;
            ret->head = &h->head;
            return H1_END;
        }
        if (h->state == STATE_REFUSED) {
            ret->head = h->headed ? &h->head : NULL;
            ret->code = h->refused;
            ret->text = h->refused_text;
            return H1_REFUSED;
        }
        if (input->len == 0)
            return H1_MORE;
        if (step(h, input, ret, &event))
            return event;
    }
}
