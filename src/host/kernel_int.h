/* kernel_int.h - holdfast:kernel inside the host room: blobs as handles, messages as values. Internal to the room.
 *
 * The rules are the kernel's (kernel/message.h, doc/kernel.md); here they get a shape that guests can call
 * (wit/kernel-0.1.0.wit). Nothing here keeps a copy of a body: values point at the message, which lives as long as it is
 * current or nested, and are lowered before anything can end it.
 */
#ifndef HF_HOST_KERNEL_INT_H
#define HF_HOST_KERNEL_INT_H

#include "component/direct.h"
#include "host/service_int.h"
#include "kernel/message.h"

#define HF_KERNEL_WIT "holdfast:kernel/"
#define HF_KERNEL_WIT_VERSION "@0.1.0"

/* ---- blobs (host_blob.c) ---- */
struct hf_guest_blob {
    struct hf_obj obj;
    struct hf_blob *blob;
    uint64_t made; /* what it counts in hf_mail.made */
};
/* Takes the caller's reference, also on failure; NULL: memory out. */
struct hf_guest_blob *hf_guest_blob_new(struct hf_guest *g, struct hf_blob *blob);
/* Takes the reference out of an own<blob> argument and releases the handle's object. */
struct hf_blob *hf_guest_blob_consume(struct hf_guest_blob *b);
/* option<blob-info>: v has room for three. */
struct hf_value hf_blob_info_value(const struct hf_blob *blob, struct hf_value *v);

/* ---- messages as values (message_value.c) ---- */
/* How many values one message needs at most. */
size_t hf_message_values(const struct hf_message *m);
/* The WIT's `message`; `v` has room for hf_message_values. */
struct hf_value hf_message_value(const struct hf_message *m, uint64_t now_ns, struct hf_value *v);
/* Its `request`, for one that is a request (or nested). */
struct hf_value hf_request_value(const struct hf_message *m, uint64_t now_ns, struct hf_value *v);
uint32_t hf_error_kind_tag(enum hf_answer_kind kind); /* of the WIT's error-kind */

/* result<payload, refusal>; payload may be NULL. HF_OK, or the trap of hf_call_limit. */
enum hf_err hf_said_result(struct hf_call *call, enum hf_said said, const struct hf_value *payload, struct hf_value *result);
/* What `ask` got, as a message that looks into *asked and `target`. */
struct hf_message hf_asked_message(uint64_t id, struct hf_view target, const struct hf_asked *asked);
void hf_asked_keep_blob(struct hf_call *call, struct hf_asked *asked); /* for asked-blob */
/* result<response, failure> in result<_, refusal>: bytes are copied, its blob is kept. HF_OK, or the trap of hf_call_limit. */
enum hf_err hf_asked_result(struct hf_call *call, uint64_t id, struct hf_view target, struct hf_asked *asked, struct hf_value *result);
/* Waits for the answer to hf_turn_ask, and takes it; for what `receive` returns, which is then hf_turn_message. */
enum hf_err hf_asked_await(struct hf_call *call, struct hf_asked *asked);
enum hf_err hf_message_await(struct hf_call *call);

/* ---- the same without values (message_direct.c) ---- */
enum hf_err hf_host_bind_direct(struct hf_registry *reg, struct hf_report *report);
/* Has the kernel's message a direct way? Then hf_message_put writes it as the WIT's `message` at `at`. */
bool hf_message_is_direct(const struct hf_message *m);
enum hf_err hf_message_put(struct hf_direct *d, uint8_t *at, const struct hf_message *m, uint64_t now_ns);
enum hf_err hf_mail_store(struct hf_direct *d, const void *guest, uint8_t *at); /* hf_direct_store_fn: the current one */

/* As hf_send_read and hf_response_read, from the core values; `wants`: a wish follows. HF_AGAIN: not for here (direct.h);
 * HF_LIMIT: host memory. Nothing is left to free then. */
enum hf_err hf_send_read_direct(struct hf_direct *d, const union hf_val *v, bool wants, struct hf_send *ret);
enum hf_err hf_response_read_direct(struct hf_direct *d, const union hf_val *v, struct hf_response *ret);

/* The WIT's `outgoing` and `wish` (NULL: no answer is wanted) as the kernel's, what it owns to be freed unless a verb took it. */
enum hf_err hf_send_read(struct hf_call *call, const struct hf_value *to, const struct hf_value *wish, struct hf_send *ret);
/* The WIT's `reply` as the kernel's, body and blob owned by it until the verb took them (hf_response_done). */
enum hf_err hf_response_read(struct hf_call *call, const struct hf_value *reply, struct hf_response *ret);
void hf_response_done(struct hf_response *r);

#endif
