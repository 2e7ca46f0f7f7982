/* The command table and the taking apart of a command line. */
#include "cli/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

#include "control/nearest.h"

static const struct cli_command commands[] = {
#define COMMAND(id, args, least, most, line, example)                                              \
    {#id, args, least, most, line, example, command_##id},
#define FLAG(id, name, value, often, help)
#define COMMON(name, value, help)
#include "cli/commands.def"
#undef COMMAND
#undef FLAG
#undef COMMON
};

#define ONCE false
#define MANY true
static const struct cli_flag flags[] = {
#define COMMAND(id, args, least, most, line, example)
#define FLAG(id, name, value, often, help) {#id, name, value, often, help},
#define COMMON(name, value, help)          {NULL, name, value, false, help},
#include "cli/commands.def"
#undef COMMAND
#undef FLAG
#undef COMMON
};

const struct cli_command *cli_commands(uint32_t *ret_count)
{
    *ret_count = sizeof(commands) / sizeof(commands[0]);
    return commands;
}

const struct cli_flag *cli_flags(uint32_t *ret_count)
{
    *ret_count = sizeof(flags) / sizeof(flags[0]);
    return flags;
}

const struct cli_command *cli_command_find(str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (str_eq(name, str_of(commands[i].name)))
            return &commands[i];
    }
    return NULL;
}

str cli_command_nearest(str name)
{
    struct nearest n = {.wanted = name};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        nearest_offer(&n, str_of(commands[i].name));
    return n.best;
}

bool cli_flag_of(const struct cli_flag *flag, const struct cli_command *command)
{
    if (flag->command)
        return strcmp(flag->command, command->name) == 0;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (flags[i].command && strcmp(flags[i].command, command->name) == 0 &&
            strcmp(flags[i].name, flag->name) == 0)
            return false;
    }
    return true;
}

static const struct cli_flag *flag_find(const struct cli_command *command, str name)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (str_eq(name, str_of(flags[i].name)) && cli_flag_of(&flags[i], command))
            return &flags[i];
    }
    return NULL;
}

static err flag_unknown(const struct cli_command *command, str name, struct fault *f)
{
    struct nearest n = {.wanted = name};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (cli_flag_of(&flags[i], command))
            nearest_offer(&n, str_of(flags[i].name));
    }
    const str seen = str_cut(name, 0, 80);
    if (n.best.len)
        return fail(f, ERR_INPUT,
                    "unknown flag \"%.*s\"; want one of `garrison help %s`, the nearest is %.*s",
                    STR_ARG(seen), command->name, STR_ARG(n.best));
    return fail(f, ERR_INPUT, "unknown flag \"%.*s\"; want one of `garrison help %s`",
                STR_ARG(seen), command->name);
}

/* Whether value is one of the words of "a/b/c", where spec is such a list. */
static bool word_fits(const char *spec, str value)
{
    str rest = str_of(spec);
    if (str_find(rest, '/') == rest.len)
        return true;
    while (rest.len) {
        const size_t end = str_find(rest, '/');
        if (str_eq(str_cut(rest, 0, end), value))
            return true;
        rest = str_cut(rest, end + 1, rest.len);
    }
    return false;
}

/* Takes the flag at argv[*at] and moves past its value. */
static err flag_take(struct cli *c, int argc, char **argv, int *at, struct fault *f)
{
    const str word = str_of(argv[*at]);
    const size_t equals = str_find(word, '=');
    const struct cli_flag *flag = flag_find(c->command, str_cut(word, 0, equals));
    if (!flag)
        return flag_unknown(c->command, str_cut(word, 0, equals), f);
    const char *value = equals < word.len ? word.at + equals + 1 : NULL;
    if (!flag->value[0] && value)
        return fail(f, ERR_INPUT, "%s has a value; want the flag alone", flag->name);
    if (flag->value[0] && !value) {
        if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0)
            return fail(f, ERR_INPUT, "%s has no value; want %s %s", flag->name, flag->name,
                        flag->value);
        value = argv[++*at];
    }
    if (flag->value[0] && !word_fits(flag->value, str_of(value)))
        return fail(f, ERR_INPUT, "%s \"%.80s\"; want one of %s", flag->name, value, flag->value);
    if (!flag->many && flag->value[0] && cli_value(c, flag->name))
        return fail(f, ERR_INPUT, "%s stands twice; want it once", flag->name);
    c->flags[c->flag_count++] = (struct cli_arg){flag, value ? value : ""};
    return OK;
}

