/* Sets of characters are bit maps over ASCII, so that what is not named is refused. */
#include "proto/h1_line.h"

#include <stdint.h>

#define EACH_BYTE(c) (0x0101010101010101ull * (c))

/* Bit c of word c / 64: the character c belongs to the set. */
struct set {
    uint64_t words[2];
};

/* Letters, digits and !#$%&'*+-.^_`|~ */
static const struct set token = {{0x03FF6CFA00000000ull, 0x57FFFFFFC7FFFFFEull}};
/* Letters, digits and -._~%!$&'()*+,;=:@/? */
static const struct set target_set = {{0xAFFFFFF200000000ull, 0x47FFFFFE87FFFFFFull}};
/* Letters, digits and .-_ */
static const struct set host_set = {{0x03FF600000000000ull, 0x07FFFFFE87FFFFFEull}};
/* Hex digits, ':' and '.' */
static const struct set address_set = {{0x07FF400000000000ull, 0x0000007E0000007Eull}};

static bool in_set(const struct set *set, char c)
{
    const unsigned char at = (unsigned char)c;
    return at < 128 && (set->words[at >> 6] >> (at & 63) & 1u);
}

static bool all_in(const struct set *set, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!in_set(set, s.at[i]))
            return false;
    }
    return true;
}

static size_t run_slow(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)at[i];
        if ((c < 0x20 && c != '\t') || c > 0x7E)
            return i;
    }
    return len;
}

size_t h1_line_run(const char *at, size_t len)
{
    size_t i = 0;
    while (len - i >= 8) {
        uint64_t w;
        memcpy(&w, at + i, sizeof(w));
        const uint64_t low = (w - EACH_BYTE(0x20)) & ~w;
        const uint64_t del = w ^ EACH_BYTE(0x7F);
        if ((w | low | ((del - EACH_BYTE(1)) & ~del)) & EACH_BYTE(0x80)) {
            const size_t n = run_slow(at + i, 8);
            if (n < 8)
                return i + n;
        }
        i += 8;
    }
    return i + run_slow(at + i, len - i);
}

bool h1_line_is_token(str s)
{
    return s.len > 0 && all_in(&token, s);
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

bool h1_line_is_host(str host)
{
    const struct set *set = &host_set;
    size_t end = str_find(host, ':');
    str name = str_cut(host, 0, end);
    if (host.len > 0 && host.at[0] == '[') {
        set = &address_set;
        end = str_find(host, ']');
        if (end == host.len)
            return false;
        name = str_cut(host, 1, end);
        end++;
    }
    if (name.len == 0 || !all_in(set, name))
        return false;
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
    if (!all_in(&target_set, path))
        return "the target has a character that must be percent-encoded";
    const size_t mark = str_find(path, '?');
    *ret_authority = authority;
    *ret_query = str_cut(path, mark + 1, path.len);
    *ret_path = mark == 0 ? STR("/") : str_cut(path, 0, mark);
    return NULL;
}

const char *h1_line_request(str line, struct request_head *ret)
{
    const size_t end = str_find(line, ' ');
    const str method = str_cut(line, 0, end);
    for (size_t i = 0; i < method.len; i++) {
        if (method.at[i] < 'A' || method.at[i] > 'Z')
            return "the method is not of upper-case letters";
    }
    if (method.len == 0)
        return "the request line has no method";
    str rest = str_cut(line, end + 1, line.len);
    const size_t space = str_find(rest, ' ');
    const str target = str_cut(rest, 0, space);
    rest = str_cut(rest, space + 1, rest.len);
    if (!str_eq(rest, STR("HTTP/1.1")) && !str_eq(rest, STR("HTTP/1.0")))
        return "the version is neither HTTP/1.1 nor HTTP/1.0";
    const enum method m = method_of(method);
    str authority, path, query;
    const char *why = h1_line_target(target, m, &authority, &path, &query);
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
    size_t end = 0;
    while (end < line.len && in_set(&token, line.at[end]))
        end++;
    if (end == 0)
        return line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')
                   ? "a field is folded or begins with a blank"
                   : "a field has no name";
    if (end == line.len || line.at[end] != ':')
        return "a field's name is not a token followed by a colon";
    ret->name = str_cut(line, 0, end);
    ret->value = str_trim(str_cut(line, end + 1, line.len));
    return NULL;
}
