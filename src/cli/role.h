/* The other roles of this executable: the keeper starts them as `garrison --role=NAME ..`.
 * thread  main */
#ifndef GARRISON_CLI_ROLE_H
#define GARRISON_CLI_ROLE_H

/* Runs the role called name until it ends; argv are the words behind it, and there are none: what a
 * role inherits it is told by the keeper. Returns the exit status; 2 for a role that is not here.
 */
int role_main(const char *name, int argc, char **argv);

#endif
