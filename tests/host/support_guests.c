/* support_guests.c - see support_guests.h. */
#include "support_guests.h"

static struct shared base;

bool guests_load(const char *name, struct shared *ret)
{
    const char *dir = getenv("HF_GUESTS");
    char path[512], *bytes;
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        print_message("SKIP: %s: %s is not built\n", name, path);
        return false;
    }
    fseek(f, 0, SEEK_END);
    size_t len = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(len);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, len, f), len);
    fclose(f);
    struct hf_report report = {0};
    *ret = base;
    if (hf_component_load(base.engine, base.registry, hf_view(bytes, len), NULL, &ret->component,
                          &report) != HF_OK)
        fail_msg("%s: %s", name, report.text);
    free(bytes);
    return true;
}

int guests_open(void **state)
{
    struct hf_engine_settings es;
    struct hf_report report = {0};
    (void)state;
    hf_engine_process_init();
    hf_engine_settings_init(&es);
    const char *dir = getenv("HF_TEST_CACHE");
    es.cache_dir = dir != NULL ? dir : "build/code-cache";
    es.instances_max = 256;
    es.stacks_max = 32;
    enum hf_err err = hf_engine_new(&es, &base.engine, &report);
    world_signals();
    if (err != HF_OK || hf_host_registry(&base.registry, &report) != HF_OK) {
        print_message("%s\n", report.text);
        return -1;
    }
    return 0;
}

int guests_close(void **state)
{
    (void)state;
    hf_registry_free(base.registry);
    hf_engine_free(base.engine);
    return 0;
}
