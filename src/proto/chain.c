/* Appending to a chain. The one complication: a written piece grows in place while the last piece
 * ends where the next write begins, so that a thousand small writes make one iovec. */
#include "proto/chain.h"

#include <stdlib.h>

#include "base/must.h"

struct chain_block {
    struct chain_block *next;
    char bytes[CHAIN_BLOCK_BYTES];
};

void chain_over(struct chain *c, char *room, uint32_t bytes)
{
    *c = (struct chain){.room = room, .room_bytes = bytes, .at = room, .end = room + bytes};
}

void chain_reset(struct chain *c)
{
    while (c->blocks) {
        struct chain_block *b = c->blocks;
        c->blocks = b->next;
        free(b);
    }
    c->at = c->room;
    c->end = c->room ? c->room + c->room_bytes : NULL;
    c->open = false;
    c->piece_count = 0;
    c->len = 0;
    c->failed = false;
}

void chain_free(struct chain *c)
{
    chain_reset(c);
    if (c->pieces != c->few)
        free(c->pieces);
    c->pieces = NULL;
    c->piece_cap = 0;
}

static void give_up(struct chain *c)
{
    c->failed = true;
    c->at = c->end = NULL;
    c->open = false;
}

static bool pieces_grow(struct chain *c)
{
    if (c->piece_cap == 0) {
        c->pieces = c->few;
        c->piece_cap = CHAIN_FEW;
        return true;
    }
    const uint32_t cap = 2 * c->piece_cap;
    struct iovec *pieces = realloc(c->pieces == c->few ? NULL : c->pieces, cap * sizeof(*pieces));
    if (!pieces)
        return false;
    if (c->pieces == c->few)
        memcpy(pieces, c->few, sizeof(c->few));
    c->pieces = pieces;
    c->piece_cap = cap;
    return true;
}

static void piece_add(struct chain *c, void *at, uint64_t len)
{
    if (c->piece_count == c->piece_cap && !pieces_grow(c)) {
        give_up(c);
        return;
    }
    c->pieces[c->piece_count++] = (struct iovec){.iov_base = at, .iov_len = len};
    c->len += len;
}

static void block_add(struct chain *c)
{
    struct chain_block *b = malloc(sizeof(*b));
    if (!b) {
        give_up(c);
        return;
    }
    b->next = c->blocks;
    c->blocks = b;
    c->at = b->bytes;
    c->end = b->bytes + CHAIN_BLOCK_BYTES;
    c->open = false;
}

static uint64_t room_left(const struct chain *c)
{
    return c->at ? (uint64_t)(c->end - c->at) : 0;
}

char *chain_room(struct chain *c, uint32_t need)
{
    must(need <= CHAIN_BLOCK_BYTES);
    if (room_left(c) < need && !c->failed)
        block_add(c);
    return c->at;
}

void chain_wrote(struct chain *c, uint32_t n)
{
    if (c->failed || n == 0)
        return;
    must(n <= room_left(c));
    char *at = c->at;
    c->at += n;
    if (c->open) {
        c->pieces[c->piece_count - 1].iov_len += n;
        c->len += n;
    } else {
        c->open = true;
        piece_add(c, at, n);
    }
}

void chain_put(struct chain *c, str s)
{
    while (s.len > 0 && !c->failed) {
        if (room_left(c) == 0)
            block_add(c);
        const uint64_t n = s.len < room_left(c) ? s.len : room_left(c);
        if (c->failed)
            return;
        memcpy(c->at, s.at, n);
        chain_wrote(c, (uint32_t)n);
        s = str_cut(s, n, s.len);
    }
}

void chain_borrow(struct chain *c, const void *at, uint64_t len)
{
    if (len == 0 || c->failed)
        return;
    c->open = false;
    piece_add(c, (void *)(uintptr_t)at, len);
}
