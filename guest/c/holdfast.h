/*
 * Processes in C: the verbs of holdfast:kernel (wit/kernel-0.1.0.wit) in short, over the generated
 * bindings of a world named `service` that includes holdfast:kernel/handle-process or run-process.
 * One header, nothing to link. The bindings beside it may be called, too: nothing here hides them.
 *
 * A handler is
 *
 *     void exports_holdfast_kernel_handler_handle(hf_message *message)
 *     {
 *         if (message->tag == HF_REQUEST)
 *             hf_respond(hf_bytes("hello", 5), HF_NO_BLOB);
 *         hf_message_done(message);
 *     }
 *
 * and a runner takes messages itself: hf_receive(&message). Verbs return 0, or 1 + the refusal of
 * the WIT (hf_refusal_text). Bytes and texts that are given are read during the call and not kept;
 * a blob that is given along (HF_THIS_BLOB) is given away, also when the verb refuses.
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include "service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef holdfast_kernel_messages_message_t hf_message;
typedef holdfast_kernel_messages_request_t hf_request_in; /* message->val.request; of hf_nested */
typedef holdfast_kernel_messages_response_t hf_response_in;
typedef holdfast_kernel_messages_failure_t hf_failure_in;
typedef holdfast_kernel_blobs_own_blob_t hf_blob;

enum { HF_REQUEST = 0, HF_RESPONSE = 1, HF_FAILURE = 2, HF_NOTICE = 3 };                   /* message->tag */
enum { HF_ENDED = 0, HF_EXIT = 1, HF_REFUSED = 2, HF_UNWANTED = 3, HF_TIMER = 4 }; /* val.notice.tag */

/* For a runner: waits for the next message; the one before is over with that. */
static inline void hf_receive(hf_message *message)
{
    holdfast_kernel_messages_receive(message);
}
/* Frees what a message brought to the guest. Its blob is not in it: see hf_current_blob. */
static inline void hf_message_done(hf_message *message)
{
    holdfast_kernel_messages_message_free(message);
}

/* "no-request" ...; `result` as verbs return it, not 0. */
static inline const char *hf_refusal_text(int result)
{
    static const char *const texts[] = {"no-request", "already-answered", "moved", "deferred", "unwanted",
                                        "denied",     "too-large",        "limit", "taken",    "invalid"};
    return result >= 1 && result <= 10 ? texts[result - 1] : "?";
}

/* ---- bytes and texts: views, nothing is copied ---- */

static inline service_list_u8_t hf_bytes(const void *bytes, size_t len)
{
    return (service_list_u8_t){.ptr = (uint8_t *)(uintptr_t)bytes, .len = len};
}
static inline service_string_t hf_name(const char *text) /* of a process */
{
    return (service_string_t){.ptr = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
}

/* ---- which blob goes along ---- */

typedef holdfast_kernel_messages_blob_choice_t hf_blob_choice;
#define HF_NO_BLOB      ((hf_blob_choice){.tag = 0})
#define HF_INHERIT_BLOB ((hf_blob_choice){.tag = 1}) /* current's, else nested's, else none */
#define HF_THIS_BLOB(b) ((hf_blob_choice){.tag = 2, .val = {.this_ = (b)}})

/* ---- sending ---- */

typedef holdfast_kernel_messages_outgoing_t hf_outgoing;
/* Metadata and capabilities may be set in what this returns. */
static inline hf_outgoing hf_to(service_string_t target, service_list_u8_t body, hf_blob_choice blob)
{
    hf_outgoing to = {.target = target, .body = body, .blob = blob};
    return to;
}
static inline void hf_set_metadata(hf_outgoing *to, const void *text, size_t len)
{
    to->metadata.is_some = true;
    to->metadata.val = (service_string_t){.ptr = (uint8_t *)(uintptr_t)text, .len = len};
}

static inline int hf_result(bool ok, holdfast_kernel_messages_refusal_t refusal)
{
    return ok ? 0 : 1 + (int)refusal;
}

/* A request; `context` comes back with its response or failure. timeout_ns 0: the class's. *id names it. */
static inline int hf_send(hf_outgoing *to, service_list_u8_t context, uint64_t timeout_ns, uint64_t *id)
{
    holdfast_kernel_messages_wish_t wish = {.context = context};
    holdfast_kernel_messages_refusal_t refusal = 0;
    wish.timeout.is_some = timeout_ns != 0;
    wish.timeout.val = timeout_ns;
    bool ok = holdfast_kernel_messages_send(to, &wish, id, &refusal);
    return hf_result(ok, refusal);
}
/* Wants no answer. */
static inline int hf_tell(hf_outgoing *to)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_tell(to, &refusal);
    return hf_result(ok, refusal);
}
/* The answer goes straight to who waits for this process's. */
static inline int hf_forward(hf_outgoing *to)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_forward(to, &refusal);
    return hf_result(ok, refusal);
}
/* Waits for the answer. *answer: is_err says whether val.err (a failure) or val.ok is there;
 * holdfast_kernel_messages_result_response_failure_free it. */
static inline int hf_ask(hf_outgoing *to, uint64_t timeout_ns, holdfast_kernel_messages_result_response_failure_t *answer)
{
    holdfast_kernel_messages_wish_t wish = {.context = {0}};
    holdfast_kernel_messages_refusal_t refusal = 0;
    wish.timeout.is_some = timeout_ns != 0;
    wish.timeout.val = timeout_ns;
    bool ok = holdfast_kernel_messages_ask(to, &wish, answer, &refusal);
    return hf_result(ok, refusal);
}

