/* The manual page garrison.1 in the man macros, made from the command table. */
#include "cli/help.h"

/* Text in roff: "\" and "-" have meanings, and so has a "." or "'" that begins a line. */
static void roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        (void)fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            (void)fputs("\\e", out);
        else if (*text == '-')
            (void)fputs("\\-", out);
        else
            (void)fputc(*text, out);
    }
}

static void flags_of(FILE *out, const struct cli_command *command)
{
    uint32_t count;
    const struct cli_flag *flags = cli_flags(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (command ? !flags[i].command || !cli_flag_of(&flags[i], command)
                    : flags[i].command != NULL)
            continue;
        (void)fputs(".TP\n.B ", out);
        roff(out, flags[i].name);
        if (flags[i].value[0]) {
            (void)fputs(" \\fI", out);
            roff(out, flags[i].value);
            (void)fputs("\\fR", out);
        }
        if (flags[i].many)
            (void)fputs("..", out);
        (void)fputc('\n', out);
        roff(out, flags[i].help);
        (void)fputc('\n', out);
    }
}

static void exits(FILE *out)
{
    (void)fputs(".SH EXIT STATUS\n"
                ".TP\n0\ndone\n"
                ".TP\n1\na fault inside, or the model failed\n"
                ".TP\n2\nthe command line, a file or the request is wrong\n"
                ".TP\n3\nno valid credential, or the policy says no\n"
                ".TP\n4\nno such model, version or route\n"
                ".TP\n5\nbusy, not ready, too late, or no connection\n"
                ".TP\n6\nthe present state forbids it\n"
                ".TP\n130\ninterrupted\n",
                out);
}

void help_man(FILE *out)
{
    uint32_t count;
    const struct cli_command *all = cli_commands(&count);
    (void)fputs(".TH GARRISON 1\n.SH NAME\ngarrison \\- serve ONNX models, each in a sandbox\n"
                ".SH SYNOPSIS\n.B garrison\n.I command\n[\\fIargument\\fR..] "
                "[\\fB\\-\\-flag\\fR..]\n"
                ".SH DESCRIPTION\nGarrison serves ONNX models over the Open Inference Protocol\n"
                "(version 2, REST) from sandboxed worker processes.\n"
                "Flags are written \\fB\\-\\-flag=value\\fR or\n\\fB\\-\\-flag value\\fR and "
                "never shortened;\n\\fB\\-\\-\\fR ends them; \"..\" marks what may stand again.\n"
                ".SH COMMANDS\n",
                out);
    for (uint32_t i = 0; i < count; i++) {
        (void)fprintf(out, ".SS garrison %s%s", all[i].name, all[i].args[0] ? " " : "");
        roff(out, all[i].args);
        (void)fputc('\n', out);
        roff(out, all[i].line);
        (void)fputs(".\n", out);
        flags_of(out, &all[i]);
        (void)fputs(".PP\nExample:\n.RS\n.nf\n", out);
        roff(out, all[i].example);
        (void)fputs("\n.fi\n.RE\n", out);
    }
    (void)fputs(".SH COMMON FLAGS\n", out);
    flags_of(out, NULL);
    exits(out);
    (void)fputs(".SH ENVIRONMENT\n.TP\nGARRISON_SERVER\nURL of a server, for \\fBinfer\\fR and "
                "\\fBstatus\\fR\n.TP\nGARRISON_SOCKET\nsocket of a server, for \\fBstatus\\fR\n"
                ".TP\nNO_COLOR\nno colour, whatever its text\n"
                ".SH FILES\n.TP\n/etc/garrison/garrison.yaml\nthe configuration\n"
                ".TP\n/var/lib/garrison\nwhat a server keeps\n",
                out);
}
