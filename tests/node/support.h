/* support.h - a running node for tests: guests, files with other versions of them, plain HTTP. */
#ifndef HF_TESTS_NODE_SUPPORT_H
#define HF_TESTS_NODE_SUPPORT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "holdfast/holdfast.h"

/* The path of a built guest; false: its toolchain is not here. */
bool guest(const char *name, char out[512]);

struct bytes {
    char *ptr;
    size_t len;
};
struct bytes file_read(const char *path);
void file_write(const char *path, struct bytes b);
/* c-versions whose version is that digit. */
struct bytes version_of(char digit);

struct node {
    struct hf_node *node;
    struct hf_node_options options; /* set before node_open */
    char dir[64];                   /* of files, gone with it */
    char bound[128];
    pthread_t thread;
    bool runs;
    enum hf_status status;
    struct hf_words msg;
};
void node_init(struct node *n); /* quiet, two workers */
void node_open(struct node *n);
void node_run(struct node *n); /* listens, unless it does already, and runs on a thread of its own */
void node_listen(struct node *n);
void node_stop(struct node *n); /* waits for its end; status says which */
void node_close(struct node *n); /* stops, expects OK */
/* DIR/name with these bytes; lent until the next call. */
const char *node_file(struct node *n, const char *name, struct bytes b);
/* Expects `st`, and `words` in the message. */
void expect(struct node *n, enum hf_status st, enum hf_status want, const char *words);

int http_open(const struct node *n);
void http_send(int fd, const char *method, const char *path, const char *body);
/* Reads one answer; returns its status, 0 when there is none. Bodies: a length, or chunked. */
int http_read(int fd, char *body, size_t size);
int http_read_with(int fd, char *body, size_t size, const char *field, char value[64]); /* and that field, if it is there */
int http_ask(const struct node *n, const char *path, char *body, size_t size);
/* Asks, and expects a 200 with this body. */
void http_expect(const struct node *n, const char *path, const char *body);

#endif
