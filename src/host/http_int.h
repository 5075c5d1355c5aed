/* http_int.h - what the files of wasi:http share: field stores, bodies, the exchange in hand. Internal to the room.
 *
 * Rule numbers "1.4", "1.5.n" are those of reference http-and-poll.
 */
#ifndef HF_HOST_HTTP_INT_H
#define HF_HOST_HTTP_INT_H

#include "base/fault.h"
#include "base/head.h"
#include "host/guest.h"

#define HF_FIELDS_MAX (128u * 1024) /* bytes of names and values in one fields (1.4: past it the guest is trapped) */

/* wasi:http/types error-code, in the order of the WIT: those that the host gives. */
enum hf_http_error {
    HF_HTTP_DNS_TIMEOUT = 0,
    HF_HTTP_DNS_ERROR = 1,
    HF_HTTP_NOT_FOUND = 2,
    HF_HTTP_IP_PROHIBITED = 4,
    HF_HTTP_IP_UNROUTABLE = 5,
    HF_HTTP_CONNECTION_REFUSED = 6,
    HF_HTTP_CONNECTION_TERMINATED = 7,
    HF_HTTP_CONNECTION_TIMEOUT = 8,
    HF_HTTP_READ_TIMEOUT = 9,
    HF_HTTP_WRITE_TIMEOUT = 10,
    HF_HTTP_CONNECTION_LIMIT = 11,
    HF_HTTP_TLS_PROTOCOL = 12,
    HF_HTTP_TLS_CERTIFICATE = 13,
    HF_HTTP_TLS_ALERT = 14,
    HF_HTTP_REQUEST_DENIED = 15,
    HF_HTTP_REQUEST_BODY_SIZE = 17,
    HF_HTTP_METHOD_INVALID = 18,
    HF_HTTP_URI_INVALID = 19,
    HF_HTTP_URI_TOO_LONG = 20,
    HF_HTTP_RESPONSE_INCOMPLETE = 25,
    HF_HTTP_RESPONSE_HEAD_SIZE = 26,
    HF_HTTP_RESPONSE_BODY_SIZE = 28,
    HF_HTTP_RESPONSE_TRAILERS_SIZE = 29,
    HF_HTTP_TRANSFER_CODING = 31,
    HF_HTTP_UPGRADE_FAILED = 34,
    HF_HTTP_PROTOCOL_ERROR = 35,
    HF_HTTP_INTERNAL_ERROR = 38,
};

/* ---- errors (host_http_error.c) ---- */
/* The error-code of a fault, with what it carries. HF_OK, or the trap of hf_call_limit. */
enum hf_err hf_http_fault(struct hf_call *call, const struct hf_fault *f, struct hf_value *ret);
/* An error-code without details; `size` (may be NULL) is of those that carry one. */
enum hf_err hf_http_plain_code(struct hf_call *call, uint32_t code, const uint64_t *size, struct hf_value *ret);
/* Why the body of an answer broke off, by what its blob says (gateway/client.h). */
uint32_t hf_http_answer_body_code(enum hf_err err);

/* ---- fields (host_http_fields.c) ---- The entries are kept encoded as in a head (base/head.h), shared by reference between
 * `fields` handles and the message they belong to. Immutable once shared. */
struct hf_field_store {
    struct hf_obj_pool *pool; /* where it came from */
    uint32_t refs, n;
    size_t start;      /* where the entries begin in buf */
    struct hf_buf buf; /* for an incoming message: the whole head */
};
struct hf_field_store *hf_field_store_new(struct hf_guest *g); /* empty, one reference, no buffer yet; NULL: memory out */
struct hf_field_store *hf_field_store_ref(struct hf_field_store *s);
void hf_field_store_unref(struct hf_field_store *s);
struct hf_head hf_field_store_head(const struct hf_field_store *s); /* to walk with hf_head_next and hf_head_find */

struct hf_fields {
    struct hf_obj obj;
    struct hf_field_store *store;
    bool immutable;
};
/* NULL after hf_call_limit. Takes the caller's reference to store, also on failure. */
struct hf_fields *hf_fields_new(struct hf_call *call, struct hf_field_store *store, bool immutable);
struct hf_fields *hf_fields_make(struct hf_guest *g, struct hf_field_store *store, bool immutable); /* the same; NULL: memory out */
/* Takes the store out of an own<fields> argument and releases the object. */
struct hf_field_store *hf_fields_consume(struct hf_fields *f);
/* Value of content-length: false when there is none; *bad when it is not 1*DIGIT or appears twice. */
bool hf_field_store_length(const struct hf_field_store *s, uint64_t *len, bool *bad);

