/* Splitting comes before decoding, so that %2F never makes a boundary; what a decoded segment may
 * not hold is refused, never folded away. */
#include "proto/path.h"

#include "base/num.h"
#include "proto/charset.h"

/* Letters, digits and "._-"; the same and '+'. */
static const struct charset model_set = CHARSET(0x03FF600000000000u, 0x07FFFFFE87FFFFFEu, '0', '9');
static const struct charset version_set =
    CHARSET(0x03FF680000000000u, 0x07FFFFFE87FFFFFEu, '0', '9');
/* Printable ASCII but '%' and '\\': as it stands, a segment of these holds nothing refused. */
static const struct charset plain_set = CHARSET(0xFFFFFFDF00000000u, 0x7FFFFFFFEFFFFFFFu, '-', '9');

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
            const int high = i + 2 < raw.len ? num_hex_digit(raw.at[i + 1]) : -1;
            const int low = i + 2 < raw.len ? num_hex_digit(raw.at[i + 2]) : -1;
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

/* Holds a decoded segment, which is not empty, against what it may not hold. */
static err check(str segment, struct fault *f)
{
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
    uint32_t count = 0;
    if (str_eq(raw, STR("*")))
        return fail(f, ERR_METHOD, "the target * has no methods");
    if (raw.len == 0 || raw.at[0] != '/')
        return fail(f, ERR_INPUT, "the path does not begin with '/'");
    const bool plain = charset_all(&plain_set, raw);
    str rest = str_cut(raw, 1, raw.len);
    while (rest.len > 0) {
        const size_t end = str_find(rest, '/');
        str segment = str_cut(rest, 0, end);
        err e = OK;
        if (count == PATH_SEGMENTS_MAX)
            return fail(f, ERR_INPUT, "the path has more than %u segments", PATH_SEGMENTS_MAX);
        if (!plain && str_find(segment, '%') < segment.len)
            e = decode(segment, a, &segment, f);
        if (e == OK && segment.len == 0)
            e = fail(f, ERR_INPUT, "the path has an empty segment");
        if (e == OK && (segment.at[0] == '.' || !plain))
            e = check(segment, f);
        if (e != OK)
            return e;
        ret->segments[count++] = segment;
        rest = str_cut(rest, end + 1, rest.len);
    }
    ret->count = count;
    return OK;
}

bool path_is_model(str name)
{
    return name.len >= 1 && name.len <= 128 && name.at[0] != '.' && name.at[0] != '-' &&
           charset_all(&model_set, name) && !str_eq(name, STR("stats"));
}

bool path_is_version(str version)
{
    return version.len >= 1 && version.len <= 64 && version.at[0] != '.' && version.at[0] != '-' &&
           version.at[0] != '_' && version.at[0] != '+' && charset_all(&version_set, version);
}

/* Takes prefix off the front of a template. */
static bool take(str *left, str prefix)
{
    if (!str_starts(*left, prefix))
        return false;
    *left = str_cut(*left, prefix.len, left->len);
    return true;
}

bool path_fits(const struct path *p, str pattern, struct path_match *ret)
{
    struct path_match match = {.rest = p->count};
    uint32_t at = 0;
    str left = pattern;
    while (left.len > 1) { /* the slash of "/" stands before nothing */
        if (left.at[0] == '[') {
            left = str_cut(left, sizeof("[/v]") - 1, left.len);
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
        const str segment = p->segments[at++];
        left = str_cut(left, 1, left.len);
        if (left.at[0] != '{') {
            if (!take(&left, segment) || (left.len > 0 && left.at[0] != '/'))
                return false;
        } else if (take(&left, STR("{model}"))) {
            if (!path_is_model(segment))
                return false;
            match.model = segment;
        } else {
            left = STR(""); /* {rest} */
            match.rest = at - 1;
            at = p->count;
        }
    }
    if (at != p->count)
        return false;
    *ret = match;
    return true;
}
