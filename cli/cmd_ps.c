/* cmd_ps.c - holdfast ps: services and instances of a running node, once. */
#include "cli/admin.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 50

static const struct cli_option options[] = {
    {"json", NULL, "as JSON", ADMIN_ON(json), NULL},
    {"all", NULL, "all instances, not the first 50", ADMIN_ON(all), NULL},
    CLI_OPTIONS_ADMIN,
    {0},
};

/* Leaves of the services the one of that name, or none. */
static bool keep_only(json_t *services, const char *name)
{
    for (size_t i = json_array_size(services); i > 0; i--)
        if (strcmp(cli_text_of(json_array_get(services, i - 1), "name"), name) != 0)
            json_array_remove(services, i - 1);
    return json_array_size(services) > 0;
}

/* Leaves of the instances the process of that name, or none. */
static void keep_process(json_t *instances, const char *name)
{
    for (size_t i = json_array_size(instances); i > 0; i--)
        if (strcmp(cli_text_of(json_array_get(instances, i - 1), "process"), name) != 0)
            json_array_remove(instances, i - 1);
}

int cmd_ps(int argc, char **argv)
{
    struct cli_admin s = {0};
    char target[600] = "/v1/instances", class[300] = "";
    int code;
    if (!cli_admin_parse("ps", "[NAME]", "Shows services and instances of a running node: all, those of a service, or a process (cart/42).", options, &s, &argc, argv, &code))
        return code;
    if (argc > 1) {
        fprintf(stderr, "holdfast ps: name one service or process at most\n");
        return HF_STATUS_USAGE;
    }
    if (argc == 1)
        snprintf(class, sizeof class, "%.*s", (int)strcspn(argv[0], "/"), argv[0]);
    json_t *services = cli_admin_get("ps", &s, "/v1/services", &code), *instances = NULL;
    if (services != NULL && argc == 1 && !keep_only(json_object_get(services, "services"), class)) {
        fprintf(stderr, "holdfast ps: there is no service \"%s\" here\n", class);
        code = HF_STATUS_USAGE;
    }
    if (code == 0 && argc == 1) {
        strcpy(target, "/v1/instances?service=");
        if (!cli_escape(target + strlen(target), sizeof target - strlen(target), class, strlen(class)))
            code = HF_STATUS_USAGE;
    }
    if (code == 0)
        instances = cli_admin_get("ps", &s, target, &code);
    if (instances != NULL && argc == 1 && strchr(argv[0], '/') != NULL) {
        keep_process(json_object_get(instances, "instances"), argv[0]);
        if (json_array_size(json_object_get(instances, "instances")) == 0) {
            fprintf(stderr, "holdfast ps: there is no process \"%s\" now; a message to its name may make it\n", argv[0]);
            code = HF_STATUS_USAGE;
        }
    }
    if (instances != NULL && code == 0 && s.json) {
        json_object_set(services, "instances", json_object_get(instances, "instances"));
        json_dumpf(services, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (instances != NULL && code == 0) {
        cli_print_services(services, NULL);
        printf("\n");
        cli_print_instances(json_object_get(instances, "instances"), s.all ? SIZE_MAX : SHOWN);
    }
    json_decref(services);
    json_decref(instances);
    return code;
}
