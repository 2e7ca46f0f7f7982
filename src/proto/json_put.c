/* Strings go out in runs between the bytes that need an escape; see json_put.h. */
#include "proto/json_put.h"

#include "base/text.h"
#include "base/utf8.h"
#include "proto/num_write.h"

/* Bytes from the start of s that may stand as they are. */
static size_t plain_run(str s)
{
    size_t i = 0;

    while (i < s.len) {
        const str rest = str_cut(s, i, s.len);
        const size_t n = (unsigned char)rest.at[0] < 0x7F ? text_plain(rest) : utf8_len(rest);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

/* The escape of one byte that may not. */
static void put_escape(struct chain *c, unsigned char byte)
{
    static const char HEX[] = "0123456789abcdef";
    char unicode[6] = {'\\', 'u', '0', '0', HEX[byte >> 4], HEX[byte & 15]};

    if (byte == '"')
        chain_put(c, STR("\\\""));
    else if (byte == '\\')
        chain_put(c, STR("\\\\"));
    else if (byte == '\n')
        chain_put(c, STR("\\n"));
    else if (byte < 0x20)
        chain_put(c, (str){unicode, sizeof(unicode)});
    else
        chain_put(c, STR("\xEF\xBF\xBD")); /* U+FFFD */
}

void json_put_part(struct chain *c, str s)
{
    while (s.len > 0) {
        const size_t n = plain_run(s);
        chain_put(c, str_cut(s, 0, n));
        if (n < s.len)
            put_escape(c, (unsigned char)s.at[n]);
        s = str_cut(s, n + 1, s.len);
    }
}

void json_put_text(struct chain *c, str s)
{
    chain_put(c, STR("\""));
    json_put_part(c, s);
    chain_put(c, STR("\""));
}

void json_put_u64(struct chain *c, uint64_t v)
{
    char *room = chain_room(c, NUM_WRITE_BYTES);

    if (room)
        chain_wrote(c, num_write_u64(room, v));
}

void json_put_i64(struct chain *c, int64_t v)
{
    char *room = chain_room(c, NUM_WRITE_BYTES);

    if (room)
        chain_wrote(c, num_write_i64(room, v));
}