static err args_judge(const struct cli *c, struct fault *f)
{
    const struct cli_command *command = c->command;
    if (c->arg_count < command->args_min)
        return fail(f, ERR_INPUT, "an argument is missing; want garrison %s %s", command->name,
                    command->args);
    if (c->arg_count > command->args_max)
        return fail(f, ERR_INPUT, "\"%.80s\" is one argument too many; want garrison %s%s%s",
                    c->args[command->args_max], command->name, command->args[0] ? " " : "",
                    command->args);
    return OK;
}

static bool color_wanted(const struct cli *c, int fd)
{
    const char *how = cli_value(c, "--color");
    if (how && strcmp(how, "auto") != 0)
        return strcmp(how, "always") == 0;
    const char *no = getenv("NO_COLOR"); /* no-color.org: any text but none */
    return isatty(fd) == 1 && !(no && no[0]);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static err words_take(struct cli *c, int argc, char **argv, struct fault *f)
{
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        err code = OK;
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!ended && argv[i][0] == '-' && argv[i][1])
            code = flag_take(c, argc, argv, &i, f);
        else
            c->args[c->arg_count++] = argv[i];
        if (code)
            return code;
    }
    return args_judge(c, f);
}

err cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *ret,
              bool *ret_help, struct fault *f)
{
    struct cli c = {.command = command};
    const bool help = asks_for_help(argc, argv);
    c.flags = calloc((size_t)argc + 1, sizeof(*c.flags));
    c.args = calloc((size_t)argc + 1, sizeof(*c.args));
    err code = OK;
    if (!c.flags || !c.args)
        code = fail(f, ERR_UNAVAILABLE, "no memory for %d words", argc);
    else if (!help)
        code = words_take(&c, argc, argv, f);
    if (code) {
        cli_free(&c);
        return code;
    }
    const char *json = cli_value(&c, "--json");
    c.json = json && !json[0]; /* a command's own --json has a value */
    c.quiet = cli_value(&c, "--quiet") != NULL;
    c.color = color_wanted(&c, STDOUT_FILENO);
    c.color_err = color_wanted(&c, STDERR_FILENO);
    *ret = c;
    *ret_help = help;
    return OK;
}

void cli_free(struct cli *c)
{
    free(c->flags);
    free(c->args);
    c->flags = NULL;
    c->args = NULL;
}

const char *cli_value(const struct cli *c, const char *flag)
{
    for (uint32_t i = c->flag_count; i > 0; i--) {
        if (strcmp(c->flags[i - 1].flag->name, flag) == 0)
            return c->flags[i - 1].value;
    }
    return NULL;
}

int cli_fail(const struct cli *c, const char *what, err code, const char *text)
{
    if (c && c->json) {
        char line[1024];
        struct text t = text_over(line, sizeof(line));
        text_put(&t, STR("{\"error\":"));
        text_json(&t, str_of(text));
        text_put(&t, STR("}\n"));
        (void)fputs(t.full ? "{\"error\":\"too long\"}\n" : "", stderr);
        if (!t.full)
            (void)fwrite(line, 1, t.len, stderr);
        return err_exit(code);
    }
    const bool color = c && c->color_err;
    (void)fprintf(stderr, "%sgarrison:%s %s%s(%s): %s\n", color ? "\033[31m" : "",
                  color ? "\033[0m" : "", what ? what : "", what ? " " : "", err_name(code), text);
    return err_exit(code);
}
