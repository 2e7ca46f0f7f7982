/* Messages: every bound refused, every row there and back, frames on a descriptor. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"

static uint8_t bytes[MESSAGE_PAYLOAD_MAX], list_bytes[MESSAGE_PAYLOAD_MAX];

static str payload_of(const struct message_buffer *b)
{
    return (str){(const char *)b->at, b->len};
}

static struct message_buffer buffer(void)
{
    return (struct message_buffer){.at = bytes, .cap = sizeof bytes};
}

static struct message_buffer list_buffer(void)
{
    return (struct message_buffer){.at = list_bytes, .cap = sizeof list_bytes};
}

static struct message_buffer a_worker_refused(str reason, str text)
{
    struct message_buffer b = buffer();
    const struct message_worker_refused m = {.reason = reason, .text = text};
    assert_int_equal(message_put_worker_refused(&m, &b, NULL), OK);
    return b;
}

static void message__refuses_every_truncation(void **state)
{
    (void)state;
    const struct message_buffer b = a_worker_refused(STR("odd"), STR("a text"));
    struct message_worker_refused m = {.reason = STR("untouched")};
    for (size_t len = 0; len < b.len; len++) {
        /* an exact copy, so that a read beyond it is seen by the sanitizer */
        char *cut = malloc(len ? len : 1);
        memcpy(cut, b.at, len);
        struct fault f = {0};
        assert_int_equal(message_get_worker_refused((str){cut, len}, &m, &f), ERR_INPUT);
        assert_true(f.text[0] != '\0');
        free(cut);
    }
    assert_true(str_eq(m.reason, STR("untouched")));
}

static void message__refuses_bytes_behind_the_last_field(void **state)
{
    (void)state;
    const struct message_buffer b = a_worker_refused(STR("odd"), STR("a text"));
    struct message_worker_refused m;
    bytes[b.len] = 0;
    assert_int_equal(message_get_worker_refused((str){(char *)bytes, b.len + 1}, &m, NULL),
                     ERR_INPUT);
}

static void message__refuses_text_that_is_too_long(void **state)
{
    (void)state;
    char text[257];
    memset(text, 'a', sizeof text);
    struct message_buffer b = buffer();
    struct message_worker_refused m = {.text = {text, 257}};
    assert_int_equal(message_put_worker_refused(&m, &b, NULL), ERR_TOO_BIG);
    assert_int_equal(b.len, 0);
    b = a_worker_refused(STR("odd"), (str){text, 256});
    assert_int_equal(message_get_worker_refused(payload_of(&b), &m, NULL), OK);
    bytes[4 + 3] = 1; /* length 257, and one byte more to match it */
    bytes[4 + 4] = 1;
    bytes[b.len] = 'a';
    assert_int_equal(message_get_worker_refused((str){(char *)bytes, b.len + 1}, &m, NULL),
                     ERR_INPUT);
}

static void message__refuses_text_that_is_not_utf8(void **state)
{
    (void)state;
    struct message_worker_refused m = {.reason = {"a\xff", 2}};
    struct message_buffer b = buffer();
    assert_int_equal(message_put_worker_refused(&m, &b, NULL), ERR_INPUT);
    b = a_worker_refused(STR("ab"), STR("t"));
    for (unsigned bad = 0; bad < 2; bad++) {
        bytes[5] = bad ? 0xff : 0; /* no UTF-8; a NUL */
        assert_int_equal(message_get_worker_refused(payload_of(&b), &m, NULL), ERR_INPUT);
    }
    bytes[5] = 'b';
    assert_int_equal(message_get_worker_refused(payload_of(&b), &m, NULL), OK);
}

static void message__refuses_a_list_that_is_too_long(void **state)
{
    (void)state;
    struct message_buffer rows = list_buffer();
    struct message_buffer b = buffer();
    const struct message_run run = {.exponent = 1, .ns = 2};
    struct message_worker_loaded m = {0};
    for (unsigned i = 0; i < 18; i++)
        assert_int_equal(message_add_run(&rows, &run, NULL), OK);
    m.runs = message_list_of(&rows);
    assert_int_equal(message_put_worker_loaded(&m, &b, NULL), ERR_TOO_BIG);
    m.runs.count = 17;
    m.runs.len = 17 * 9;
    assert_int_equal(message_put_worker_loaded(&m, &b, NULL), OK);
    assert_int_equal(message_get_worker_loaded(payload_of(&b), &m, NULL), OK);
    bytes[b.len - 17 * 9 - 2] = 18; /* the count, and one row more to match it */
    memset(bytes + b.len, 0, 9);
    assert_int_equal(message_get_worker_loaded((str){(char *)bytes, b.len + 9}, &m, NULL),
                     ERR_INPUT);
}

static void message__refuses_a_list_with_a_broken_row(void **state)
{
    (void)state;
    struct message_buffer rows = list_buffer();
    struct message_buffer b = buffer();
    const struct message_file file = {.name = STR("weights")};
    struct message_worker_scanned m = {0};
    assert_int_equal(message_add_file(&rows, &file, NULL), OK);
    m.files = message_list_of(&rows);
    assert_int_equal(message_put_worker_scanned(&m, &b, NULL), OK);
    bytes[2] = 200; /* the row's text claims more than there is */
    assert_int_equal(message_get_worker_scanned(payload_of(&b), &m, NULL), ERR_INPUT);
}

