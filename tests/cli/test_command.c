/* Command lines: what is refused and by which words, then what is taken; pages against docs/. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "control/config_docs.h"
#include "control/nearest.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct line_case {
    const char *command;
    const char *words[4];
    const char *error;
};

static int words_count(const struct line_case *l, char **out)
{
    int n = 0;
    for (; n < 4 && l->words[n]; n++) {
        out[n] = strdup(l->words[n]);
        assert_non_null(out[n]);
    }
    return n;
}

static void words_free(int n, char **words)
{
    for (int i = 0; i < n; i++)
        free(words[i]);
}

static void parse__refuses_by_what_it_saw_and_wants(void **state)
{
    (void)state;
    const struct line_case all[] = {
        {"serve",
         {"--lisen", "x"},
         "unknown flag \"--lisen\"; want one of `garrison help serve`, the nearest is --listen"},
        {"serve", {"--lis=x"}, "unknown flag \"--lis\"; want one of `garrison help serve`"},
        {"serve", {"--json"}, "unknown flag \"--json\"; want one of `garrison help serve`"},
        {"serve", {"-v"}, "unknown flag \"-v\"; want one of `garrison help serve`"},
        {"serve", {"--config"}, "--config has no value; want --config FILE"},
        {"serve", {"--config", "--quiet"}, "--config has no value; want --config FILE"},
        {"serve", {"--config", "a", "--config=b"}, "--config stands twice; want it once"},
        {"serve",
         {"--log-level", "loud"},
         "--log-level \"loud\"; want one of debug/info/warn/error"},
        {"check", {"--strict=1"}, "--strict has a value; want the flag alone"},
        {"check", {"a", "b"}, "\"b\" is one argument too many; want garrison check [FILE]"},
        {"infer", {NULL}, "an argument is missing; want garrison infer NAME[@VERSION]"},
        {"version", {"--", "--json"}, "\"--json\" is one argument too many; want garrison version"},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        char *words[4];
        struct cli c = {0};
        struct fault f = {0};
        bool help = false;
        const int n = words_count(&all[i], words);
        const struct cli_command *command = cli_command_find(str_of(all[i].command));
        assert_non_null(command);
        assert_int_equal(cli_parse(command, n, words, &c, &help, &f), ERR_INPUT);
        assert_string_equal(f.text, all[i].error);
        assert_null(c.flags);
        words_free(n, words);
    }
}

static void parse__takes_flags_in_both_spellings(void **state)
{
    (void)state;
    char *words[] = {(char[]){"a.onnx"}, (char[]){"--model=x=y"}, (char[]){"--model"},
                     (char[]){"b=c"},    (char[]){"--quiet"},     (char[]){"--config="},
                     (char[]){"--"},     (char[]){"--model"},     (char[]){"-"}};
    struct cli c = {0};
    struct fault f = {0};
    bool help = true;
    assert_int_equal(cli_parse(cli_command_find(STR("serve")), 9, words, &c, &help, &f), OK);
    assert_false(help);
    assert_true(c.quiet);
    assert_false(c.json);
    assert_int_equal(c.flag_count, 4);
    assert_string_equal(c.flags[0].value, "x=y");
    assert_string_equal(c.flags[1].value, "b=c");
    assert_string_equal(cli_value(&c, "--model"), "b=c");
    assert_string_equal(cli_value(&c, "--config"), "");
    assert_null(cli_value(&c, "--listen"));
    assert_int_equal(c.arg_count, 3);
    assert_string_equal(c.args[0], "a.onnx");
    assert_string_equal(c.args[1], "--model");
    assert_string_equal(c.args[2], "-");
    cli_free(&c);
}

static void parse__lets_a_command_own_the_name_of_a_common_flag(void **state)
{
    (void)state;
    char *words[] = {(char[]){"m"}, (char[]){"--json"}, (char[]){"body"}};
    struct cli c = {0};
    struct fault f = {0};
    bool help = false;
    assert_int_equal(cli_parse(cli_command_find(STR("infer")), 3, words, &c, &help, &f), OK);
    assert_string_equal(cli_value(&c, "--json"), "body");
    assert_false(c.json);
    cli_free(&c);
    char *wrong[] = {(char[]){"--nope"}, (char[]){"--help"}};
    assert_int_equal(cli_parse(cli_command_find(STR("infer")), 2, wrong, &c, &help, &f), OK);
    assert_true(help);
    cli_free(&c);
}

static void nearest__measures_edits(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance(STR(""), STR("")), 0);
    assert_int_equal(nearest_distance(STR(""), STR("abc")), 3);
    assert_int_equal(nearest_distance(STR("kitten"), STR("sitting")), 3);
    assert_int_equal(nearest_distance(STR("ab"), STR("ba")), 1);
    assert_int_equal(nearest_distance(STR("modles"), STR("models")), 1);
    assert_int_equal(nearest_distance(STR("ca"), STR("abc")), 3); /* no overlapping swaps */
    assert_true(str_eq(cli_command_nearest(STR("srve")), STR("serve")));
    assert_int_equal(cli_command_nearest(STR("xyzzy")).len, 0);
}

