/* support_net.h - for tests of wasi:sockets: addresses as values, sockets of a script in few words,
 * and the other side as plain sockets of the test, which a script may use directly (they block, at
 * most ten seconds). Loopback only.
 */
#ifndef HF_TESTS_HOST_SUPPORT_NET_H
#define HF_TESTS_HOST_SUPPORT_NET_H

#include "host/net_int.h"
#include "support.h"

#define CODE_OK (-1)
static inline int code(const struct hf_value *r) /* of a result<_, error-code> */
{
    return r->tag == 0 ? CODE_OK : (int)r->items[0].tag;
}
#define CODE(want, name, ...)                                                                      \
    do {                                                                                           \
        struct hf_value *code_ = guest_call(t, name, ARGS(__VA_ARGS__));                           \
        if (code_ == NULL)                                                                         \
            return;                                                                                \
        CHECK_INT(code(code_), want);                                                              \
    } while (0)
#define OK(name, ...) CODE(CODE_OK, name, ##__VA_ARGS__)

/* Values of ip-socket-address; good until 64 more were made. */
struct hf_value at4(unsigned a, unsigned b, unsigned c, unsigned d, uint16_t port);
struct hf_value at6(const char *text, uint16_t port);
static inline struct hf_value loop(int family, uint16_t port)
{
    return family == 4 ? at4(127, 0, 0, 1, port) : at6("::1", port);
}
struct hf_value some(struct hf_value v); /* option; the same */
struct hf_value none(void);
uint16_t port_of(const struct hf_value *address); /* of an ip-socket-address */

/* Handles; 0: the script must end (guest_failed or t->err says why). */
uint32_t network(struct guest *t);
uint32_t tcp_new(struct guest *t, int family);
uint32_t udp_new(struct guest *t, int family);
bool udp_bind(struct guest *t, uint32_t udp, struct hf_value at);
uint32_t listener(struct guest *t, int family, uint16_t *port); /* on loopback, a free port */
struct pair { /* of streams, with the socket's handle */
    uint32_t socket, in, out;
};
bool connect_to(struct guest *t, struct hf_value at, int family, struct pair *ret); /* waits */
bool accept_from(struct guest *t, uint32_t listener, struct pair *ret);             /* waits */
bool wait_for(struct guest *t, const char *subscribe, uint32_t handle); /* subscribe, block, drop */
bool is_ready(struct guest *t, const char *subscribe, uint32_t handle, bool *ready);
bool drop_pair(struct guest *t, struct pair *p);
bool send_text(struct guest *t, uint32_t out, const char *text); /* blocking-write-and-flush */
/* Exactly this text comes; true. */
bool expect_text(struct guest *t, uint32_t in, const char *text);

/* The test's own end; -1 and an errno never come back: they abort. */
int peer_listen(int family, int backlog, uint16_t *port);
int peer_connect(int family, uint16_t port);
int peer_accept(int fd);
void peer_reset(int fd); /* closes with a reset */
size_t open_fds(void);   /* of the process */

#endif
