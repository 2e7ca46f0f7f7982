/* The lines of a head, each in as few passes as its refusals allow. */
#include "proto/h1_line.h"

#include "proto/charset.h"

/* Letters, digits and !#$%&'*+-.^_`|~ */
static const struct charset token = CHARSET(0x03FF6CFA00000000u, 0x57FFFFFFC7FFFFFEu, '-', '.');
/* Letters, digits and -._~%!$&'()*+,;=:@/? */
static const struct charset target_set =
    CHARSET(0xAFFFFFF200000000u, 0x47FFFFFE87FFFFFFu, '$', ';');
/* Letters, digits and .-_ */
static const struct charset host_set = CHARSET(0x03FF600000000000u, 0x07FFFFFE87FFFFFEu, '0', '9');

/* Of eight bytes those at the front that a line may hold. */
static inline unsigned run_of_eight(const char *at)
{
    uint64_t w;
    memcpy(&w, at, sizeof(w));
    /* The top bit of each byte under 0x20 or over 0x7E; what one over 0x7F carries over spoils
     * those behind it, but the run ends before it. */
    uint64_t left = (~(w + EACH_BYTE(0x60)) | (w + EACH_BYTE(1))) & EACH_BYTE(0x80);
    for (; left != 0; left &= left - 1) {
        const unsigned stop = (unsigned)__builtin_ctzll(left) / 8;
        if (at[stop] != '\t')
            return stop;
    }
    return 8;
}

size_t h1_line_run(const char *at, size_t len)
{
    size_t i = 0;
    if (len < 8) {
        while (i < len && ((at[i] >= 0x20 && at[i] <= 0x7E) || at[i] == '\t'))
            i++;
        return i;
    }
    for (; i <= len - 8; i += 8) {
        const unsigned n = run_of_eight(at + i);
        if (n < 8)
            return i + n;
    }
    if (i == len)
        return i;
    i = len - 8; /* the last eight, some of them twice */
    return i + run_of_eight(at + i);
}

bool h1_line_is_token(str s)
{
    return s.len > 0 && charset_all(&token, s);
}

static bool is_port(str s)
{
    unsigned v = 0;
    if (s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        v = 10 * v + (unsigned)(s.at[i] - '0');
    }
    return v <= 65535;
}

/* Hex digits, ':' and '.' at the front of s, from the byte at on. */
static size_t address_end(str s, size_t at)
{
    while (at < s.len && ((s.at[at] >= '0' && s.at[at] <= ':') || s.at[at] == '.' ||
                          ((s.at[at] | 0x20) >= 'a' && (s.at[at] | 0x20) <= 'f')))
        at++;
    return at;
}

bool h1_line_is_host(str host)
{
    size_t end;
    if (host.len > 0 && host.at[0] == '[') {
        end = address_end(host, 1);
        if (end == 1 || end == host.len || host.at[end] != ']')
            return false;
        end++;
    } else {
        end = charset_run(&host_set, host);
        if (end == 0)
            return false;
    }
    if (end == host.len)
        return true;
    return host.at[end] == ':' && is_port(str_cut(host, end + 1, host.len));
}

static bool starts_nocase(str s, str prefix)
{
    return s.len >= prefix.len && strncasecmp(s.at, prefix.at, prefix.len) == 0;
}

const char *h1_line_target(str target, enum method method, str *ret_authority, str *ret_path,
                           str *ret_query)
{
    str authority = {NULL, 0};
    str path = target;
    if (str_eq(target, STR("*"))) {
        if (method != METHOD_OPTIONS)
            return "the target * is for OPTIONS alone";
    } else if (target.len == 0 || target.at[0] != '/') {
        const str scheme =
            starts_nocase(target, STR("https://")) ? STR("https://") : STR("http://");
        if (!starts_nocase(target, scheme))
            return "the target is neither a path nor an http URL";
        path = str_cut(target, scheme.len, target.len);
        size_t end = str_find(path, '/');
        const size_t query = str_find(path, '?');
        if (query < end)
            end = query;
        authority = str_cut(path, 0, end);
        path = str_cut(path, end, path.len);
        if (!h1_line_is_host(authority))
            return "the target's authority is not a host";
    }
    if (!charset_all(&target_set, path))
        return "the target has a character that must be percent-encoded";
    const size_t mark = str_find(path, '?');
    *ret_authority = authority;
    *ret_query = str_cut(path, mark + 1, path.len);
    *ret_path = mark == 0 ? STR("/") : str_cut(path, 0, mark);
    return NULL;
}

const char *h1_line_request(str line, struct request_head *ret)
{
    size_t end = 0;
    while (end < line.len && line.at[end] >= 'A' && line.at[end] <= 'Z')
        end++;
    if (end < line.len && line.at[end] != ' ')
        return "the method is not of upper-case letters";
    if (end == 0)
        return "the request line has no method";
    const str method = str_cut(line, 0, end);
    str rest = str_cut(line, end + 1, line.len);
    const size_t space = str_find(rest, ' ');
    const str target = str_cut(rest, 0, space);
    rest = str_cut(rest, space + 1, rest.len);
    if (!str_eq(rest, STR("HTTP/1.1")) && !str_eq(rest, STR("HTTP/1.0")))
        return "the version is neither HTTP/1.1 nor HTTP/1.0";
    const enum method m = method_of(method);
    const char *why = h1_line_target(target, m, &ret->host, &ret->path, &ret->query);
    if (why)
        return why;
    ret->method = m;
    ret->method_text = method;
    ret->target = target;
    ret->minor = (uint8_t)(rest.at[7] - '0');
    return NULL;
}

const char *h1_line_field(str line, struct field *ret)
{
    const size_t end = charset_run(&token, line);
    if (end == 0)
        return line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')
                   ? "a field is folded or begins with a blank"
                   : "a field has no name";
    if (end == line.len || line.at[end] != ':')
        return "a field's name is not a token followed by a colon";
    ret->name = (str){line.at, end};
    ret->value = str_trim((str){line.at + end + 1, line.len - end - 1});
    return NULL;
}
