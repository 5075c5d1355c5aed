/* answer.c - answers of the kernel become statuses (answer.h). */
#include "gateway/answer.h"

#include "gateway/strict.h"

#define STATUS_MIN 200u /* a final answer; 1xx is not a service's to give */
#define STATUS_MAX 999u

static const struct {
    uint16_t status;
    bool retry;
    const char *how, *text;
} pages[] = {
    [HF_ANSWER_OK] = {0},
    [HF_ANSWER_TIMEOUT] = {504, false, "timeout", "the service did not answer in time"},
    [HF_ANSWER_NO_SUCH] = {404, false, "no-such", "there is no such service"},
    [HF_ANSWER_FULL] = {503, true, "full", "the service has too much to do, try again soon"},
    [HF_ANSWER_DEAD] = {500, false, "dead", "the service failed"},
    [HF_ANSWER_UNANSWERED] = {500, false, "unanswered", "the service gave no answer"},
    [HF_ANSWER_LIMITED] = {503, false, "limit", "the service reached a limit"},
    [HF_ANSWER_CANCELLED] = {503, false, "cancelled", "the server is stopping"},
    [HF_ANSWER_CYCLE] = {500, false, "cycle", "the service would wait for itself"},
};

void hf_reply_done(struct hf_reply *r)
{
    hf_buf_done(&r->bytes);
    hf_buf_done(&r->detail);
    hf_blob_unref(r->blob);
    *r = (struct hf_reply){0};
}

void hf_reply_page(struct hf_reply *r, uint16_t status, const char *how, const char *text)
{
    hf_reply_done(r);
    r->status = status;
    r->how = how;
    r->text = text;
}

/* A service that says what cannot be sent gets the same answer as one that fails, and the log says
 * why. */
static void bad_answer(struct hf_reply *r, const char *why)
{
    hf_reply_page(r, 500, "bad-answer", "the service gave an answer that cannot be sent");
    if (hf_buf_add_text(&r->detail, why) != HF_OK)
        hf_buf_clear(&r->detail); /* no memory for the words: the how remains */
}

static void read_fields(struct hf_reply *r)
{
    size_t at = 0;
    struct hf_view name, value, item;
    while (hf_head_next(&r->head, &at, &name, &value)) {
        if (hf_view_eq_nocase(name, HF_VIEW("content-length"))) {
            if (r->has_length)
                return bad_answer(r, "more than one content-length");
            if (!hf_strict_length(hf_strict_trim(value), &r->length))
                return bad_answer(r, "a content-length that is not a number");
            r->has_length = true;
        } else if (hf_view_eq_nocase(name, HF_VIEW("connection"))) {
            r->named = true;
            while (hf_strict_list_next(&value, &item))
                r->close |= hf_view_eq_nocase(item, HF_VIEW("close"));
        }
    }
}

void hf_reply_of_answer(struct hf_reply *r, struct hf_answer *answer)
{
    struct hf_report report;
    hf_report_init(&report); /* zeroing all of it would be the dearest line of a small answer */
    hf_reply_done(r);
    if (answer->kind != HF_ANSWER_OK) {
        HF_ASSERT((size_t)answer->kind < HF_ARRAY_LEN(pages));
        hf_reply_page(r, pages[answer->kind].status, pages[answer->kind].how,
                      pages[answer->kind].text);
        r->retry = pages[answer->kind].retry;
        r->detail = answer->body;
        answer->body = (struct hf_buf){0};
        return;
    }
    r->bytes = answer->body;
    answer->body = (struct hf_buf){0};
    r->blob = answer->blob;
    answer->blob = NULL;
    if (hf_head_read(hf_buf_view(&r->bytes), &r->head, &report) != HF_OK)
        return bad_answer(r, report.text);
    if (r->head.kind != HF_HEAD_RESPONSE || r->head.status < STATUS_MIN ||
        r->head.status > STATUS_MAX)
        return bad_answer(r, "not the head of a final answer");
    r->status = r->head.status;
    r->how = "ok";
    read_fields(r);
}
