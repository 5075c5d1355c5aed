/* linux_sock.h - what linux_sock.c and linux_sock_io.c share; contracts are those of struct hf_net
 * (net.h). */
#ifndef HF_OS_LINUX_SOCK_H
#define HF_OS_LINUX_SOCK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/net.h"

struct hf_sock_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } u;
    socklen_t len;
};
enum hf_net_err hf_sock_err(int number); /* for an errno */
void hf_sock_addr_of(const struct hf_endpoint *e, struct hf_sock_addr *ret);
bool hf_sock_endpoint_of(const struct hf_sock_addr *a,
                         struct hf_endpoint *ret); /* false: another family */

enum hf_net_err hf_sock_read(struct hf_net *net, int fd, void *buf, size_t len, size_t *n);
enum hf_net_err hf_sock_write(struct hf_net *net, int fd, const void *buf, size_t len, size_t *n);
enum hf_net_err hf_sock_shutdown(struct hf_net *net, int fd, bool in, bool out);
enum hf_net_err hf_sock_receive(struct hf_net *net, int fd, void *buf, size_t len, size_t *n,
                                struct hf_endpoint *from);
enum hf_net_err hf_sock_send(struct hf_net *net, int fd, const void *buf, size_t len,
                             const struct hf_endpoint *to);
enum hf_net_err hf_sock_lookup(struct hf_net *net, const char *name, struct hf_ip *ret, size_t max,
                               size_t *n);

#endif