static void message__does_not_write_beyond_its_buffer(void **state)
{
    (void)state;
    const struct message_beat m = {.loops = 1};
    for (uint32_t cap = 0; cap < 48; cap++) {
        uint8_t *small = malloc(cap ? cap : 1);
        struct message_buffer b = {.at = small, .cap = cap};
        assert_int_equal(message_put_beat(&m, &b, NULL), ERR_TOO_BIG);
        assert_int_equal(b.len, 0);
        free(small);
    }
}

static void message__goes_there_and_back(void **state)
{
    (void)state;
    struct message_buffer b = buffer();
    const struct message_worker_load load = {.golden = 7, .atol = 1e-5, .rtol = -0.0};
    struct message_worker_load back;
    assert_int_equal(message_put_worker_load(&load, &b, NULL), OK);
    /* little-endian, unaligned, in the order of the table */
    static const uint8_t wire[20] = {7,    0,    0, 0, 0xf1, 0x68, 0xe3, 0x88, 0xb5, 0xf8,
                                     0xe4, 0x3e, 0, 0, 0,    0,    0,    0,    0,    0x80};
    assert_int_equal(b.len, sizeof wire);
    assert_memory_equal(b.at, wire, sizeof wire);
    assert_int_equal(message_get_worker_load(payload_of(&b), &back, NULL), OK);
    assert_int_equal(back.golden, 7);
    assert_true(back.atol == 1e-5 && signbit(back.rtol));
}

static void message__keeps_lists_in_order(void **state)
{
    (void)state;
    struct message_buffer rows = list_buffer();
    struct message_buffer b = buffer();
    struct message_start start = {.boot = UINT64_MAX};
    struct message_fd row = {0};
    static const char *const names[3] = {"", "127.0.0.1:8000", "gr\xc3\xbc\xc3\x9f"};
    for (unsigned i = 0; i < 3; i++) {
        row = (struct message_fd){.fd = (uint16_t)(65535 - i),
                                  .what = (uint8_t)(FD_LISTENER + i),
                                  .loop = 63,
                                  .part = 1,
                                  .name = str_of(names[i])};
        assert_int_equal(message_add_fd(&rows, &row, NULL), OK);
    }
    start.fds = message_list_of(&rows);
    assert_int_equal(message_put_start(&start, &b, NULL), OK);
    memset(&start, 0, sizeof start);
    assert_int_equal(message_get_start(payload_of(&b), &start, NULL), OK);
    assert_true(start.boot == UINT64_MAX);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(message_next_fd(&start.fds, &row));
        assert_int_equal(row.fd, 65535 - i);
        assert_int_equal(row.what, FD_LISTENER + i);
        assert_true(str_eq(row.name, str_of(names[i])));
    }
    assert_false(message_next_fd(&start.fds, &row));
}

static void frame__refuses_what_does_not_fit(void **state)
{
    (void)state;
    uint8_t in[MESSAGE_FRAME_BYTES];
    struct message_frame frame = {.number = 1};
    message_frame_put(&(struct message_frame){.bytes = MESSAGE_PAYLOAD_MAX + 1}, in);
    assert_int_equal(message_frame_get(in, &frame, NULL), ERR_INPUT);
    message_frame_put(&(struct message_frame){.flags = 4}, in);
    assert_int_equal(message_frame_get(in, &frame, NULL), ERR_INPUT);
    message_frame_put(&(struct message_frame){.fds = MESSAGE_FDS_MAX + 1}, in);
    assert_int_equal(message_frame_get(in, &frame, NULL), ERR_INPUT);
    assert_int_equal(frame.number, 1);
}

static void frame__has_the_stated_bytes(void **state)
{
    (void)state;
    uint8_t out[MESSAGE_FRAME_BYTES];
    struct message_frame back;
    static const uint8_t wire[] = {0, 0x80, 1, 0, 0x34, 0x12, 3, 4, 8, 7, 6, 5, 4, 3, 2, 1};
    const struct message_frame frame = {
        .bytes = 98304, .number = 0x1234, .flags = 3, .fds = 4, .id = 0x0102030405060708};
    message_frame_put(&frame, out);
    assert_memory_equal(out, wire, sizeof wire);
    assert_int_equal(message_frame_get(out, &back, NULL), OK);
    assert_true(back.bytes == frame.bytes && back.number == frame.number &&
                back.flags == frame.flags && back.fds == frame.fds && back.id == frame.id);
}

