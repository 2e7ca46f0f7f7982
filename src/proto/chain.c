/* Appending to a chain. The one complication: a written piece grows in place while the last piece
 * is the tail of the last block, so that a thousand small writes make one iovec. */
#include "proto/chain.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"

struct chain_block {
    struct chain_block *next;
    uint32_t used;
    char bytes[CHAIN_BLOCK_BYTES];
};

void chain_reset(struct chain *c)
{
    uint32_t kept = 0;
    for (struct chain_block *b = c->spare; b; b = b->next)
        kept++;
    while (c->first) {
        struct chain_block *b = c->first;
        c->first = b->next;
        if (kept < CHAIN_KEEP) {
            b->next = c->spare;
            c->spare = b;
            kept++;
        } else {
            free(b);
        }
    }
    c->last = NULL;
    c->piece_count = 0;
    c->len = 0;
    c->failed = false;
}

void chain_free(struct chain *c)
{
    chain_reset(c);
    while (c->spare) {
        struct chain_block *b = c->spare;
        c->spare = b->next;
        free(b);
    }
    free(c->pieces);
    *c = (struct chain){0};
}

static struct iovec *piece_add(struct chain *c)
{
    if (c->piece_count == c->piece_cap) {
        const uint32_t cap = c->piece_cap ? 2 * c->piece_cap : 8;
        struct iovec *pieces = realloc(c->pieces, cap * sizeof(*pieces));
        if (!pieces) {
            c->failed = true;
            return NULL;
        }
        c->pieces = pieces;
        c->piece_cap = cap;
    }
    return &c->pieces[c->piece_count++];
}

char *chain_room(struct chain *c, uint32_t need)
{
    must(need <= CHAIN_BLOCK_BYTES);
    if (c->failed)
        return NULL;
    struct chain_block *b = c->last;
    if (!b || CHAIN_BLOCK_BYTES - b->used < need) {
        b = c->spare;
        if (b)
            c->spare = b->next;
        else
            b = malloc(sizeof(*b));
        if (!b) {
            c->failed = true;
            return NULL;
        }
        b->next = NULL;
        b->used = 0;
        if (c->last)
            c->last->next = b;
        else
            c->first = b;
        c->last = b;
    }
    return b->bytes + b->used;
}

void chain_wrote(struct chain *c, uint32_t n)
{
    struct chain_block *b = c->last;
    if (c->failed || n == 0)
        return;
    must(b && CHAIN_BLOCK_BYTES - b->used >= n);
    char *at = b->bytes + b->used;
    struct iovec *tail = c->piece_count ? &c->pieces[c->piece_count - 1] : NULL;
    if (tail && (char *)tail->iov_base + tail->iov_len == at) {
        tail->iov_len += n;
    } else {
        struct iovec *piece = piece_add(c);
        if (!piece)
            return;
        *piece = (struct iovec){.iov_base = at, .iov_len = n};
    }
    b->used += n;
    c->len += n;
}

void chain_put(struct chain *c, str s)
{
    while (s.len > 0) {
        const uint32_t left = c->last ? CHAIN_BLOCK_BYTES - c->last->used : 0;
        const uint32_t room = left ? left : CHAIN_BLOCK_BYTES;
        const uint32_t n = s.len < room ? (uint32_t)s.len : room;
        char *to = chain_room(c, n);
        if (!to)
            return;
        memcpy(to, s.at, n);
        chain_wrote(c, n);
        s = str_cut(s, n, s.len);
    }
}

void chain_borrow(struct chain *c, const void *at, uint64_t len)
{
    if (len == 0 || c->failed)
        return;
    struct iovec *piece = piece_add(c);
    if (!piece)
        return;
    *piece = (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = len};
    c->len += len;
}
