/*
 * Passes a request's body on over TCP and answers with what comes back: POST /PORT talks to that
 * port of this machine. Runs only where somebody grants it:
 *
 *     holdfast serve relay.wasm --net connect:loopback:7000
 *
 * The host moves the bytes (splice); a server that does not read holds the request up, nothing more.
 */
#include "holdfast_http.h"

#include <string.h>

struct connection {
    wasi_sockets_tcp_create_socket_own_tcp_socket_t socket;
    wasi_io_streams_own_input_stream_t in;
    wasi_io_streams_own_output_stream_t out;
};

static uint16_t port_of(const char *path)
{
    unsigned port = 0;
    for (const char *c = path + (path[0] == '/'); *c >= '0' && *c <= '9' && port < 65536; c++)
        port = port * 10 + (unsigned)(*c - '0');
    return port < 65536 ? (uint16_t)port : 0;
}

static void wait_for(wasi_sockets_tcp_borrow_tcp_socket_t socket)
{
    wasi_io_poll_own_pollable_t ready = wasi_sockets_tcp_method_tcp_socket_subscribe(socket);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
}

/* To 127.0.0.1:port. False: *code says why not, nothing is left open. */
static bool connect_to(uint16_t port, struct connection *c, wasi_sockets_network_error_code_t *code)
{
    wasi_sockets_network_ip_socket_address_t to = {
        .tag = WASI_SOCKETS_NETWORK_IP_SOCKET_ADDRESS_IPV4,
        .val.ipv4 = {.port = port, .address = {127, 0, 0, 1}},
    };
    wasi_sockets_tcp_tuple2_own_input_stream_own_output_stream_t streams;
    if (!wasi_sockets_tcp_create_socket_create_tcp_socket(WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4,
                                                          &c->socket, code))
        return false;
    wasi_sockets_tcp_borrow_tcp_socket_t socket = wasi_sockets_tcp_borrow_tcp_socket(c->socket);
    wasi_sockets_network_own_network_t network = wasi_sockets_instance_network_instance_network();
    bool fine = wasi_sockets_tcp_method_tcp_socket_start_connect(
        socket, wasi_sockets_network_borrow_network(network), &to, code);
    if (fine)
        wait_for(socket);
    fine = fine && wasi_sockets_tcp_method_tcp_socket_finish_connect(socket, &streams, code);
    wasi_sockets_network_network_drop_own(network);
    if (!fine) {
        wasi_sockets_tcp_tcp_socket_drop_own(c->socket);
        return false;
    }
    c->in = streams.f0;
    c->out = streams.f1;
    return true;
}

static void disconnect(struct connection *c)
{
    wasi_io_streams_input_stream_drop_own(c->in);
    wasi_io_streams_output_stream_drop_own(c->out);
    wasi_sockets_tcp_tcp_socket_drop_own(c->socket);
}

/* Until `from` ends. False: one of the two broke. */
static bool move_all(wasi_io_streams_own_output_stream_t to, wasi_io_streams_own_input_stream_t from)
{
    uint64_t moved;
    wasi_io_streams_stream_error_t error;
    while (wasi_io_streams_method_output_stream_blocking_splice(
        wasi_io_streams_borrow_output_stream(to), wasi_io_streams_borrow_input_stream(from), 1024 * 1024,
        &moved, &error))
        ;
    bool ended = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
    wasi_io_streams_stream_error_free(&error);
    return ended;
}

static void answer(struct connection *c, hf_outparam out)
{
    struct hf_reply reply;
    if (!hf_reply_start(&reply, out, 200, NULL, 0)) {
        wasi_http_types_response_outparam_drop_own(out);
        return;
    }
    if (move_all(reply.stream, c->in))
        (void)hf_reply_end(&reply);
    else
        hf_reply_abandon(&reply);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[16], text[] = "error code 00\n";
    struct connection c;
    struct hf_body body;
    wasi_sockets_network_error_code_t code = 0;
    wasi_sockets_tcp_error_code_t shut;

    hf_request_path(request, path, sizeof(path));
    if (!hf_body_open(&body, request)) {
        hf_reply_text(out, 500, "the body was taken already\n");
        wasi_http_types_incoming_request_drop_own(request);
        return;
    }
    if (!connect_to(port_of(path), &c, &code)) {
        text[11] = (char)('0' + code / 10);
        text[12] = (char)('0' + code % 10);
        hf_reply_text(out, 502, text);
    } else {
        if (move_all(c.out, body.stream))
            (void)wasi_sockets_tcp_method_tcp_socket_shutdown(wasi_sockets_tcp_borrow_tcp_socket(c.socket),
                                                              WASI_SOCKETS_TCP_SHUTDOWN_TYPE_SEND, &shut);
        answer(&c, out);
        disconnect(&c);
    }
    hf_body_close(&body);
    wasi_http_types_incoming_request_drop_own(request);
}