static void allowed__refuses_wrong_numbers_ways_and_descriptors(void **state)
{
    (void)state;
    static const struct {
        struct message_frame frame;
        enum role from, to;
    } bad[] = {
        {{.number = 99}, ROLE_KEEPER, ROLE_WORKER},
        {{.number = 0}, ROLE_KEEPER, ROLE_WORKER},
        {{.number = MESSAGE_status}, ROLE_DATA_FRONT, ROLE_KEEPER}, /* no admin power there */
        {{.number = MESSAGE_status}, ROLE_WORKER, ROLE_KEEPER},
        {{.number = 0x101}, ROLE_OPS_FRONT, ROLE_KEEPER},
        {{.number = MESSAGE_snapshot, .fds = 1}, ROLE_KEEPER, ROLE_WORKER},
        {{.number = MESSAGE_snapshot, .fds = 1}, ROLE_DATA_FRONT, ROLE_KEEPER},
        {{.number = MESSAGE_snapshot}, ROLE_KEEPER, ROLE_DATA_FRONT},
        {{.number = MESSAGE_lane, .fds = 3}, ROLE_KEEPER, ROLE_DATA_FRONT},
        {{.number = MESSAGE_hello, .fds = 1}, ROLE_SOCKET, ROLE_KEEPER},
        {{.number = MESSAGE_reply, .fds = 2}, ROLE_KEEPER, ROLE_SOCKET},
        {{.number = MESSAGE_up, .bytes = 1}, ROLE_WORKER, ROLE_KEEPER},
        {{.number = 0x101, .fds = 1}, ROLE_SOCKET, ROLE_KEEPER},
        {{.number = 99}, ROLE_SOCKET, ROLE_KEEPER},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(message_allowed(&bad[i].frame, bad[i].from, bad[i].to, NULL), ERR_INPUT);
}

static void allowed__passes_what_the_table_says(void **state)
{
    (void)state;
    static const struct {
        struct message_frame frame;
        enum role from, to;
    } good[] = {
        {{.number = MESSAGE_hello, .bytes = 9}, ROLE_DATA_FRONT, ROLE_KEEPER},
        {{.number = MESSAGE_lane, .fds = 2}, ROLE_KEEPER, ROLE_DATA_FRONT},
        {{.number = MESSAGE_reply}, ROLE_KEEPER, ROLE_SOCKET},
        {{.number = MESSAGE_reply, .fds = 1}, ROLE_KEEPER, ROLE_OPS_FRONT},
        {{.number = MESSAGE_status}, ROLE_OPS_FRONT, ROLE_KEEPER},
        {{.number = 0x7fff}, ROLE_SOCKET, ROLE_KEEPER}, /* a newer command: UNSUPPORTED */
        {{.number = MESSAGE_worker_refused}, ROLE_READER, ROLE_KEEPER},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(message_allowed(&good[i].frame, good[i].from, good[i].to, NULL), OK);
}

static void names__are_those_of_the_table(void **state)
{
    (void)state;
    assert_true(str_eq(message_name(MESSAGE_front_drain), STR("front_drain")));
    assert_true(str_eq(message_name(99), STR("unknown")));
    assert_true(str_eq(exit_reason_name(EXIT_SANDBOX), STR("sandbox")));
    assert_true(str_eq(exit_reason_name(EXIT_REASON_COUNT), STR("none")));
}

static void read__tells_a_peer_that_has_gone(void **state)
{
    (void)state;
    int fds[2];
    struct message_frame frame;
    const uint8_t half[8] = {0};
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], half, sizeof half), sizeof half);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(message_read(fds[0], &frame, bytes, NULL), ERR_UNAVAILABLE);
    assert_int_equal(close(fds[0]), 0);
}

static void read__takes_what_write_has_sent(void **state)
{
    (void)state;
    int fds[2];
    struct message_frame frame;
    assert_int_equal(pipe(fds), 0);
    const struct message_frame out = {.number = MESSAGE_status, .id = 5};
    assert_int_equal(message_write(fds[1], &out, "abc", 3, NULL), OK);
    assert_int_equal(message_write(fds[1], &out, NULL, 0, NULL), OK);
    assert_int_equal(message_read(fds[0], &frame, bytes, NULL), OK);
    assert_int_equal(frame.bytes, 3);
    assert_true(frame.id == 5);
    assert_memory_equal(bytes, "abc", 3);
    assert_int_equal(message_read(fds[0], &frame, bytes, NULL), OK);
    assert_int_equal(frame.bytes, 0);
    assert_int_equal(close(fds[0]) | close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__refuses_every_truncation),
        cmocka_unit_test(message__refuses_bytes_behind_the_last_field),
        cmocka_unit_test(message__refuses_text_that_is_too_long),
        cmocka_unit_test(message__refuses_text_that_is_not_utf8),
        cmocka_unit_test(message__refuses_a_list_that_is_too_long),
        cmocka_unit_test(message__refuses_a_list_with_a_broken_row),
        cmocka_unit_test(message__does_not_write_beyond_its_buffer),
        cmocka_unit_test(message__goes_there_and_back),
        cmocka_unit_test(message__keeps_lists_in_order),
        cmocka_unit_test(frame__refuses_what_does_not_fit),
        cmocka_unit_test(frame__has_the_stated_bytes),
        cmocka_unit_test(allowed__refuses_wrong_numbers_ways_and_descriptors),
        cmocka_unit_test(allowed__passes_what_the_table_says),
        cmocka_unit_test(names__are_those_of_the_table),
        cmocka_unit_test(read__tells_a_peer_that_has_gone),
        cmocka_unit_test(read__takes_what_write_has_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
