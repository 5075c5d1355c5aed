/* load_test.c - 64 kept connections ask for everything at once while services are applied, deployed and rolled back: no request
 * fails, and each answer is of one version, which was not over when the request was sent.
 *
 * HF_ROUNDS=100 for the long run (the number of applies; a fifth as many deploys and rollbacks go between them).
 */
#include "support.h"

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 64
#define CHANGES_MAX 4096
#define ECHO_MAX    (100 * 1024)

struct served { /* a service's versions, one after the other */
    char digit[CHANGES_MAX];
    _Atomic unsigned settled; /* what was sent when this was read is answered by it or a later one */
    _Atomic unsigned trying;  /* nothing is answered by a later one yet */
};

struct load {
    struct node n;
    struct served s, t;
    _Atomic bool stop;
    _Atomic unsigned long answers, kinds[6];
    pthread_mutex_t lock;
    unsigned failures; /* and the first of them: */
    char what[256];
};

struct client {
    struct load *load;
    pthread_t thread;
    uint64_t seed;
    int fd;
    char *body, *got;
};

static uint64_t rnd(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void failed(struct load *l, const char *path, int status, const char *why)
{
    pthread_mutex_lock(&l->lock);
    if (l->failures++ == 0)
        snprintf(l->what, sizeof l->what, "%s: status %d: %.180s", path, status, why);
    pthread_mutex_unlock(&l->lock);
}

/* Is `text` so many times "version-D", of one that may have answered what was sent at `since`? */
static bool right_version(const struct served *s, unsigned since, const char *text, size_t len, unsigned times)
{
    unsigned until = s->trying;
    if (len < 9u * times)
        return false;
    for (unsigned i = 0; i < times; i++)
        if (memcmp(text + 9 * (size_t)i, text, 9) != 0)
            return false;
    if (memcmp(text, "version-", 8) != 0)
        return false;
    for (unsigned k = since; k <= until; k++)
        if (s->digit[k] == text[8])
            return true;
    return false;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void echo(struct client *c)
{
    struct load *l = c->load;
    char head[256], version[64] = "";
    size_t len = rnd(&c->seed) % (rnd(&c->seed) % 8 == 0 ? ECHO_MAX : 2000);
    unsigned since = l->s.settled;
    for (size_t i = 0; i < len; i++)
        c->body[i] = (char)('a' + (c->seed + i * 7) % 26);
    int n = snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    bool sent = send_all(c->fd, head, (size_t)n) && send_all(c->fd, c->body, len);
    int status = http_read_with(c->fd, c->got, ECHO_MAX + 1, "x-version", version);
    if (!sent || status != 200)
        failed(l, "/echo", status, c->got);
    else if (strlen(c->got) != len || memcmp(c->got, c->body, len) != 0)
        failed(l, "/echo", status, "another body came back");
    else if (!right_version(&l->s, since, version, strlen(version), 1))
        failed(l, "/echo", status, version);
}

static void get(struct client *c, const char *path, const struct served *s, unsigned times)
{
    unsigned since = s->settled;
    http_send(c->fd, "GET", path, NULL);
    int status = http_read(c->fd, c->got, ECHO_MAX);
    if (status != 200 || !right_version(s, since, c->got, strlen(c->got), times))
        failed(c->load, path, status, c->got);
}

static void *ask(void *arg)
{
    struct client *c = arg;
    struct load *l = c->load;
    c->fd = http_open(&l->n);
    while (!l->stop && l->failures == 0) {
        unsigned kind = (unsigned)(rnd(&c->seed) % 6);
        switch (kind) {
        case 0: get(c, "/", &l->s, 1); break;
        case 1: get(c, "/count", &l->s, 1); break;
        case 2: get(c, "/slow", &l->s, 1); break;
        case 3: get(c, "/stream", &l->s, 5); break;
        case 4: get(c, "/t", &l->t, 1); break;
        default: echo(c);
        }
        l->answers++;
        l->kinds[kind]++;
    }
    close(c->fd);
    return NULL;
}

/* ---- changes ---- */

static void begin(struct served *s, char digit)
{
    s->digit[s->trying + 1] = digit;
    s->trying++;
    assert_true(s->trying + 1 < CHANGES_MAX);
}

static void end(struct load *l, struct served *s, enum hf_status st)
{
    if (st != HF_STATUS_OK)
        fail_msg("change %u: %s", s->trying, l->n.msg.text);
    s->settled = s->trying;
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static struct hf_service_options service(const char *name, const char *path, const char *prefix)
{
    struct hf_service_options so;
    hf_service_options_init(&so);
    so.name = name;
    so.path = path;
    so.prefix = prefix;
    return so;
}

static void round_of(struct load *l, unsigned i, struct hf_service_options so[2], unsigned rounds)
{
    char digit = (char)('1' + i % 9);
    struct served *s = i % 3 == 2 ? &l->t : &l->s;
    begin(s, digit);
    node_file(&l->n, s == &l->s ? "s.wasm" : "t.wasm", version_of(digit));
    so[0].instances = i % 10 < 7 ? HF_INSTANCES_REUSE : HF_INSTANCES_PER_REQUEST;
    end(l, s, hf_node_apply(l->n.node, so, 2, &l->n.msg));
    if (i % 5 == 4 && i < rounds) { /* three changes of one service that the options do not know of */
        struct bytes b = version_of((char)('1' + (i + 4) % 9));
        begin(s, (char)('1' + (i + 4) % 9));
        end(l, s, hf_node_deploy(l->n.node, s == &l->s ? "s" : "t", b.ptr, b.len, &l->n.msg));
        free(b.ptr);
        begin(s, digit);
        end(l, s, hf_node_rollback(l->n.node, s == &l->s ? "s" : "t", &l->n.msg));
        struct bytes rubbish = {strdup("rubbish"), 7};
        assert_int_equal(hf_node_deploy(l->n.node, "s", rubbish.ptr, rubbish.len, &l->n.msg), HF_STATUS_INVALID);
        free(rubbish.ptr);
    }
}

static void under_load_no_request_is_lost(void **state)
{
    static struct load l; /* the clients' */
    struct client clients[CONNECTIONS];
    char path[512], s[256], t[256];
    const char *env = getenv("HF_ROUNDS");
    unsigned rounds = env != NULL ? (unsigned)atoi(env) : 20;
    (void)state;
    if (!guest("c-versions", path)) {
        printf("SKIP: under_load_no_request_is_lost: guests are not built\n");
        skip();
    }
    memset(&l, 0, sizeof l);
    pthread_mutex_init(&l.lock, NULL);
    node_init(&l.n);
    node_open(&l.n);
    snprintf(s, sizeof s, "%s", node_file(&l.n, "s.wasm", version_of('9')));
    snprintf(t, sizeof t, "%s", node_file(&l.n, "t.wasm", version_of('9')));
    struct hf_service_options so[2] = {service("s", s, "/"), service("t", t, "/t")};
    so[1].instances = HF_INSTANCES_SINGLETON;
    l.s.digit[0] = l.t.digit[0] = '9';
    expect(&l.n, hf_node_apply(l.n.node, so, 2, &l.n.msg), HF_STATUS_OK, "");
    node_run(&l.n);
    unsigned files = open_files();
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        clients[i] = (struct client){.load = &l, .seed = 0x9e3779b97f4a7c15u * (i + 1), .body = malloc(ECHO_MAX), .got = malloc(ECHO_MAX + 1)};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask, &clients[i]), 0);
    }
    for (unsigned i = 0; i < rounds && l.failures == 0; i++) {
        unsigned long before = l.answers;
        round_of(&l, i, so, rounds);
        while (l.answers < before + CONNECTIONS && l.failures == 0)
            usleep(1000); /* everybody goes on, between changes too */
    }
    l.stop = true;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        pthread_join(clients[i].thread, NULL);
        free(clients[i].body);
        free(clients[i].got);
    }
    printf("%lu answers during %u changes (of each kind %lu %lu %lu %lu %lu %lu)\n", l.answers, l.s.trying + l.t.trying, l.kinds[0],
           l.kinds[1], l.kinds[2], l.kinds[3], l.kinds[4], l.kinds[5]);
    if (l.failures != 0)
        fail_msg("%u failed: %s", l.failures, l.what);
    for (int i = 0; i < 6; i++)
        assert_true(l.kinds[i] > 0);
    http_expect(&l.n, "/", (char[]){'v', 'e', 'r', 's', 'i', 'o', 'n', '-', l.s.digit[l.s.trying], 0});
    /* Connections of clients that have left, and code of components that are gone: a component has three files open. What is
     * kept for rollbacks is one more a service. */
    for (int i = 0; open_files() > files + 12 && i < 3000; i++)
        usleep(1000);
    assert_true(open_files() <= files + 12);
    node_close(&l.n);
    pthread_mutex_destroy(&l.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(under_load_no_request_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