typedef void writer(FILE *out);

/* The committed page must be what the table says: else run garrison --print=PAGE > docs/FILE. */
static void page_holds(writer *write, const char *path)
{
    char *made = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&made, &len);
    assert_non_null(out);
    write(out);
    assert_int_equal(fclose(out), 0);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *kept = calloc(1, len + 2);
    assert_non_null(kept);
    const size_t got = fread(kept, 1, len + 1, in);
    (void)fclose(in);
    assert_int_equal(got, len);
    assert_string_equal(kept, made);
    free(kept);
    free(made);
}

static void pages__are_those_of_docs(void **state)
{
    (void)state;
    page_holds(help_man, "docs/garrison.1");
    page_holds(config_docs, "docs/config.md");
}

static void help__names_every_flag_and_an_example(void **state)
{
    (void)state;
    uint32_t count;
    uint32_t flag_count;
    const struct cli_command *all = cli_commands(&count);
    const struct cli_flag *flags = cli_flags(&flag_count);
    for (uint32_t i = 0; i < count; i++) {
        char *made = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&made, &len);
        assert_non_null(out);
        help_command(out, &all[i]);
        assert_int_equal(fclose(out), 0);
        assert_non_null(strstr(made, all[i].example));
        for (uint32_t k = 0; k < flag_count; k++) {
            if (cli_flag_of(&flags[k], &all[i]))
                assert_non_null(strstr(made, flags[k].help));
        }
        free(made);
    }
}

/* Bash itself reads the completion and completes. */
static void completion__completes_in_bash(void **state)
{
    (void)state;
    FILE *bash = popen("bash -s > /dev/null 2>&1", "w");
    assert_non_null(bash);
    help_completion(bash, "bash");
    (void)fputs("try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _garrison; }\n"
                "try garrison ser; [ \"${COMPREPLY[*]}\" = serve ] || exit 11\n"
                "try garrison infer m --out; [ \"${COMPREPLY[*]}\" = --output ] || exit 12\n"
                "try garrison infer m --output c; [ \"${COMPREPLY[*]}\" = csv ] || exit 13\n"
                "try garrison completion z; [ \"${COMPREPLY[*]}\" = zsh ] || exit 14\n"
                "try garrison serve --config /etc/pass; [[ \" ${COMPREPLY[*]} \" = *\" /etc/passwd "
                "\"* ]] || exit "
                "15\n"
                "exit 0\n",
                bash);
    assert_int_equal(pclose(bash), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__refuses_by_what_it_saw_and_wants),
        cmocka_unit_test(parse__takes_flags_in_both_spellings),
        cmocka_unit_test(parse__lets_a_command_own_the_name_of_a_common_flag),
        cmocka_unit_test(nearest__measures_edits),
        cmocka_unit_test(pages__are_those_of_docs),
        cmocka_unit_test(help__names_every_flag_and_an_example),
        cmocka_unit_test(completion__completes_in_bash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
