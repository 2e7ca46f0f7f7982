/* IP literals with a port, without a resolver: a name can never stand where an address is due.
 * thread  any; never blocks */
#ifndef GARRISON_CONTROL_CONFIG_ADDRESS_H
#define GARRISON_CONTROL_CONFIG_ADDRESS_H

#include "control/config.h"

/* Reads "127.0.0.1:8000" or "[::1]:8000" (RFC 4291 section 2.2; no zone, no leading zeros in IPv4).
 * false: not such an address, *ret is untouched. */
bool config_address_read(str s, struct config_address *ret);

#endif
