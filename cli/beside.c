/* beside.c - finds the guest tool and the guests' folder, which lie beside this program. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first of `tries`, from the folder of this program, that exists. */
static const char *locate(const char *env, const char *const *tries, char out[PATH_MAX])
{
    const char *own = getenv(env);
    char exe[PATH_MAX], path[PATH_MAX + 64];
    if (own != NULL && own[0] != 0)
        return realpath(own, out);
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (slash == NULL)
        return NULL;
    *slash = 0;
    for (; *tries != NULL; tries++) {
        snprintf(path, sizeof path, "%s/%s", exe, *tries);
        if (realpath(path, out) != NULL)
            return out;
    }
    return NULL;
}

const char *cli_guest_tool(char out[PATH_MAX])
{
    static const char *const tries[] = {"libexec/holdfast-guest",
                                        "../libexec/holdfast/holdfast-guest", NULL};
    return locate("HF_GUEST_TOOL", tries, out);
}

const char *cli_guest_sdk(char out[PATH_MAX])
{
    static const char *const tries[] = {"share/guest", "../share/holdfast/guest", NULL};
    return locate("HF_GUEST_SDK", tries, out);
}
