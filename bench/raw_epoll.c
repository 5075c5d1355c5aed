/* raw_epoll.c - the yardstick: the least a server can do on this machine with our parser.
 *
 * One thread, epoll, llhttp, a fixed answer; no routes, no limits, no deadlines, no bodies. What
 * the gateway and the kernel cost is what they take beyond this.
 *
 *     raw_epoll PORT [BYTES]     answers every request with BYTES bytes (12, "hello, world", when
 * not given)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <llhttp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 65536
#define READ_MAX  (16 * 1024)

struct conn {
    llhttp_t parser;
    unsigned complete; /* requests seen in this read */
};
struct answer {
    char *bytes;
    size_t len;
};

static int on_complete(llhttp_t *parser)
{
    struct conn *c = parser->data;
    c->complete++;
    return 0;
}

static const llhttp_settings_t settings = {.on_message_complete = on_complete};

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int listen_on(uint16_t port)
{
    const int on = 1;
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 1024) != 0)
        return -1;
    return fd;
}

static struct answer make_answer(size_t body)
{
    static const char hello[] = "hello, world";
    struct answer a = {malloc(body + 128), 0};
    if (a.bytes == NULL)
        return a;
    int head = snprintf(a.bytes, 128, "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n", body);
    for (size_t i = 0; i < body; i++)
        a.bytes[(size_t)head + i] = hello[i % (sizeof hello - 1)];
    a.len = (size_t)head + body;
    return a;
}

static void accept_all(int ep, int listener, struct conn **conns)
{
    const int on = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
        struct conn *c = fd < CONNS_MAX ? calloc(1, sizeof *c) : NULL;
        if (c == NULL) {
            close(fd);
            continue;
        }
        llhttp_init(&c->parser, HTTP_REQUEST, &settings);
        c->parser.data = c;
        conns[fd] = c;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

/* False: the connection is over. A yardstick for small answers: a full socket buffer ends it too.
 */
static bool serve(int fd, struct conn *c, const struct answer *answer)
{
    static char in[READ_MAX];
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n < 0 && errno == EAGAIN)
        return true;
    c->complete = 0;
    if (n <= 0 || llhttp_execute(&c->parser, in, (size_t)n) != HPE_OK)
        return false;
    for (; c->complete > 0; c->complete--)
        for (size_t at = 0; at < answer->len;) {
            ssize_t out = send(fd, answer->bytes + at, answer->len - at, MSG_NOSIGNAL);
            if (out < 0 && errno != EAGAIN)
                return false;
            at += out > 0 ? (size_t)out : 0;
        }
    return true;
}

int main(int argc, char **argv)
{
    static struct conn *conns[CONNS_MAX];
    if (argc < 2) {
        fprintf(stderr, "usage: raw_epoll PORT [BYTES]\n");
        return 2;
    }
    int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct answer answer = make_answer(argc > 2 ? strtoul(argv[2], NULL, 10) : 12);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || ep < 0 || answer.bytes == NULL ||
        epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
        return fail("raw_epoll");
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(ep, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(ep, listener, conns);
            } else if (!serve(fd, conns[fd], &answer)) {
                free(conns[fd]);
                conns[fd] = NULL;
                close(fd);
            }
        }
    }
}
