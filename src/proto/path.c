/* Splitting comes before decoding, so that %2F never makes a boundary; what a decoded segment may
 * not hold is refused, never folded away. */
#include "proto/path.h"

struct path_set {
    uint64_t words[2];
};

/* Letters, digits and "._-"; the same and '+'. */
static const struct path_set model_set = {{0x03FF600000000000ull, 0x07FFFFFE87FFFFFEull}};
static const struct path_set version_set = {{0x03FF680000000000ull, 0x07FFFFFE87FFFFFEull}};

static bool all_in(const struct path_set *set, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.at[i];
        if (c >= 128 || !(set->words[c >> 6] >> (c & 63) & 1u))
            return false;
    }
    return true;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes a segment with at least one '%' into the arena. */
static err decode(str raw, struct arena *a, str *ret, struct fault *f)
{
    char *out = arena_alloc(a, raw.len);
    size_t len = 0;
    if (!out)
        return fail(f, ERR_TOO_BIG, "the path is too long for the request's memory");
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.at[i];
        if (c == '%') {
            const int high = i + 2 < raw.len ? hex_of(raw.at[i + 1]) : -1;
            const int low = i + 2 < raw.len ? hex_of(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fail(f, ERR_INPUT, "the path has a '%%' without two hex digits");
            c = (char)(high << 4 | low);
            i += 2;
            if (c == '%')
                return fail(f, ERR_INPUT, "the path is percent-encoded twice");
        }
        out[len++] = c;
    }
    *ret = (str){out, len};
    return OK;
}

static err check(str segment, struct fault *f)
{
    if (segment.len == 0)
        return fail(f, ERR_INPUT, "the path has an empty segment");
    if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
        return fail(f, ERR_INPUT, "the path has a dot segment");
    for (size_t i = 0; i < segment.len; i++) {
        const unsigned char c = (unsigned char)segment.at[i];
        if (c < 0x20 || c == 0x7F || c == '/' || c == '\\')
            return fail(f, ERR_INPUT, "the path has a control character, '/' or '\\' in a segment");
    }
    return OK;
}

err path_split(str raw, struct arena *a, struct path *ret, struct fault *f)
{
    struct path path = {.count = 0};
    if (str_eq(raw, STR("*")))
        return fail(f, ERR_METHOD, "the target * has no methods");
    if (raw.len == 0 || raw.at[0] != '/')
        return fail(f, ERR_INPUT, "the path does not begin with '/'");
    str rest = str_cut(raw, 1, raw.len);
    while (rest.len > 0) {
        const size_t end = str_find(rest, '/');
        str segment = str_cut(rest, 0, end);
        err e = OK;
        if (path.count == PATH_SEGMENTS_MAX)
            return fail(f, ERR_INPUT, "the path has more than %u segments", PATH_SEGMENTS_MAX);
        if (str_find(segment, '%') < segment.len)
            e = decode(segment, a, &segment, f);
        if (e == OK)
            e = check(segment, f);
        if (e != OK)
            return e;
        path.segments[path.count++] = segment;
        rest = str_cut(rest, end + 1, rest.len);
    }
    *ret = path;
    return OK;
}

bool path_is_model(str name)
{
    return name.len >= 1 && name.len <= 128 && name.at[0] != '.' && name.at[0] != '-' &&
           all_in(&model_set, name) && !str_eq(name, STR("stats"));
}

bool path_is_version(str version)
{
    return version.len >= 1 && version.len <= 64 && version.at[0] != '.' && version.at[0] != '-' &&
           version.at[0] != '_' && version.at[0] != '+' && all_in(&version_set, version);
}

bool path_fits(const struct path *p, str pattern, struct path_match *ret)
{
    struct path_match match = {.rest = p->count};
    uint32_t at = 0;
    str left = str_cut(pattern, 1, pattern.len);
    while (left.len > 0) {
        const size_t end = str_find(left, '/');
        /* "{model}[/v]" is cut in two by its own slash: the option is read as "v]". */
        str part = str_cut(left, 0, end);
        const bool option = str_eq(part, STR("v]"));
        left = str_cut(left, end + 1, left.len);
        if (part.len > 0 && part.at[part.len - 1] == '[')
            part = str_cut(part, 0, part.len - 1);
        if (option) {
            if (p->count - at < 2 || !str_eq(p->segments[at], STR("versions")))
                continue;
            if (!path_is_version(p->segments[at + 1]))
                return false;
            match.version = p->segments[at + 1];
            at += 2;
            continue;
        }
        if (at == p->count)
            return false;
        if (str_eq(part, STR("{rest}"))) {
            match.rest = at;
            at = p->count;
            continue;
        }
        if (str_eq(part, STR("{model}"))) {
            if (!path_is_model(p->segments[at]))
                return false;
            match.model = p->segments[at];
        } else if (!str_eq(part, p->segments[at])) {
            return false;
        }
        at++;
    }
    if (at != p->count)
        return false;
    *ret = match;
    return true;
}