/* ---- bodies ---- */
struct hf_incoming_body { /* host_http_in.c */
    struct hf_obj obj;
    struct hf_blob *blob; /* until stream() opened it; NULL: no body, or taken */
    bool taken;           /* stream() was called */
    bool of_answer;       /* of an incoming-response: error codes differ */
    struct hf_blob_reader reader; /* open while taken and not finished */
    struct hf_list in_exchange;
};
struct hf_outgoing_body { /* host_http_out.c */
    struct hf_obj obj;
    struct hf_blob *blob;  /* producer side; NULL once finished or failed */
    uint64_t declared, written;
    bool has_length, taken, overflow;
    bool is_request;       /* of an outgoing-request: error codes differ */
    struct hf_outgoing_message *message; /* NULL once it was sent or dropped */
    struct hf_list in_exchange;
};
struct hf_outgoing_message { /* outgoing-response, and the body half of outgoing-request */
    struct hf_field_store *store;
    struct hf_outgoing_body *body; /* while its object lives */
    bool body_taken;
    struct hf_blob *blob; /* body() was called: the reference to hand out */
};
/* body() of both: result<own outgoing-body>. */
enum hf_err hf_outgoing_body_take(struct hf_call *call, struct hf_outgoing_message *m, struct hf_obj *obj, bool is_request,
                                  struct hf_value *result);
void hf_outgoing_message_done(struct hf_outgoing_message *m);

/* ---- the exchange in hand ---- */
struct hf_http_state {
    struct hf_incoming_request *request; /* while its object lives */
    struct hf_list incoming; /* hf_incoming_body.in_exchange */
    struct hf_list outgoing; /* hf_outgoing_body.in_exchange */
    struct hf_list fetches;  /* of host_http_fetch.c: requests under way */
    struct hf_list answers;  /* and their answers */
};

struct hf_incoming_request {
    struct hf_obj obj;
    struct hf_field_store *store; /* whole head: the views below point into it */
    struct hf_head head;
    struct hf_blob *blob;
    bool consumed;
};
struct hf_response_outparam {
    struct hf_obj obj;
    uint64_t message; /* whose answer it takes: a guest may keep it past the end of its call */
};
/* An incoming-body of a blob (may be NULL), whose reference is taken, also on failure; NULL: memory. */
struct hf_incoming_body *hf_incoming_body_new(struct hf_guest *g, struct hf_blob *blob, bool of_answer);
/* From the turn's message, whose blob is taken. HF_INVALID: it is no HTTP request. */
enum hf_err hf_http_make_request(struct hf_guest *g, const struct hf_message *msg, struct hf_incoming_request **ret,
                                 struct hf_report *report);

/* From a head, with no body: one whose exchange is over. HF_LIMIT, HF_INVALID, HF_CORRUPT. */
enum hf_err hf_http_remake_request(struct hf_guest *g, struct hf_view head, struct hf_incoming_request **ret,
                                   struct hf_report *report);
/* ---- outgoing requests: made in host_http_client.c, sent by host_http_fetch.c ---- */
struct hf_text_option {
    bool some;
    struct hf_buf text;
};
struct hf_outgoing_request {
    struct hf_obj obj;
    struct hf_outgoing_message m;
    struct hf_buf method; /* empty = GET */
    struct hf_text_option path, scheme, authority;
};
struct hf_request_options {
    struct hf_obj obj;
    struct {
        bool some;
        uint64_t ns;
    } t[3]; /* connect, first byte, between bytes */
};
/* The exchange is over: nobody waits for answers, nobody reads them. */
void hf_http_fetch_end(struct hf_http_state *h);

/* Small results. Each returns HF_OK or the trap of hf_call_limit. */
enum hf_err hf_http_ok(struct hf_call *call, struct hf_value v, struct hf_value *result);   /* ok(v) */
enum hf_err hf_http_case(struct hf_call *call, uint32_t tag, struct hf_value v, struct hf_value *result);
enum hf_err hf_http_code(struct hf_call *call, uint32_t code, const uint64_t *size, struct hf_value *result); /* err(error-code) */
enum hf_err hf_http_option_text(struct hf_call *call, bool some, struct hf_view text, struct hf_value *result);
enum hf_err hf_http_method(struct hf_call *call, struct hf_view method, struct hf_value *result);
enum hf_err hf_http_scheme(struct hf_call *call, bool some, struct hf_view scheme, struct hf_value *result);

#define HF_HTTP_METHODS 9u
extern const char *const hf_http_methods[HF_HTTP_METHODS]; /* by case number of wasi:http's method */
bool hf_http_token(struct hf_view v); /* RFC 9110 token, 1 or more characters */

enum hf_err hf_host_bind_fields(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_http_in(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_http_out(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_http_client(struct hf_registry *reg, struct hf_report *report);
enum hf_err hf_host_bind_http_fetch(struct hf_registry *reg, struct hf_report *report);

#endif