/* ---- answering ---- */

static inline int hf_respond(service_list_u8_t body, hf_blob_choice blob)
{
    holdfast_kernel_messages_reply_t reply = {.body = body, .blob = blob};
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_respond(&reply, &refusal);
    return hf_result(ok, refusal);
}
static inline int hf_defer(uint64_t *token)
{
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_defer(token, &refusal);
    return hf_result(ok, refusal);
}
static inline int hf_answer(uint64_t token, service_list_u8_t body, hf_blob_choice blob)
{
    holdfast_kernel_messages_reply_t reply = {.body = body, .blob = blob};
    holdfast_kernel_messages_refusal_t refusal = 0;
    bool ok = holdfast_kernel_messages_answer(token, &reply, &refusal);
    return hf_result(ok, refusal);
}

/* ---- answering a request that came by HTTP, through a route ---- */

/* With a content-type, or none (NULL). The client may have left: that is 1 + the refusal `unwanted`. */
static inline int hf_http_respond_blob(uint16_t status, const char *type, hf_blob body)
{
    service_tuple2_string_list_u8_t header = {.f0 = hf_name("content-type")};
    service_list_tuple2_string_list_u8_t headers = {.ptr = &header, .len = type != NULL};
    holdfast_kernel_http_refusal_t refusal = 0;
    if (type != NULL)
        header.f1 = hf_bytes(type, strlen(type));
    bool ok = holdfast_kernel_http_respond(status, &headers, &body, &refusal);
    return hf_result(ok, refusal);
}
static inline int hf_http_respond(uint16_t status, const char *type, const void *bytes, size_t len)
{
    service_list_u8_t list = hf_bytes(bytes, len);
    hf_blob body;
    holdfast_kernel_blobs_blob_error_t error;
    if (!holdfast_kernel_blobs_static_blob_of_bytes(&list, &body, &error))
        return hf_result(false, HOLDFAST_KERNEL_MESSAGES_REFUSAL_LIMIT);
    return hf_http_respond_blob(status, type, body);
}

/* ---- other processes, and time ---- */

/* A process of a class; `key` NULL: the kernel makes a name. *name: free it with service_string_free. */
static inline int hf_spawn(const char *class_name, const char *key, service_string_t *name)
{
    holdfast_kernel_processes_child_t child = {.class_ = hf_name(class_name)};
    service_tuple2_string_option_u64_t made;
    holdfast_kernel_processes_refusal_t refusal = 0;
    child.key.is_some = key != NULL;
    if (key != NULL)
        child.key.val = hf_name(key);
    bool ok = holdfast_kernel_processes_spawn(&child, &made, &refusal);
    if (ok)
        *name = made.f0;
    return hf_result(ok, refusal);
}
/* A notice HF_TIMER with *timer comes after so many ns. */
static inline int hf_set_timer(uint64_t after_ns, uint64_t *timer)
{
    holdfast_kernel_processes_refusal_t refusal = 0;
    bool ok = holdfast_kernel_processes_set_timer(after_ns, timer, &refusal);
    return hf_result(ok, refusal);
}
static inline int hf_clear_timer(uint64_t timer)
{
    holdfast_kernel_processes_refusal_t refusal = 0;
    bool ok = holdfast_kernel_processes_clear_timer(timer, &refusal);
    return hf_result(ok, refusal);
}

/* ---- what is in hand ---- */

/* The request under which the one was sent that the current message answers; false: none. Free it with
 * holdfast_kernel_messages_request_free. */
static inline bool hf_nested(hf_request_in *request)
{
    return holdfast_kernel_messages_nested(request);
}
/* A handle of its blob; false: it has none. hf_blob_drop it. */
static inline bool hf_current_blob(hf_blob *blob)
{
    return holdfast_kernel_messages_current_blob(blob);
}
static inline bool hf_nested_blob(hf_blob *blob)
{
    return holdfast_kernel_messages_nested_blob(blob);
}
/* That of the last answer hf_ask brought, once. */
static inline bool hf_asked_blob(hf_blob *blob)
{
    return holdfast_kernel_messages_asked_blob(blob);
}

/* ---- blobs ---- */

static inline bool hf_blob_of(const void *bytes, size_t len, hf_blob *blob)
{
    service_list_u8_t list = hf_bytes(bytes, len);
    holdfast_kernel_blobs_blob_error_t error;
    return holdfast_kernel_blobs_static_blob_of_bytes(&list, blob, &error);
}
/* `len` bytes from `offset`, fewer only at the end; waits for them. Free them with service_list_u8_free. False: it broke off. */
static inline bool hf_blob_read(hf_blob blob, uint64_t offset, uint64_t len, service_list_u8_t *bytes)
{
    holdfast_kernel_blobs_blob_error_t error;
    return holdfast_kernel_blobs_method_blob_read(holdfast_kernel_blobs_borrow_blob(blob), offset, len, bytes, &error);
}
/* Another handle of the same bytes: to keep one and give one away. */
static inline hf_blob hf_blob_duplicate(hf_blob blob)
{
    return holdfast_kernel_blobs_method_blob_duplicate(holdfast_kernel_blobs_borrow_blob(blob));
}
static inline void hf_blob_drop(hf_blob blob)
{
    holdfast_kernel_blobs_blob_drop_own(blob);
}

#endif
