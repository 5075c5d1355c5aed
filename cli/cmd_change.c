/* cmd_change.c - holdfast reload, deploy, rollback, kill, stop: changing a running node. */
#include "cli/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPONENT_MAX (256u << 20) /* what the door takes */

static const struct cli_option only_admin[] = {CLI_OPTIONS_ADMIN, {0}};
static const struct cli_option with_service[] = {
    {"service", "NAME", "which service (the only one, if there is one)", ADMIN_TEXT(service), "a service's name"},
    CLI_OPTIONS_ADMIN,
    {0},
};

static int usage(const char *command, const char *words)
{
    fprintf(stderr, "holdfast %s: %s\n", command, words);
    return HF_STATUS_USAGE;
}

/* POSTs, and prints what the node says beside that it is done. */
static int change(const char *command, const struct cli_admin *s, const char *target, const void *body, size_t len, const char *done)
{
    char *answer = NULL;
    size_t n = 0;
    int code = cli_admin_call(command, s, "POST", target, body, len, NULL, NULL, &answer, &n);
    if (code == 0) {
        json_t *o = json_loadb(answer, n, 0, NULL);
        const char *words = cli_text_of(o, "message");
        if (json_object_get(o, "number") != NULL)
            printf("%s %.0f\n", done, cli_number_of(o, "number"));
        else
            printf("%s\n", done);
        if (words[0] != 0)
            printf("%s\n", words);
        json_decref(o);
    }
    free(answer);
    return code;
}

/* The service's name: as said, or that of the only one there is. */
static int pick_service(const char *command, const struct cli_admin *s, const char *said, char name[128])
{
    int code;
    if (said != NULL) {
        if (strlen(said) >= 128)
            return usage(command, "that is no service's name");
        strcpy(name, said);
        return 0;
    }
    json_t *o = cli_admin_get(command, s, "/v1/services", &code);
    if (o == NULL)
        return code;
    const json_t *all = json_object_get(o, "services");
    if (json_array_size(all) == 1) {
        snprintf(name, 128, "%s", cli_text_of(json_array_get(all, 0), "name"));
    } else {
        fprintf(stderr, "holdfast %s: say which service: --service NAME. There are %zu:", command, json_array_size(all));
        for (size_t i = 0; i < json_array_size(all); i++)
            fprintf(stderr, " %s", cli_text_of(json_array_get(all, i), "name"));
        fprintf(stderr, "\n");
        code = HF_STATUS_USAGE;
    }
    json_decref(o);
    return code;
}

static bool target_of(char target[600], const char *path, const char *name)
{
    strcpy(target, path);
    return cli_escape(target + strlen(path), 600 - strlen(path), name, strlen(name));
}

int cmd_reload(int argc, char **argv)
{
    struct cli_admin s = {0};
    int code;
    if (!cli_admin_parse("reload", "", "Has a running node read its manifest again and change what differs, without losing a request. A manifest\n"
                                       "with a mistake changes nothing; the mistake is printed.",
                         only_admin, &s, &argc, argv, &code))
        return code;
    if (argc > 0)
        return usage("reload", "it takes no operands");
    return change("reload", &s, "/v1/reload", NULL, 0, "reloaded");
}

static char *read_component(const char *path, size_t *len)
{
    char *bytes = cli_read_file(path, COMPONENT_MAX, len);
    if (bytes == NULL && errno == EFBIG)
        fprintf(stderr, "holdfast deploy: %s is larger than %u MiB, the most that a node takes\n", path, COMPONENT_MAX >> 20);
    else if (bytes == NULL)
        fprintf(stderr, "holdfast deploy: %s cannot be read: %s\n", path, strerror(errno));
    return bytes;
}

int cmd_deploy(int argc, char **argv)
{
    struct cli_admin s = {0};
    char name[128], target[600], done[300];
    int code;
    size_t len;
    if (!cli_admin_parse("deploy", "COMPONENT",
                         "Gives a service of a running node another component. It is checked and started first: if that fails the old\n"
                         "one goes on. Requests in hand are finished by the old one. holdfast rollback undoes it.",
                         with_service, &s, &argc, argv, &code))
        return code;
    if (argc != 1)
        return usage("deploy", "name one component: holdfast deploy app.wasm --service NAME");
    char *bytes = read_component(argv[0], &len);
    if (bytes == NULL)
        return HF_STATUS_IO;
    code = pick_service("deploy", &s, s.service, name);
    if (code == 0 && !target_of(target, "/v1/deploy/", name))
        code = usage("deploy", "that is no service's name");
    if (code == 0) {
        snprintf(done, sizeof done, "%s: deployed %s", name, argv[0]);
        code = change("deploy", &s, target, bytes, len, done);
    }
    free(bytes);
    return code;
}

int cmd_rollback(int argc, char **argv)
{
    struct cli_admin s = {0};
    char name[128], target[600], done[300];
    int code;
    if (!cli_admin_parse("rollback", "[SERVICE]", "Gives a service the component back that it had before the last deploy. Done twice, it undoes itself.",
                         with_service, &s, &argc, argv, &code))
        return code;
    if (argc > 1 || (argc == 1 && s.service != NULL))
        return usage("rollback", "name one service");
    code = pick_service("rollback", &s, argc == 1 ? argv[0] : s.service, name);
    if (code == 0 && !target_of(target, "/v1/rollback/", name))
        code = usage("rollback", "that is no service's name");
    snprintf(done, sizeof done, "%s: rolled back", name);
    return code == 0 ? change("rollback", &s, target, NULL, 0, done) : code;
}

int cmd_kill(int argc, char **argv)
{
    struct cli_admin s = {0};
    char target[600];
    int code;
    if (!cli_admin_parse("kill", "INSTANCE|PROCESS...",
                         "Ends instances of a running node at once, by number (holdfast ps shows them), or with --service NAME all of a\n"
                         "service's. Who waits for one is told 500; another instance takes over. A process by its name (cart/42) ends\n"
                         "for good: it is not restarted, and the next message to its name makes a new one.",
                         with_service, &s, &argc, argv, &code))
        return code;
    if ((argc == 0) == (s.service == NULL))
        return usage("kill", "name instances by number, a process or a service: holdfast kill 17, holdfast kill cart/42, or holdfast kill --service NAME");
    if (s.service != NULL)
        return target_of(target, "/v1/kill?service=", s.service) ? change("kill", &s, target, NULL, 0, "instances ended:")
                                                                 : usage("kill", "that is no service's name");
    code = 0; /* of the first that failed */
    for (int i = 0; i < argc; i++) {
        bool number = argv[i][strspn(argv[i], "0123456789")] == 0;
        char suffix[] = "/kill";
        if (!number && target_of(target, "/v1/processes/", argv[i]) && strlen(target) + sizeof suffix <= sizeof target) {
            int one = change("kill", &s, strcat(target, suffix), NULL, 0, "processes ended:");
            code = code == 0 ? one : code;
            continue;
        }
        int one = target_of(target, "/v1/kill/", argv[i]) ? change("kill", &s, target, NULL, 0, "instances ended:")
                                                          : usage("kill", "that is no number of an instance");
        code = code == 0 ? one : code;
    }
    return code;
}

int cmd_stop(int argc, char **argv)
{
    struct cli_admin s = {0};
    int code;
    if (!cli_admin_parse("stop", "", "Has a running node finish what it has in hand, and end: as a SIGTERM.", only_admin, &s, &argc, argv, &code))
        return code;
    return argc > 0 ? usage("stop", "it takes no operands") : change("stop", &s, "/v1/stop", NULL, 0, "stopping");
}
