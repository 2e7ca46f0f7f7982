/* watch/expose: which format a scraper asked for. */
#include "check.h"

#include "watch/expose.h"

static const struct {
    const char *accept;
    enum expose_format want;
} cases[] = {
    {"", EXPOSE_TEXT},
    {"*/*", EXPOSE_TEXT},
    {"text/html, application/xhtml+xml, */*;q=0.8", EXPOSE_TEXT},
    {"application/openmetrics-text", EXPOSE_OPENMETRICS},
    {"Application/OpenMetrics-Text; Version=1.0.0", EXPOSE_OPENMETRICS},
    {"application/openmetrics-text; version=2.0.0", EXPOSE_TEXT},
    {"application/openmetrics-text; version=\"1.0.0\"", EXPOSE_OPENMETRICS},
    {"application/openmetrics-text;q=0", EXPOSE_TEXT},
    {"application/openmetrics-text;q=0.000, */*", EXPOSE_TEXT},
    {"application/openmetrics-text;q=0.3, text/plain;q=0.4", EXPOSE_TEXT},
    {"application/openmetrics-text;Q=0.3 , text/plain;q=0.4", EXPOSE_TEXT},
    {"application/openmetrics-text;q=0.41,text/plain;q=0.4", EXPOSE_OPENMETRICS},
    {"text/plain;version=0.0.4", EXPOSE_TEXT},
    {",,;,", EXPOSE_TEXT},
    {";q=1", EXPOSE_TEXT},
    /* Prometheus 2.42 */
    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     EXPOSE_OPENMETRICS},
    /* Prometheus 3 */
    {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
     "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;"
     "escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
     EXPOSE_OPENMETRICS},
    /* Prometheus with native histograms: we do not offer its first choice */
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
     "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     EXPOSE_OPENMETRICS},
};

static void expose_format_of__reads_what_scrapers_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (expose_format_of(str_of(cases[i].accept)) != cases[i].want)
            fail_msg("\"%s\": want format %d", cases[i].accept, (int)cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expose_format_of__reads_what_scrapers_send)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
