/* The arithmetic of a lane's shared memory and the single fetch. */
#include "engine/lane_layout.h"

#include <inttypes.h>
#include <unistd.h>

err lane_map_of(void *at, uint64_t bytes, struct lane_map *ret_map, struct fault *f)
{
    if (bytes < LANE_BYTES_MIN || bytes > LANE_BYTES_MAX)
        return fail(f, ERR_INPUT, "lane has %" PRIu64 " bytes, want %u..%llu", bytes,
                    LANE_BYTES_MIN, LANE_BYTES_MAX);
    uint8_t *base = at;
    *ret_map = (struct lane_map){
        .shared = at,
        .submissions = (struct lane_submission *)(void *)(base + LANE_SUBMISSIONS),
        .completions = (_Atomic uint64_t *)(void *)(base + LANE_COMPLETIONS),
        .area = base + LANE_AREA,
        .units = (uint32_t)((bytes - LANE_AREA) / LANE_LINE),
    };
    return OK;
}

uint64_t lane_request_head(uint32_t input_count)
{
    return lane_line_up(sizeof(struct lane_request) +
                        (uint64_t)input_count * sizeof(struct lane_tensor));
}

uint64_t lane_reply_head(uint32_t output_count)
{
    return lane_line_up(sizeof(struct lane_reply) +
                        (uint64_t)output_count * sizeof(struct lane_tensor) + LANE_TEXT);
}

void lane_fetch(void *to, const void *from, size_t bytes)
{
    const _Atomic uint64_t *words = from;
    uint8_t *out = to;
    for (size_t i = 0; i < bytes / 8; i++) {
        const uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);
        memcpy(out + 8 * i, &word, 8);
    }
}

void lane_wake(int eventfd)
{
    const uint64_t one = 1;
    ssize_t ignored = write(eventfd, &one, sizeof(one));
    (void)ignored;
}
