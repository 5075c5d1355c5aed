/* main.c - the conformance runner: wast [-v] [--expected FILE] FOLDER...
 *
 * The list of what is known to fail is the repository's, built in; --expected takes another one.
 * Each folder holds one suite file as `wasm-tools json-from-wast` makes it: commands.json and the
 * binaries that it names. Prints one line for each unexpected result and last "N passed, N failed,
 * N skipped"; exit 0 when none failed.
 */
#include <stdio.h>
#include <string.h>

#include "wast.h"

static int run_all(struct wast_cx *cx, struct wast_list *known, char **dirs, int n)
{
    for (int i = 0; i < n; i++)
        if (!wast_run(cx, dirs[i]))
            cx->counts.failed++;
    for (size_t i = 0; i < known->len; i++) {
        const struct wast_known *k = &known->ptr[i];
        if (k->ran && k->used == 0) {
            printf("%s:%lu: listed as failing, but no such command was run\n", k->folder, k->first);
            cx->counts.failed++;
        }
    }
    printf("%u passed, %u failed, %u skipped\n", cx->counts.passed, cx->counts.failed,
           cx->counts.skipped);
    return cx->counts.failed == 0 && cx->counts.passed > 0 ? 0 : 1;
}

static bool begin(struct wast_cx *cx, struct hf_report *report)
{
    struct hf_engine_settings settings;
    setvbuf(stdout, NULL, _IOLBF, 0);
    hf_engine_process_init();
    hf_engine_settings_init(&settings); /* the shipped configuration */
    return hf_engine_new(&settings, &cx->engine, report) == HF_OK &&
           wast_host_registry(&cx->registry, report) == HF_OK;
}

static int usage(void)
{
    fprintf(stderr, "wast [-v] [--expected FILE] FOLDER...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct wast_list known = {0};
    struct wast_cx cx = {.known = &known};
    struct hf_report report = {0};
    int at = 1, rc = 1;
    bool other_list = false;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-v") == 0)
            cx.verbose = true;
        else if (strcmp(argv[at], "--expected") != 0 || ++at == argc ||
                 !(other_list = wast_list_read(argv[at], &known)))
            return usage();
    }
    if (at == argc || (!other_list && !wast_list_builtin(&known)))
        return usage();
    if (begin(&cx, &report))
        rc = run_all(&cx, &known, argv + at, argc - at);
    else
        fprintf(stderr, "cannot start: %s\n", report.text);
    hf_registry_free(cx.registry);
    hf_engine_free(cx.engine);
    wast_list_done(&known);
    return rc;
}
