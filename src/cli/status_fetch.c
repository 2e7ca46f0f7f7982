/* By the socket: hello, welcome, status, reply (base/message). An answer too long for a message
 * comes as a descriptor, which only a link can take: then HTTP has to do. */
#include "cli/status_fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/build_id.h"
#include "base/message.h"
#include "base/scope.h"
#include "net/socket.h"

#include "cli/client.h"
#include "control/config_load.h"

#define SOCKET_DEFAULT    "/run/garrison/admin.sock"
#define SOCKET_TIMEOUT_MS 5000u
#define PATH_BYTES        128u
#define PROBE_DEADLINE_NS 5000000000ull

static err say(int fd, uint16_t number, uint64_t id, const struct message_buffer *b,
               struct fault *f)
{
    const struct message_frame frame = {.number = number, .id = id};
    return message_write(fd, &frame, b->at, b->len, f);
}

static err hear(int fd, uint16_t number, uint8_t *payload, str *ret, struct fault *f)
{
    struct message_frame frame;
    const err code = message_read(fd, &frame, payload, f);
    if (code)
        return code;
    if (frame.number != number || frame.fds)
        return fail(f, ERR_UNSUPPORTED, "the server answered by %.*s%s; want --server URL",
                    STR_ARG(message_name(frame.number)), frame.fds ? " with a descriptor" : "");
    *ret = (str){(const char *)payload, frame.bytes};
    return OK;
}

static err greet(int fd, uint8_t *payload, struct fault *f)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    uint8_t bytes[64];
    struct message_buffer b = {.at = bytes, .cap = sizeof(bytes)};
    const struct message_hello hello = {
        .build = {(const char *)build, sizeof(build)}, .table = MESSAGE_TABLE, .role = ROLE_SOCKET};
    struct message_welcome welcome;
    str answer;
    err code = message_put_hello(&hello, &b, f);
    if (code == OK)
        code = say(fd, MESSAGE_hello, 1, &b, f);
    if (code == OK)
        code = hear(fd, MESSAGE_welcome, payload, &answer, f);
    return code ? code : message_get_welcome(answer, &welcome, f);
}

static err by_socket(const char *path, char **ret_json, size_t *ret_len, struct fault *f)
{
    SCOPED(fd_undo)
    int fd = -1;
    SCOPED(free_undo)
    uint8_t *payload = malloc(MESSAGE_PAYLOAD_MAX);
    uint8_t bytes[256];
    struct message_buffer b = {.at = bytes, .cap = sizeof(bytes)};
    const struct message_status ask = {.cred = CRED_PEER, .deadline_ms = SOCKET_TIMEOUT_MS};
    struct message_reply reply;
    str answer;
    if (!payload)
        return fail(f, ERR_UNAVAILABLE, "no memory for an answer");
    struct fault why = {0};
    err code = socket_connect_unix(path, SOCKET_TIMEOUT_MS, &fd, &why);
    if (code)
        return fail(f, code, "%s; want the socket of a running server", why.text);
    code = greet(fd, payload, f);
    if (code == OK)
        code = message_put_status(&ask, &b, f);
    if (code == OK)
        code = say(fd, MESSAGE_status, 2, &b, f);
    if (code == OK)
        code = hear(fd, MESSAGE_reply, payload, &answer, f);
    if (code == OK)
        code = message_get_reply(answer, &reply, f);
    if (code)
        return code;
    if (reply.row != OK)
        return fail(f, reply.row < ERR_COUNT ? (err)reply.row : ERR_INTERNAL, "%s: %.*s", path,
                    STR_ARG(str_cut(reply.reason, 0, 64)));
    char *json = malloc(reply.json.len + 1);
    if (!json)
        return fail(f, ERR_UNAVAILABLE, "no memory for an answer");
    memcpy(json, reply.json.at, reply.json.len);
    json[reply.json.len] = '\0';
    *ret_json = json;
    *ret_len = reply.json.len;
    return OK;
}

static err by_http(const struct cli *c, char **ret_json, size_t *ret_len, struct fault *f)
{
    char server[CLIENT_URL_BYTES];
    char url[CLIENT_URL_BYTES + 32];
    SCOPED(fetch_reply_free)
    struct fetch_reply reply = {0};
    err code = client_server(c, CLIENT_OPS_URL, server, f);
    if (code)
        return code;
    (void)snprintf(url, sizeof(url), "%s/api/v1/status", server);
    const struct fetch_call call = {
        .url = url, .deadline_ns = CLIENT_DEADLINE_NS, .reply_bytes_max = CLIENT_REPLY_MAX};
    code = fetch(&call, &reply, f);
    if (code == OK && reply.status != 200)
        code = client_error(&reply, f);
    if (code)
        return code;
    *ret_len = reply.len;
    *ret_json = GIVE(reply.body);
    return OK;
}

/* The socket that the configuration of this machine names. */
static bool configured(char path[PATH_BYTES])
{
    struct config *cfg = NULL;
    struct config_report report = {0};
    const struct config_flags flags = {0};
    bool known = false;
    if (access(CONFIG_PATH_DEFAULT, R_OK) == 0 && config_load(&flags, &cfg, &report, NULL) == OK)
        known = snprintf(path, PATH_BYTES, "%s/admin.sock", cfg->server.runtime_dir.at) <
                (int)PATH_BYTES;
    config_report_free(&report);
    config_free(cfg);
    return known;
}

err status_fetch(const struct cli *c, char **ret_json, size_t *ret_len, struct fault *f)
{
    const char *flag = cli_value(c, "--socket");
    const char *variable = getenv("GARRISON_SOCKET");
    const char *server = getenv("GARRISON_SERVER");
    char path[PATH_BYTES];
    if (flag && cli_value(c, "--server"))
        return fail(f, ERR_INPUT, "--socket and --server; want one of them");
    if (flag)
        return by_socket(flag, ret_json, ret_len, f);
    if (cli_value(c, "--server"))
        return by_http(c, ret_json, ret_len, f);
    if (variable && variable[0])
        return by_socket(variable, ret_json, ret_len, f);
    if (server && server[0])
        return by_http(c, ret_json, ret_len, f);
    if (configured(path) && by_socket(path, ret_json, ret_len, NULL) == OK)
        return OK;
    if (access(SOCKET_DEFAULT, F_OK) == 0 &&
        by_socket(SOCKET_DEFAULT, ret_json, ret_len, NULL) == OK)
        return OK;
    return by_http(c, ret_json, ret_len, f);
}

err status_probe(const struct cli *c, const char *probe, struct fault *f)
{
    char server[CLIENT_URL_BYTES];
    char url[CLIENT_URL_BYTES + 32];
    SCOPED(fetch_reply_free)
    struct fetch_reply reply = {0};
    const char *path = strcmp(probe, "live") == 0    ? "livez"
                       : strcmp(probe, "ready") == 0 ? "readyz"
                                                     : "startupz";
    err code = client_server(c, CLIENT_OPS_URL, server, f);
    if (code)
        return code;
    (void)snprintf(url, sizeof(url), "%s/%s", server, path);
    const struct fetch_call call = {
        .url = url, .deadline_ns = PROBE_DEADLINE_NS, .reply_bytes_max = 65536};
    code = fetch(&call, &reply, f);
    if (code == OK && reply.status != 200) {
        code = ERR_UNAVAILABLE;
        (void)client_error(&reply, f);
    }
    return code;
}
