/* follow.c - /v1/logs: the newest lines, and those that come.
 *
 * The answer's body is filled as fast as its reader takes it. The log waits for nobody: a reader
 * that is too slow misses lines and finds a line that says how many. */
#include "console/inside.h"

#define LINES_STANDARD 1000u
#define LINES_MAX      1000000u
#define PIECE_MAX      (16u * 1024)

static void over(struct hf_admin_call *c)
{
    struct hf_blob *out = c->out;
    c->out = NULL;
    hf_blob_finish(out);
}

static bool push_lost(struct hf_admin_call *c, uint64_t lost)
{
    struct hf_buf line = {0};
    bool ok = hf_buf_printf(&line,
                            c->log_json ? "{\"level\":\"lost\",\"lost\":%llu}\n"
                                        : "(%llu lines lost: they came faster than they were "
                                          "read)\n",
                            (unsigned long long)lost) == HF_OK &&
              hf_blob_push(c->out, hf_buf_view(&line)) == HF_OK;
    hf_buf_done(&line);
    return ok;
}

static enum hf_end go_on(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin *a = c->admin;
    struct hf_buf lines = {0};
    uint64_t lost;
    enum hf_err err = HF_OK;
    while (err == HF_OK && hf_blob_wanted(c->out)) {
        if (hf_blob_room(c->out) == 0) {
            hf_buf_done(&lines);
            return hf_admin_wait(c, turn, hf_blob_room_wait(c->out), NULL, go_on);
        }
        if (c->follows) { /* before looking: what comes after it rings */
            hf_wait_clear(&a->news);
            hf_log_ring_arm(a->ops->logs);
        }
        hf_buf_clear(&lines);
        err = hf_log_ring_read(a->ops->logs, c->log_service, &c->log_at, PIECE_MAX, &lines, &lost);
        if (err == HF_OK && lost > 0 && !push_lost(c, lost))
            err = HF_CLOSED;
        if (err == HF_OK && lines.len > 0)
            err = hf_blob_push(c->out, hf_buf_view(&lines));
    }
    hf_buf_done(&lines);
    if (err == HF_AGAIN && c->follows && !a->closing)
        return hf_admin_wait(c, turn, &a->news, hf_blob_gone_wait(c->out), go_on);
    over(c);
    return HF_END_DONE;
}

enum hf_end hf_admin_logs(struct hf_admin_call *c, struct hf_turn *turn)
{
    struct hf_admin *a = c->admin;
    struct hf_admin_node node;
    struct hf_view yes;
    uint64_t lines;
    bool follow = hf_admin_target_query(&c->target, "follow", &yes) && !hf_view_eq_text(yes, "0") &&
                  !hf_view_eq_text(yes, "false");
    if (a->ops->logs == NULL)
        return hf_admin_refuse(c, turn, 404, HF_CODE_USAGE, "this node keeps no lines of its log");
    if (!hf_admin_target_number(&c->target, "lines", LINES_STANDARD, LINES_MAX, &lines))
        return hf_admin_refuse(c, turn, 400, HF_CODE_USAGE, "lines is a number up to %u",
                               LINES_MAX);
    if (follow && a->followers >= a->s.followers_max)
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT,
                               "%u follow the log already, the most there may be", a->followers);
    c->log_service = (struct hf_view){0};
    hf_admin_target_query(&c->target, "service", &c->log_service);
    c->log_at = hf_log_ring_tail(a->ops->logs, c->log_service, lines);
    a->ops->node(a->ops->ctx, &node);
    c->log_json = node.log_json;
    c->out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0);
    if (c->out == NULL)
        return hf_admin_refuse(c, turn, 503, HF_CODE_LIMIT, "out of memory");
    if (!hf_admin_stream(turn, node.log_json ? "application/x-ndjson" : "text/plain; charset=utf-8",
                         c->out))
        return HF_END_DONE; /* rest() ends the blob */
    a->followers += follow;
    c->follows = follow;
    return go_on(c, turn);
}
