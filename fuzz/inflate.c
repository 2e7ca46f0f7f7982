/* fuzz: proto src/proto/inflate.c */
/* Coded bodies, in two cuts of input and room that must agree. Byte 0 chooses coding and limits,
 * byte 1 the cuts; the decoder is used twice, as a connection would. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "proto/inflate.h"

#define DECODED_MAX 262144u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct result {
    err code;
    uint64_t len;
};

/* Decodes all of bytes into out (DECODED_MAX + 1 bytes), at most in bytes in and room out at once.
 */
static struct result decode(struct inflate *i, str bytes, uint8_t *out, size_t in, uint64_t room)
{
    struct result r = {OK, 0};
    while (r.code == OK && bytes.len > 0) {
        str piece = str_cut(bytes, 0, in);
        bytes = str_cut(bytes, in, bytes.len);
        uint64_t n = room;
        uint64_t space = room;
        while (r.code == OK && n == space) {
            const uint64_t left = DECODED_MAX + 1 - r.len;
            must(left > 0);
            space = room < left ? room : left;
            r.code = inflate_next(i, &piece, out + r.len, space, &n, NULL);
            if (r.code != OK)
                return r;
            must(n <= space);
            must(n == space || piece.len == 0);
            r.len += n;
            must(r.len == inflate_decoded(i));
        }
    }
    if (r.code == OK)
        r.code = inflate_end(i, NULL);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct inflate *i = NULL;
    if (len < 2)
        return 0;
    /* The ratio is judged where a step ends, so only the limit of bytes is the same in both cuts.
     */
    const struct inflate_limits limits = {.decoded = data[0] & 2u ? 1024 : DECODED_MAX,
                                          .ratio = data[0] & 4u ? 100 : UINT32_MAX};
    const enum coding coding = data[0] & 1u ? CODING_GZIP : CODING_DEFLATE;
    const str bytes = {(const char *)data + 2, len - 2};
    uint8_t *one = malloc(DECODED_MAX + 1);
    uint8_t *two = malloc(DECODED_MAX + 1);
    must(one && two && inflate_new(&i, NULL) == OK);
    inflate_begin(i, coding, &limits);
    const struct result a = decode(i, bytes, one, SIZE_MAX, DECODED_MAX + 1);
    inflate_begin(i, coding, &limits);
    const struct result b = decode(i, bytes, two, 1u + data[1] % 16, 1u + data[1] / 16 * 61u);
    if (!(data[0] & 4u))
        must(a.code == b.code);
    if (a.code == OK && b.code == OK)
        must(a.len == b.len && a.len <= limits.decoded && memcmp(one, two, a.len) == 0);
    inflate_free(i);
    free(one);
    free(two);
    return 0;
}
