/* Heads by memcpy from constant text: the size is counted first, then written without a check a
 * field. Values of the caller's fields lose their control characters, so that nothing in one can
 * begin another field. */
#include "proto/response.h"

#include "base/must.h"
#include "base/num.h"
#include "base/text.h"
#include "proto/h1_line.h"

#define SECONDS_A_DAY 86400
#define RETRY_S_MAX   30u
#define FIELDS_MAX    40u /* of an error: the caller's, and at most three of its own */

/* Every status that is sent: of err.def, and success. */
#define PHRASES(X)                                                                                 \
    X(200, "OK")                                                                                   \
    X(304, "Not Modified")                                                                         \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(413, "Content Too Large")                                                                    \
    X(415, "Unsupported Media Type")                                                               \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(499, "Client Closed Request")                                                                \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")

str response_phrase(int status)
{
    switch (status) {
#define X(number, text)                                                                            \
    case number:                                                                                   \
        return STR(text);
        PHRASES(X)
#undef X
    default:
        return STR("");
    }
}

static char *put(char *to, str s)
{
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static char *put_two(char *to, int v)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    return to + 2;
}

/* The date of a count of days since 1970-01-01. Counting years from March makes the leap day the
 * last of its year, and 400 years (146097 days) an exact period of the Gregorian calendar. */
static void civil_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    const int64_t since = days + 719468; /* days since 0000-03-01 */
    const int64_t era = since / 146097;
    const int64_t in_era = since % 146097;
    const int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    const int64_t day = in_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * day + 2) / 153; /* 0 is March */
    *ret_day = (int)(day - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

void response_date(int64_t unix_s, char out[RESPONSE_DATE_BYTES])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t last = 253402300799; /* the end of 9999 */
    int year, month, day;
    if (unix_s < 0)
        unix_s = 0;
    if (unix_s > last)
        unix_s = last;
    const int64_t date = unix_s / SECONDS_A_DAY;
    const int second = (int)(unix_s % SECONDS_A_DAY);
    civil_of(date, &year, &month, &day);
    char *at = put(out, (str){days + 3 * (date % 7), 3});
    at = put(at, STR(", "));
    at = put_two(at, day);
    at = put(at, STR(" "));
    at = put(at, (str){months + 3 * (month - 1), 3});
    at = put(at, STR(" "));
    at = put_two(at, year / 100);
    at = put_two(at, year % 100);
    at = put(at, STR(" "));
    at = put_two(at, second / 3600);
    at = put(at, STR(":"));
    at = put_two(at, second / 60 % 60);
    at = put(at, STR(":"));
    at = put_two(at, second % 60);
    (void)put(at, STR(" GMT"));
}

static uint64_t digits_of(uint64_t v)
{
    uint64_t n = 1;
    while (v >= 10) {
        v /= 10;
        n++;
    }
    return n;
}

#define LINE_STATUS STR("HTTP/1.1 ")
#define LINE_LENGTH STR("\r\nContent-Length: ")
#define LINE_TYPE   STR("\r\nContent-Type: ")
#define LINE_DATE   STR("\r\nDate: ")
#define LINE_CLOSE  STR("\r\nConnection: close")
#define LINE_END    STR("\r\n\r\n")

uint64_t response_head_bytes(const struct response *r)
{
    uint64_t n = LINE_STATUS.len + 4 + response_phrase(r->status).len + LINE_LENGTH.len +
                 digits_of(r->length) + LINE_END.len;
    if (r->date)
        n += LINE_DATE.len + RESPONSE_DATE_BYTES;
    if (r->type.len > 0)
        n += LINE_TYPE.len + r->type.len;
    if (r->close)
        n += LINE_CLOSE.len;
    for (uint32_t i = 0; i < r->field_count; i++)
        n += 4 + r->fields[i].name.len + r->fields[i].value.len;
    return n;
}

static char *put_value(char *to, str value)
{
    char *end = put(to, value);
    if (h1_line_run(to, value.len) == value.len)
        return end;
    for (char *c = to; c < end; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    }
    return end;
}

uint64_t response_head_write(const struct response *r, char *out)
{
    must(r->status >= 200 && r->status <= 599);
    char *at = put(out, LINE_STATUS);
    *at++ = (char)('0' + r->status / 100);
    at = put_two(at, r->status % 100);
    *at++ = ' ';
    at = put(at, response_phrase(r->status));
    if (r->date) {
        at = put(at, LINE_DATE);
        at = put(at, (str){r->date, RESPONSE_DATE_BYTES});
    }
    at = put(at, LINE_LENGTH);
    at += num_put_u64(at, r->length);
    if (r->type.len > 0) {
        at = put(at, LINE_TYPE);
        at = put_value(at, r->type);
    }
    if (r->close)
        at = put(at, LINE_CLOSE);
    for (uint32_t i = 0; i < r->field_count; i++) {
        at = put(at, STR("\r\n"));
        at = put(at, r->fields[i].name);
        at = put(at, STR(": "));
        at = put_value(at, r->fields[i].value);
    }
    at = put(at, LINE_END);
    return (uint64_t)(at - out);
}

void response_head(struct chain *c, const struct response *r)
{
    const uint64_t bytes = response_head_bytes(r);
    if (bytes > CHAIN_BLOCK_BYTES) {
        c->failed = true;
        return;
    }
    char *room = chain_room(c, (uint32_t)bytes);
    if (room)
        chain_wrote(c, (uint32_t)response_head_write(r, room));
}

uint64_t response_error_body(str text, char out[RESPONSE_BODY_MAX])
{
    struct text t = text_over(out, RESPONSE_BODY_MAX);
    text_put(&t, STR("{\"error\":\""));
    text_json_part(&t, text, RESPONSE_TEXT_MAX);
    text_put(&t, STR("\"}"));
    return t.len;
}

/* The fields that a row asks for, behind the caller's. */
static uint32_t error_fields(const struct response_reason *why, char digits[20],
                             struct field *fields, uint32_t count)
{
    const uint32_t retry_s = why->retry_s < 1             ? 1
                             : why->retry_s > RETRY_S_MAX ? RETRY_S_MAX
                                                          : why->retry_s;
    fields[count++] = (struct field){STR("x-garrison-error"), str_of(err_name(why->code))};
    if (err_retry(why->code) && !why->no_retry) {
        const str value = {digits, num_put_u64(digits, retry_s)};
        fields[count++] = (struct field){STR("Retry-After"), value};
    }
    if (why->code == ERR_METHOD) {
        const str allow = why->allow ? str_of(why->allow) : STR("GET, HEAD, POST");
        fields[count++] = (struct field){STR("Allow"), allow};
    }
    if (why->code == ERR_NO_CALLER)
        fields[count++] = (struct field){STR("WWW-Authenticate"), STR("Bearer")};
    return count;
}

uint64_t response_error(struct chain *c, const struct response *r,
                        const struct response_reason *why)
{
    struct field fields[FIELDS_MAX];
    char digits[20];
    char body[RESPONSE_BODY_MAX];
    uint32_t count = 0;
    must(why->code != OK && r->field_count <= FIELDS_MAX - 3);
    for (; count < r->field_count; count++)
        fields[count] = r->fields[count];
    struct response all = *r;
    all.status = err_http(why->code);
    all.type = RESPONSE_JSON;
    all.length = response_error_body(why->text, body);
    all.fields = fields;
    all.field_count = error_fields(why, digits, fields, count);
    response_head(c, &all);
    if (!r->head)
        chain_put(c, (str){body, all.length});
    return all.length;
}
