/* support.c - see support.h. */
#include "support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

bool guest(const char *name, char out[512])
{
    const char *dir = getenv("HF_GUESTS");
    snprintf(out, 512, "%s/%s.wasm", dir != NULL ? dir : "build/guests", name);
    return access(out, R_OK) == 0;
}

struct bytes file_read(const char *path)
{
    struct bytes b = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    b.len = (size_t)ftell(f);
    rewind(f);
    b.ptr = malloc(b.len + 1);
    assert_non_null(b.ptr);
    assert_int_equal(fread(b.ptr, 1, b.len, f), b.len);
    fclose(f);
    return b;
}

void file_write(const char *path, struct bytes b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
}

struct bytes version_of(char digit)
{
    char path[512];
    assert_true(guest("c-versions", path));
    struct bytes b = file_read(path);
    char *at = memmem(b.ptr, b.len, "version-1", 9);
    assert_non_null(at);
    at[8] = digit;
    return b;
}

/* ---- the node ---- */

void node_init(struct node *n)
{
    memset(n, 0, sizeof *n);
    hf_node_options_init(&n->options);
    n->options.workers = 2;
    n->options.quiet = true;
    strcpy(n->dir, "/tmp/hf-node-test-XXXXXX");
    assert_non_null(mkdtemp(n->dir));
}

/* cmocka takes the engine's handlers away after each test, and they come once a process. */
static void keep_signals(void)
{
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    static struct sigaction kept[4];
    static bool have;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(sigaction(signals[i], have ? &kept[i] : NULL, have ? NULL : &kept[i]), 0);
    have = true;
}

void node_open(struct node *n)
{
    if (hf_node_open(&n->options, &n->node, &n->msg) != HF_STATUS_OK)
        fail_msg("open: %s", n->msg.text);
    keep_signals();
}

static void *run(void *arg)
{
    struct node *n = arg;
    struct hf_words msg;
    n->status = hf_node_run(n->node, &msg);
    return NULL;
}

void node_listen(struct node *n)
{
    if (hf_node_listen(n->node, "127.0.0.1:0", n->bound, &n->msg) != HF_STATUS_OK)
        fail_msg("listen: %s", n->msg.text);
}

void node_run(struct node *n)
{
    if (n->bound[0] == 0)
        node_listen(n);
    assert_int_equal(pthread_create(&n->thread, NULL, run, n), 0);
    n->runs = true;
}

void node_stop(struct node *n)
{
    if (!n->runs)
        return;
    hf_node_stop(n->node);
    pthread_join(n->thread, NULL);
    n->runs = false;
}

void node_close(struct node *n)
{
    char path[512];
    node_stop(n);
    assert_int_equal(n->status, HF_STATUS_OK);
    hf_node_close(n->node);
    DIR *d = opendir(n->dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", n->dir, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(n->dir);
}

const char *node_file(struct node *n, const char *name, struct bytes b)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", n->dir, name);
    file_write(path, b);
    free(b.ptr);
    return path;
}

void expect(struct node *n, enum hf_status st, enum hf_status want, const char *words)
{
    if (st != want || strstr(n->msg.text, words) == NULL)
        fail_msg("status %d with \"%s\", wanted %d with \"%s\"", st, n->msg.text, want, words);
}

/* ---- HTTP ---- */

int http_open(const struct node *n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strrchr(n->bound, ':') + 1))};
    struct timeval patience = {.tv_sec = 60};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

void http_send(int fd, const char *method, const char *path, const char *body)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path);
    if (body != NULL)
        len += snprintf(text + len, sizeof text - (size_t)len, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        len += snprintf(text + len, sizeof text - (size_t)len, "\r\n");
    assert_true(len < (int)sizeof text);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

static bool read_n(int fd, char *out, size_t n)
{
    while (n > 0) {
        ssize_t got = read(fd, out, n);
        if (got <= 0)
            return false;
        out += got;
        n -= (size_t)got;
    }
    return true;
}

/* Without its end. Byte by byte: what follows is another call's. */
static bool read_line(int fd, char *line, size_t size)
{
    for (size_t n = 0; n + 1 < size && read_n(fd, &line[n], 1);)
        if (line[n++] == '\n') {
            line[n - 2] = 0;
            return true;
        }
    return false;
}

int http_read_with(int fd, char *body, size_t size, const char *field, char value[64])
{
    char line[1024];
    size_t at = 0, length = 0, name = field != NULL ? strlen(field) : 0;
    bool chunked = false;
    int status;
    body[0] = 0;
    if (!read_line(fd, line, sizeof line) || sscanf(line, "HTTP/1.1 %d", &status) != 1)
        return 0;
    while (read_line(fd, line, sizeof line) && line[0] != 0) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = (size_t)atol(line + 15);
        chunked |= strncasecmp(line, "transfer-encoding:", 18) == 0;
        if (name > 0 && strncasecmp(line, field, name) == 0 && line[name] == ':')
            snprintf(value, 64, "%.60s", line + name + 2);
    }
    do {
        if (chunked && (!read_line(fd, line, sizeof line) || sscanf(line, "%zx", &length) != 1))
            return 0;
        assert_true(at + length < size);
        if (!read_n(fd, body + at, length) || (chunked && !read_n(fd, line, 2)))
            return 0;
        at += length;
    } while (chunked && length > 0);
    body[at] = 0;
    return status;
}

int http_read(int fd, char *body, size_t size)
{
    return http_read_with(fd, body, size, NULL, NULL);
}

int http_ask(const struct node *n, const char *path, char *body, size_t size)
{
    int fd = http_open(n);
    http_send(fd, "GET", path, NULL);
    int status = http_read(fd, body, size);
    close(fd);
    return status;
}

void http_expect(const struct node *n, const char *path, const char *body)
{
    char got[4096];
    int status = http_ask(n, path, got, sizeof got);
    if (status != 200 || strcmp(got, body) != 0)
        fail_msg("%s: %d \"%s\", wanted \"%s\"", path, status, got, body);
}
