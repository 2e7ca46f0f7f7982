/* The reference page: what the file is, its units, and a table of the rows of each section. */
#include "control/config_docs.h"

#include "control/config_table.h"

static const char intro[] =
    "# Configuration: `garrison.yaml`\n"
    "\n"
    "This page is made from the table that the server reads (`src/control/config.def`); a test "
    "holds the two together.\n"
    "\n"
    "`garrison serve` reads `--config FILE`, by default `/etc/garrison/garrison.yaml`. With a "
    "model "
    "on the command line and no\n"
    "`--config` it reads no file, and `server.data_dir` is a temporary directory. Each setting is "
    "the default, else the file's, else\n"
    "that of a flag. All hold from the start of the process. `garrison check FILE` judges a file "
    "without starting anything.\n"
    "\n"
    "```yaml\n"
    "models:\n"
    "  fraud:\n"
    "    path: fraud.onnx       # beside this file\n"
    "    max_batch_size: 32     # only where rows do not depend on each other; probed at load\n"
    "  churn:\n"
    "    path: churn.onnx\n"
    "drain:\n"
    "  delay: 0s                # no load balancer in front\n"
    "```\n"
    "\n"
    "## Form\n"
    "\n"
    "UTF-8 YAML, one document, at most 1 MiB, 16 levels and 20,000 nodes. Refused: anchors, "
    "aliases, "
    "tags, merge keys, directives,\n"
    "complex keys, block scalars (`|`, `>`), a repeated key, an empty value or null (leave the key "
    "out). `${..}` is not expanded. An\n"
    "unknown key is an error. The table decides a value's type, never its look; but a text that "
    "YAML "
    "1.1 would read as something\n"
    "else (`1.10`, `on`, `22:00`, `null`) must be quoted, since other tools would change it.\n"
    "\n"
    "## Units\n"
    "\n"
    "| type | parses | does not |\n"
    "|---|---|---|\n"
    "| bool; int | `true` `false`; decimal digits | `yes` `on` `True` `1`; `1_000` `1e3` `0x10` |\n"
    "| size; byte rate | digits and `B` `KiB` `MiB` `GiB` `TiB`; a size and `/s` | `64MB` `64M` "
    "`64Mi` `1.5GiB` `67108864` |\n"
    "| duration | digits and `us` `ms` `s` `m` `h` `d` | `30` `30sec` `0.5s` `1h30m` |\n"
    "| rate | digits, `/`, then `s` `m` `h` `d` or a duration: `20/m`, `5/60s` | `20` `20/min` |\n"
    "| ratio | `0.05` or `5%`; at most 6 decimals | `.05` `5 %` |\n"
    "| text; enum | bytes without control characters; a word of the row | |\n"
    "| path | absolute, or relative to the directory of the file; no `..` | `~/x` `$HOME/x` |\n"
    "| address | IP literal and port, `127.0.0.1:8000` or `\"[::1]:8000\"`; port 0 is a free one, "
    "printed | a host name |\n";

static const char head[] = "\n"
                           "| key | type | default | bounds or words | meaning |\n"
                           "|---|---|---|---|---|\n";

static void preset(FILE *out, const struct config_row *row)
{
    if (config_row_required(row))
        (void)fputs("*required*", out);
    else if (config_row_absent(row))
        (void)fputs("-", out);
    else if (config_row_computed(row))
        (void)fputs(row->preset, out);
    else
        (void)fprintf(out, "`%s`", row->preset);
}

/* The last dot of the first part of a key that is no NAME: "limits", "listeners", "models". */
static str section_of(const struct config_row *row)
{
    const str key = str_of(row->key);
    return str_cut(key, 0, str_find(key, '.'));
}

void config_docs(FILE *out)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    str section = {0};
    (void)fputs(intro, out);
    for (uint32_t i = 0; i < count; i++) {
        const struct config_row *row = &rows[i];
        if (!str_eq(section, section_of(row))) {
            section = section_of(row);
            (void)fprintf(out, "\n## %.*s\n", STR_ARG(section));
            if (str_eq(section, STR("models")))
                (void)fputs(
                    "\nAt most 1000 entries. NAME is 1..128 of `A-Z a-z 0-9 . _ -`, neither "
                    "`.` nor `-` first, and not `stats`. A model of the command\nline "
                    "(`FILE.onnx`, `--model NAME=PATH`) is added to them. What a model does "
                    "not set stands under `defaults`.\n",
                    out);
            (void)fputs(head, out);
        }
        (void)fprintf(out, "| `%s` | %s | ", row->key, config_type_name(row->type));
        preset(out, row);
        (void)fprintf(out, " | %s | %s%s%s%s |\n", row->bounds, row->help,
                      row->flag[0] ? "; flag `" : "", row->flag, row->flag[0] ? "`" : "");
    }
}
