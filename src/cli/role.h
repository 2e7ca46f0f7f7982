/* The other roles of this executable: the keeper starts them as `garrison --role=NAME ..`.
 * thread  main */
#ifndef GARRISON_CLI_ROLE_H
#define GARRISON_CLI_ROLE_H

/* Runs the role until it ends; argv are the words behind --role=NAME (numbers of inherited
 * descriptors). Returns the exit status; 2 for a role that is not there. */
int role_main(const char *role, int argc, char **argv);

#endif
