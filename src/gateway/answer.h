/* answer.h - from what the kernel says to what the client is told, whatever HTTP version it speaks.
 *
 * A reply is either a head and a body that somebody made, or a page of ours: a status and one
 * sentence, without anything about the inside of the server. What the log should know besides is in
 * `detail`.
 */
#ifndef HF_GATEWAY_ANSWER_H
#define HF_GATEWAY_ANSWER_H

#include "base/head.h"
#include "kernel/port.h"

struct hf_reply {
    uint16_t status;
    const char *how;  /* for the access log, static */
    const char *text; /* the page's sentence, static; NULL: not a page */
    bool retry;       /* Retry-After: 1 goes with it */
    bool close;       /* the head asked for the end of the connection */
    bool named;       /* the head has a Connection field */
    bool has_length;  /* the head declares a length */
    uint64_t length;
    struct hf_head head;  /* views into bytes */
    struct hf_buf bytes;  /* the encoded head */
    struct hf_buf detail; /* text for the log, or empty */
    struct hf_blob *blob; /* the body; NULL: none */
};

/* Takes body and blob out of the answer. What is not a good answer becomes a page. */
void hf_reply_of_answer(struct hf_reply *r, struct hf_answer *answer);
/* A page; what was in *r is let go. `how` and `text` are static. */
void hf_reply_page(struct hf_reply *r, uint16_t status, const char *how, const char *text);
void hf_reply_done(struct hf_reply *r);

#endif
