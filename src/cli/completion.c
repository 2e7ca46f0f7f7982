/* Completion of shells, made from the command table: commands, flags, words of flags, files. */
#include "cli/help.h"

#include "base/must.h"

/* "a/b/c" as "a b c"; nothing where value is no list of words. */
static void words(FILE *out, const char *value)
{
    for (; *value; value++)
        (void)fputc(*value == '/' ? ' ' : *value, out);
}

static bool is_words(const char *value)
{
    return strchr(value, '/') != NULL;
}

static bool is_file(const char *value)
{
    return strcmp(value, "F") == 0 || strcmp(value, "FILE") == 0 || strcmp(value, "DIR") == 0;
}

static void flag_names(FILE *out, const struct cli_command *command)
{
    uint32_t count;
    const struct cli_flag *flags = cli_flags(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (cli_flag_of(&flags[i], command))
            (void)fprintf(out, " %s", flags[i].name);
    }
}

static void bash_values(FILE *out, const struct cli_command *command)
{
    uint32_t count;
    const struct cli_flag *flags = cli_flags(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (!cli_flag_of(&flags[i], command) || !flags[i].value[0])
            continue;
        (void)fprintf(out, "    %s:%s) ", command->name, flags[i].name);
        if (is_words(flags[i].value)) {
            (void)fputs("words=\"", out);
            words(out, flags[i].value);
            (void)fputs("\" ;;\n", out);
        } else {
            (void)fputs(is_file(flags[i].value) ? "files=1 ;;\n" : "return ;;\n", out);
        }
    }
}

static void bash(FILE *out)
{
    uint32_t count;
    const struct cli_command *all = cli_commands(&count);
    (void)fputs("_garrison() {\n"
                "    local at=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local command=${COMP_WORDS[1]} words= files=\n"
                "    COMPREPLY=()\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        COMPREPLY=($(compgen -W \"",
                out);
    for (uint32_t i = 0; i < count; i++)
        (void)fprintf(out, "%s%s", i ? " " : "", all[i].name);
    (void)fputs("\" -- \"$at\"))\n        return\n    fi\n"
                "    case \"$command:$before\" in\n",
                out);
    for (uint32_t i = 0; i < count; i++)
        bash_values(out, &all[i]);
    (void)fputs("    *) case \"$command:$at\" in\n", out);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(out, "        %s:-*) words=\"", all[i].name);
        flag_names(out, &all[i]);
        (void)fputs("\" ;;\n", out);
        if (is_words(all[i].args)) {
            (void)fprintf(out, "        %s:*) words=\"", all[i].name);
            words(out, all[i].args);
            (void)fputs("\" ;;\n", out);
        }
    }
    (void)fputs("        *) files=1 ;;\n        esac ;;\n    esac\n"
                "    if [ -n \"$files\" ]; then\n"
                "        COMPREPLY=($(compgen -f -- \"$at\"))\n"
                "    else\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$at\"))\n"
                "    fi\n}\n"
                "complete -o filenames -F _garrison garrison\n",
                out);
}

/* A text inside single quotes of zsh's _arguments or of fish. */
static void quoted(FILE *out, const char *text, const char *escape)
{
    for (; *text; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", out);
        else if (strchr(escape, *text))
            (void)fprintf(out, "\\%c", *text);
        else
            (void)fputc(*text, out);
    }
}

static void zsh_flag(FILE *out, const struct cli_flag *flag)
{
    (void)fprintf(out, "            '%s%s%s[", flag->many ? "*" : "", flag->name,
                  flag->value[0] ? "=" : "");
    quoted(out, flag->help, "[]:");
    (void)fputs("]", out);
    if (is_words(flag->value)) {
        (void)fputs(":word:(", out);
        words(out, flag->value);
        (void)fputs(")", out);
    } else if (flag->value[0]) {
        (void)fprintf(out, ":%s:%s", flag->value, is_file(flag->value) ? "_files" : "");
    }
    (void)fputs("' \\\n", out);
}

static void zsh(FILE *out)
{
    uint32_t count;
    uint32_t flag_count;
    const struct cli_command *all = cli_commands(&count);
    const struct cli_flag *flags = cli_flags(&flag_count);
    (void)fputs("#compdef garrison\n_garrison() {\n    local -a commands=(\n", out);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(out, "        '%s:", all[i].name);
        quoted(out, all[i].line, ":");
        (void)fputs("'\n", out);
    }
    (void)fputs("    )\n    if (( CURRENT == 2 )); then\n"
                "        _describe command commands\n        return\n    fi\n"
                "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
                "    case $command in\n",
                out);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(out, "    %s)\n        _arguments \\\n", all[i].name);
        for (uint32_t k = 0; k < flag_count; k++) {
            if (cli_flag_of(&flags[k], &all[i]))
                zsh_flag(out, &flags[k]);
        }
        if (is_words(all[i].args)) {
            (void)fputs("            '1:word:(", out);
            words(out, all[i].args);
            (void)fputs(")' ;;\n", out);
        } else {
            (void)fputs("            '*:file:_files' ;;\n", out);
        }
    }
    (void)fputs("    esac\n}\n_garrison \"$@\"\n", out);
}

static void fish(FILE *out)
{
    uint32_t count;
    uint32_t flag_count;
    const struct cli_command *all = cli_commands(&count);
    const struct cli_flag *flags = cli_flags(&flag_count);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(out, "complete -c garrison -n __fish_use_subcommand -f -a %s -d '",
                      all[i].name);
        quoted(out, all[i].line, "\\");
        (void)fputs("'\n", out);
        if (is_words(all[i].args)) {
            (void)fprintf(out, "complete -c garrison -n '__fish_seen_subcommand_from %s' -f -a '",
                          all[i].name);
            words(out, all[i].args);
            (void)fputs("'\n", out);
        }
        for (uint32_t k = 0; k < flag_count; k++) {
            if (!cli_flag_of(&flags[k], &all[i]))
                continue;
            (void)fprintf(out, "complete -c garrison -n '__fish_seen_subcommand_from %s' -l %s",
                          all[i].name, flags[k].name + 2);
            if (is_words(flags[k].value)) {
                (void)fputs(" -x -a '", out);
                words(out, flags[k].value);
                (void)fputs("'", out);
            } else if (flags[k].value[0]) {
                (void)fputs(is_file(flags[k].value) ? " -r" : " -x", out);
            }
            (void)fputs(" -d '", out);
            quoted(out, flags[k].help, "\\");
            (void)fputs("'\n", out);
        }
    }
}

void help_completion(FILE *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        bash(out);
    else if (strcmp(shell, "zsh") == 0)
        zsh(out);
    else if (strcmp(shell, "fish") == 0)
        fish(out);
    else
        never("the caller knows the shells");
}

int command_completion(const struct cli *c)
{
    const char *shell = c->args[0];
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0 && strcmp(shell, "fish") != 0) {
        struct fault f = {0};
        (void)fail(&f, ERR_INPUT, "\"%.80s\" is not a shell it knows; want bash, zsh or fish",
                   shell);
        return cli_fail(c, "completion", ERR_INPUT, f.text);
    }
    help_completion(stdout, shell);
    return 0;
}
