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

int cmd_ps(int argc, char **argv)
{
    struct cli_admin s = {0};
    char target[600] = "/v1/instances";
    int code;
    if (!cli_admin_parse("ps", "[SERVICE]", "Shows services and instances of a running node.", options, &s, &argc, argv, &code))
        return code;
    if (argc > 1) {
        fprintf(stderr, "holdfast ps: name one service at most\n");
        return HF_STATUS_USAGE;
    }
    json_t *services = cli_admin_get("ps", &s, "/v1/services", &code), *instances = NULL;
    if (services != NULL && argc == 1 && !keep_only(json_object_get(services, "services"), argv[0])) {
        fprintf(stderr, "holdfast ps: there is no service \"%s\" here\n", argv[0]);
        code = HF_STATUS_USAGE;
    }
    if (code == 0 && argc == 1) {
        strcpy(target, "/v1/instances?service=");
        if (!cli_escape(target + strlen(target), sizeof target - strlen(target), argv[0], strlen(argv[0])))
            code = HF_STATUS_USAGE;
    }
    if (code == 0)
        instances = cli_admin_get("ps", &s, target, &code);
    if (instances != NULL && s.json) {
        json_object_set(services, "instances", json_object_get(instances, "instances"));
        json_dumpf(services, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (instances != NULL) {
        cli_print_services(services, NULL);
        printf("\n");
        cli_print_instances(json_object_get(instances, "instances"), s.all ? SIZE_MAX : SHOWN);
    }
    json_decref(services);
    json_decref(instances);
    return code;
}
