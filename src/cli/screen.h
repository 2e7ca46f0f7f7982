/* Foreign text on a screen: what is no printable character shows as '?'.
 * thread  main */
#ifndef GARRISON_CLI_SCREEN_H
#define GARRISON_CLI_SCREEN_H

#include <stdio.h>

#include "base/str.h"

#define SCREEN_WIDTH_MAX 80u /* characters of a text that are shown */

void screen_text(FILE *out, str s);               /* all of it */
size_t screen_width(str s);                       /* characters that s takes, 0..SCREEN_WIDTH_MAX */
void screen_left(FILE *out, str s, size_t width); /* padded behind to width */
void screen_right(FILE *out, str s, size_t width); /* padded before to width */

#endif
