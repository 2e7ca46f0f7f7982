/* The grammar of an HTTP/1 head, line by line, without its CRLF. A call that refuses returns the
 * reason, one constant line, else NULL.
 * thread  any; never blocks
 * source  RFC 9112 sections 3 and 5; RFC 9110 sections 5.5, 5.6.2, 7.2; RFC 3986 */
#ifndef GARRISON_PROTO_H1_LINE_H
#define GARRISON_PROTO_H1_LINE_H

#include "proto/request.h"

/* Bytes at the front that are printable ASCII, blank or tab: all that a line may hold. */
size_t h1_line_run(const char *at, size_t len);

/* Reads "METHOD target HTTP/1.x" into method, method_text, minor and target of *ret, and into path,
 * query and host (its authority) what h1_line_target makes of the target. Methods are upper-case
 * letters. */
const char *h1_line_request(str line, struct request_head *ret);

/* Reads "name: value" (a token; blanks around the value are dropped). */
const char *h1_line_field(str line, struct field *ret);

/* Splits a target into authority (empty unless it is a http or https URL), path and query. "*" is
 * for OPTIONS alone. */
const char *h1_line_target(str target, enum method method, str *ret_authority, str *ret_path,
                           str *ret_query);

/* Letters, digits, '.', '-' and '_', or an IPv6 address in brackets; then perhaps a port. */
bool h1_line_is_host(str host);

/* Whether s is a token (RFC 9110 section 5.6.2). */
bool h1_line_is_token(str s);

#endif
