/* request_bench.c - whole requests through a node as fixed programs for bench/instructions: what one
 * takes from the socket through the guest and back.
 *
 *   request_bench --list       names
 *   request_bench --run NAME   serves with one worker on this thread (callgrind counts what
 * hf_worker_run does), asks from another, prints how many requests were answered
 *
 * The rows message-* are one request to a process that then sends MESSAGES to another one: what a
 * request and its response between two guests take.
 *
 * CONNS requests are asked for in one go and then awaited, so that a turn of the loop has about as
 * many in hand as under load. The server behind the proxy is a third thread, of which nothing is
 * counted.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "holdfast/holdfast.h"

#define CONNS  16
#define ROUNDS 200
#define MESSAGES "2000"

static const struct {
    const char *name, *guest;
    enum hf_instances instances;
    const char *messages; /* path of the one request; NULL: many */
} rows[] = {
    {"request-hello", "c-hello", HF_INSTANCES_REUSE, NULL},
    {"request-fresh", "c-hello", HF_INSTANCES_PER_REQUEST, NULL},
    {"request-proxy", "c-proxy", HF_INSTANCES_REUSE, NULL},
    {"message-ask", "c-bounce", HF_INSTANCES_REUSE, "/ask/" MESSAGES "/64"},
    {"message-send", "c-bounce", HF_INSTANCES_REUSE, "/send/" MESSAGES "/64"},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "request_bench: %s\n", what);
    exit(1);
}

static int connect_to(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0, "no connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* ---- the server behind ---- Heads are small here and come in one piece. */

static void *behind(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nServer: behind\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                 "Content-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\nHello from C\n";
    int listener = *(int *)arg, poll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, ready[64];
    must(poll >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e) == 0, "no epoll");
    for (;;) {
        int n = epoll_wait(poll, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            char text[4096];
            int fd = ready[i].data.fd;
            if (fd == listener) {
                e.data.fd = accept(listener, NULL, NULL);
                if (e.data.fd >= 0)
                    (void)!epoll_ctl(poll, EPOLL_CTL_ADD, e.data.fd, &e);
            } else if (read(fd, text, sizeof text) <= 0) {
                close(fd);
            } else {
                must(write(fd, answer, sizeof answer - 1) == (ssize_t)sizeof answer - 1, "the server behind cannot write");
            }
        }
    }
    return NULL;
}

static int start_behind(void)
{
    static int listener; /* the thread's, until the end */
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    pthread_t thread;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 64) == 0 &&
             getsockname(listener, (struct sockaddr *)&a, &len) == 0 && pthread_create(&thread, NULL, behind, &listener) == 0,
         "no server behind");
    pthread_detach(thread);
    return ntohs(a.sin_port);
}

/* ---- the client ---- */

struct asker {
    struct hf_node *node;
    int port;
    const char *messages; /* as in the row */
    unsigned answered;
};

static void await(int fd, const char *end)
{
    char text[4096];
    size_t len = 0;
    ssize_t n;
    do {
        n = read(fd, text + len, sizeof text - 1 - len);
        must(n > 0, "the server closed");
        len += (size_t)n;
        text[len] = 0;
    } while (strstr(text, end) == NULL);
    must(strncmp(text, "HTTP/1.1 200 ", 13) == 0, text);
}

static void *ask(void *arg)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"; /* as wrk asks */
    struct asker *a = arg;
    int fds[CONNS];
    for (int i = 0; i < CONNS; i++)
        fds[i] = connect_to(a->port);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNS; i++)
            must(write(fds[i], request, sizeof request - 1) == (ssize_t)sizeof request - 1, "cannot ask");
        for (int i = 0; i < CONNS; i++, a->answered++)
            await(fds[i], "Hello from C\n");
    }
    for (int i = 0; i < CONNS; i++)
        close(fds[i]);
    hf_node_stop(a->node);
    return NULL;
}

/* One request, which makes MESSAGES of them. */
static void *ask_once(void *arg)
{
    struct asker *a = arg;
    char request[128];
    int fd = connect_to(a->port), n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", a->messages);
    must(write(fd, request, (size_t)n) == n, "cannot ask");
    await(fd, "\r\n\r\n" MESSAGES " ");
    a->answered = (unsigned)atoi(MESSAGES);
    close(fd);
    hf_node_stop(a->node);
    return NULL;
}

/* The classes that examples/c/bounce wants beside itself. */
static void add_processes(struct hf_node *node, const char *path)
{
    static const char *const all[] = {"*", NULL}, *const names[] = {"drive", "peer"}, *const paths[] = {"/", "/peer"};
    const struct hf_process_options process = {.sends = all};
    struct hf_service_options so;
    struct hf_words msg;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hf_service_options_init(&so);
        so.path = path;
        so.name = names[i];
        so.prefix = paths[i];
        so.kind = HF_KIND_HANDLER;
        so.process = &process;
        must(hf_node_add_service(node, &so, &msg) == HF_STATUS_OK, msg.text);
    }
}

static unsigned run(size_t row)
{
    const char *dir = getenv("HF_GUESTS");
    char path[512], upstream[64], grant[64], bound[128];
    int port = start_behind();
    snprintf(path, sizeof path, "%s/%s.wasm", dir != NULL ? dir : "build/guests", rows[row].guest);
    snprintf(upstream, sizeof upstream, "UPSTREAM=http://127.0.0.1:%d", port);
    snprintf(grant, sizeof grant, "127.0.0.1:%d", port);
    const char *const env[] = {upstream, NULL}, *const outbound[] = {grant, NULL};
    struct hf_words msg;
    struct hf_node_options no;
    struct hf_service_options so;
    struct asker a = {0};
    pthread_t thread;
    hf_node_options_init(&no);
    no.workers = 1;
    no.quiet = true;
    no.instances_max = 6;  /* callgrind has no more address space */
    no.resident_max = 4;  /* both processes stay: what is counted is messages, not evictions */
    must(hf_node_open(&no, &a.node, &msg) == HF_STATUS_OK, msg.text);
    hf_service_options_init(&so);
    so.path = path;
    so.instances = rows[row].instances;
    so.env = env;
    so.outbound = outbound;
    so.max = 2;
    if (rows[row].messages != NULL)
        add_processes(a.node, path);
    else
        must(hf_node_add_service(a.node, &so, &msg) == HF_STATUS_OK, msg.text);
    a.messages = rows[row].messages;
    must(hf_node_listen(a.node, "127.0.0.1:0", bound, &msg) == HF_STATUS_OK, msg.text);
    a.port = atoi(strrchr(bound, ':') + 1);
    must(pthread_create(&thread, NULL, a.messages != NULL ? ask_once : ask, &a) == 0, "no thread");
    must(hf_node_run(a.node, &msg) == HF_STATUS_OK, msg.text);
    pthread_join(thread, NULL);
    hf_node_close(a.node);
    return a.answered;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < N_ROWS; i++)
            printf("%s\n", rows[i].name);
        return 0;
    }
    for (size_t i = 0; argc == 3 && strcmp(argv[1], "--run") == 0 && i < N_ROWS; i++)
        if (strcmp(argv[2], rows[i].name) == 0) {
            printf("%u\n", run(i));
            return 0;
        }
    fprintf(stderr, "usage: request_bench --list | --run NAME\n");
    return 2;
}
