/* support_named.c - see support_named.h. */
#include "support_named.h"
#include "support_spill.h"

enum { TOKENS = 16, CAPS = 65 /* one more than a message may carry */ };

struct puppet {
    struct stage *s;
    struct hf_list in_stage;
    struct hf_turn *turn;
    char name[HF_NAME_MAX + 1];
    char words[256];
    const char *at;
    struct hf_waiter waiter;
    uint64_t tokens[TOKENS], last_sent, last_watch, timer, timeout_ns;
    size_t n_tokens;
    char child[HF_NAME_MAX + 1];
    char cap[HF_NAME_MAX + 1];
    size_t n_caps;
    struct hf_view lent; /* the last capability of the last answer that was awaited */
    bool asking, keeps;
};

static void note(struct stage *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct stage *s, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof text);
    assert_int_equal(hf_buf_add(&s->log, text, (size_t)n), HF_OK);
    assert_int_equal(hf_buf_add_byte(&s->log, '\n'), HF_OK);
}

/* ---- what is seen ---- */

/* " [bytes]", or nothing. */
static void blob_text(struct hf_blob *blob, char *ret, size_t cap)
{
    struct hf_blob_reader r = {0};
    struct hf_view v;
    ret[0] = '\0';
    if (blob == NULL)
        return;
    hf_blob_ref(blob);
    hf_blob_reader_open(&r, &blob);
    enum hf_err err = hf_blob_reader_peek(&r, &v);
    snprintf(ret, cap, " [%.*s]", err == HF_OK ? (int)v.len : 0,
             err == HF_OK ? (const char *)v.ptr : "");
    hf_blob_reader_close(&r);
}

static const char *notice_text(enum hf_notice n)
{
    static const char *const texts[] = {"none", "ended", "exit", "refused", "void", "timer"};
    return texts[n];
}

static void log_message(struct puppet *p)
{
    const struct hf_message *m = hf_turn_message(p->turn), *nested = hf_turn_nested(p->turn);
    char blob[300], more[600] = "";
    size_t n = 0;
    blob_text(m->blob, blob, sizeof blob);
    if (m->kind == HF_MESSAGE_NOTICE) {
        bool about = m->notice == HF_NOTICE_ENDED || m->notice == HF_NOTICE_EXIT;
        if (about)
            note(p->s, "%s <- %s %.*s: %s '%.*s'", p->name, notice_text(m->notice),
                 HF_FMT(m->source), hf_answer_text(m->error), HF_FMT(m->body));
        else if (m->notice == HF_NOTICE_REFUSED)
            note(p->s, "%s <- refused %.*s: %llu", p->name, HF_FMT(m->source),
                 (unsigned long long)m->count);
        else
            note(p->s, "%s <- %s", p->name, notice_text(m->notice));
        return;
    }
    if (m->context.len > 0)
        n += (size_t)snprintf(more + n, sizeof more - n, " context %.*s", HF_FMT(m->context));
    if (nested != NULL)
        n += (size_t)snprintf(more + n, sizeof more - n, " nested '%.*s' %s", HF_FMT(nested->body),
                              hf_said_text(hf_turn_state(p->turn)));
    for (size_t i = 0; i < m->n_caps; i++)
        n += (size_t)snprintf(more + n, sizeof more - n, " cap %.*s", HF_FMT(m->caps[i]));
    struct hf_view source = m->source.len == 0 ? HF_VIEW("-") : m->source;
    if (m->kind == HF_MESSAGE_ERROR)
        note(p->s, "%s <- error %s of %.*s%s%s", p->name, hf_answer_text(m->error),
             HF_FMT(m->target), blob, more);
    else
        note(p->s, "%s <- %s %.*s '%.*s'%s%s%s", p->name,
             m->kind == HF_MESSAGE_REQUEST ? (m->wants_answer ? "request" : "tell") : "response",
             HF_FMT(source), HF_FMT(m->body), blob, more, "");
}

static void log_asked(struct puppet *p)
{
    struct hf_asked a;
    char blob[300];
    enum hf_err err = hf_turn_take_asked(p->turn, &a);
    assert_int_equal(err, HF_OK);
    blob_text(a.answer.blob, blob, sizeof blob);
    note(p->s, "%s <= %s '%.*s'%s context %.*s", p->name, hf_answer_text(a.answer.kind),
         HF_FMT(hf_buf_view(&a.answer.body)), blob, HF_FMT(hf_buf_view(&a.context)));
    p->lent = a.n_caps == 0 ? (struct hf_view){0} : a.caps[a.n_caps - 1];
    hf_asked_done(&a);
    p->asking = false;
}

static void said(struct puppet *p, const char *word, enum hf_said what)
{
    if (what != HF_SAID_OK)
        note(p->s, "%s: %.*s %s", p->name, (int)strcspn(word, " :"), word, hf_said_text(what));
}

/* ---- deeds ---- */

static struct hf_view word_name(const char *word)
{
    const char *at = strchr(word, ':');
    if (at == NULL || at >= word + strcspn(word, " "))
        return (struct hf_view){0};
    at++;
    return hf_view(at, strcspn(at, " ,"));
}

static struct hf_view word_body(const char *word)
{
    struct hf_view name = word_name(word);
    const char *end = (const char *)name.ptr + name.len;
    if (name.len == 0 || *end != ',')
        return HF_VIEW("x");
    return hf_view(end + 1, strcspn(end + 1, " "));
}

static struct hf_blob *own_blob(struct puppet *p, const char *word)
{
    char text[300];
    if (word[1] != '=')
        return NULL;
    snprintf(text, sizeof text, "of %s", p->name);
    struct hf_blob *b = hf_blob_of_bytes_in(hf_kernel_blobs(hf_turn_kernel(p->turn)), hf_view_of(text));
    assert_non_null(b);
    return b;
}

/* What `g` and `G` said, once. */
static size_t take_caps(struct puppet *p, struct hf_view ret[CAPS])
{
    size_t n = p->n_caps;
    for (size_t i = 0; i < n; i++)
        ret[i] = hf_view_of(p->cap);
    p->n_caps = 0;
    return n;
}

static void do_send(struct puppet *p, const char *word)
{
    struct hf_view body = word_body(word), caps[CAPS];
    bool asks = word[0] == 'k' || word[0] == 'j';
    struct hf_send send = {
        .target = word[0] == 'j' ? p->lent : word_name(word),
        .blob = own_blob(p, word),
        .inherit = word[1] == '+',
        .wants_answer = strchr("sPkj", word[0]) != NULL,
        .park = strchr("pPB", word[0]) != NULL,
        .timeout_ns = p->timeout_ns,
        .caps = caps,
        .n_caps = take_caps(p, caps),
    };
    enum hf_said what;
    assert_int_equal(hf_buf_add_view(&send.body, body), HF_OK);
    if (send.wants_answer)
        assert_int_equal(hf_buf_printf(&send.context, "c-%.*s", HF_FMT(body)), HF_OK);
    if (word[0] == 'f' || word[0] == 'B')
        what = hf_turn_forward(p->turn, &send);
    else if (asks)
        what = hf_turn_ask(p->turn, &send, &p->last_sent);
    else
        what = hf_turn_send(p->turn, &send, &p->last_sent);
    said(p, word, what);
    p->asking = asks && what == HF_SAID_OK;
    p->timeout_ns = 0;
    if (what == HF_SAID_OK) { /* moved */
        assert_null(send.body.ptr);
        assert_null(send.blob);
    } else {
        assert_true(hf_view_eq(hf_buf_view(&send.body), body));
    }
    hf_buf_done(&send.body);
    hf_buf_done(&send.context);
    hf_blob_unref(send.blob);
}

static void do_reply(struct puppet *p, const char *word)
{
    struct hf_view caps[CAPS] = {word_name(word)};
    size_t n_caps = word[0] == 'R' ? 1 : take_caps(p, caps);
    struct hf_response r = {
        .blob = own_blob(p, word), .inherit = word[1] == '+', .caps = caps, .n_caps = n_caps};
    char text[300];
    enum hf_said what = HF_SAID_NO_REQUEST;
    snprintf(text, sizeof text, "by-%s", p->name);
    assert_int_equal(hf_buf_add_text(&r.body, text), HF_OK);
    if (word[0] == 'a') {
        struct hf_view number = word_name(word); /* any token, also another's */
        uint64_t token = number.len > 0     ? strtoull((const char *)number.ptr, NULL, 10)
                         : p->n_tokens == 0 ? 0
                                            : p->tokens[0];
        what = hf_turn_answer(p->turn, token, &r);
        if (number.len == 0 && (what == HF_SAID_OK || what == HF_SAID_VOID))
            memmove(p->tokens, p->tokens + 1, --p->n_tokens * sizeof p->tokens[0]);
    } else {
        what = hf_turn_reply(p->turn, &r);
    }
    said(p, word, what);
    hf_buf_done(&r.body);
    hf_blob_unref(r.blob);
}

static void do_spawn(struct puppet *p, const char *word)
{
    struct hf_view name = word_name(word);
    size_t slash = hf_view_find(name, '/'), len = 0;
    const struct hf_spawn spawn = {.class = hf_view_take(name, slash),
                                   .key = hf_view_skip(name, slash + 1),
                                   .monitor = word[0] == 'M',
                                   .link = word[0] == 'N'};
    enum hf_said what = hf_turn_spawn(p->turn, &spawn, p->child, &len, &p->last_watch);
    if (what == HF_SAID_OK)
        p->child[len] = '\0';
    said(p, word, what);
}

static void do_token(struct puppet *p, const char *word)
{
    enum hf_said what;
    if (word[0] == 'd') {
        what = hf_turn_defer(p->turn, &p->tokens[p->n_tokens]);
        p->n_tokens += what == HF_SAID_OK;
        assert_true(p->n_tokens < TOKENS);
    } else {
        what = hf_turn_drop_token(p->turn, p->n_tokens == 0 ? 0 : p->tokens[0]);
        if (what == HF_SAID_OK)
            memmove(p->tokens, p->tokens + 1, --p->n_tokens * sizeof p->tokens[0]);
    }
    said(p, word, what);
}

static enum hf_end wait_for(struct puppet *p, struct hf_wait *wait)
{
    hf_waiter_disarm(&p->waiter);
    hf_waiter_arm(&p->waiter, wait, hf_turn_waitset(p->turn));
    return HF_END_WAIT;
}

static void do_simple(struct puppet *p, const char *word)
{
    struct hf_turn *t = p->turn;
    struct hf_view name = word_name(word);
    switch (word[0]) {
    case 'q':
        if (hf_turn_refuse(t, HF_ANSWER_FULL, HF_VIEW("no")) != HF_DUTY_OPEN)
            note(p->s, "%s: q refused", p->name);
        return;
    case 'c': said(p, word, hf_turn_cancel(t, p->last_sent)); return;
    case 'v': note(p->s, "%s: %s", p->name, hf_said_text(hf_turn_state(t))); return;
    case 'b': hf_blob_unref(hf_turn_take_blob(t)); return;
    case 'x': hf_turn_retire(t, "script"); return;
    case 'e': p->keeps = true; return;
    case 'E': p->keeps = false; return;
    case 'm': said(p, word, hf_turn_monitor(t, name, &p->last_watch)); return;
    case 'l': said(p, word, hf_turn_link(t, name, &p->last_watch)); return;
    case 'U': said(p, word, hf_turn_unwatch(t, p->last_watch)); return;
    case 'K':
        said(p, word, hf_turn_kill_child(t, hf_view_of(p->child), HF_VIEW("by wish")));
        return;
    case 'O': said(p, word, hf_turn_stop_child(t, hf_view_of(p->child))); return;
    case 'g':
    case 'G':
        snprintf(p->cap, sizeof p->cap, "%.*s", HF_FMT(name));
        p->n_caps = word[0] == 'G' ? CAPS : 1;
        return;
    case 'h': said(p, word, hf_turn_keep(t, name)); return;
    case 'H': said(p, word, hf_turn_drop(t, name)); return;
    case '?': note(p->s, "%s: %s", p->name, hf_turn_holds(t, name) ? "holds" : "holds not"); return;
    case 'T': said(p, word, hf_turn_set_timer(t, hf_turn_now(t) + 10 * MS, &p->timer)); return;
    case 'C': said(p, word, hf_turn_clear_timer(t, p->timer)); return;
    case 'i': p->timeout_ns = (uint64_t)atoi((const char *)name.ptr) * MS; return;
    default: fail_msg("no deed %c", word[0]);
    }
}

/* One deed; true when the call must end with *end. */
static bool deed(struct puppet *p, const char *word, enum hf_end *end)
{
    switch (word[0]) {
    case 's':
    case 't':
    case 'p':
    case 'P':
    case 'f':
    case 'B': do_send(p, word); return false;
    case 'k':
    case 'j':
        do_send(p, word);
        *end = p->asking ? wait_for(p, hf_turn_asked_wait(p->turn)) : HF_END_DONE;
        return p->asking;
    case 'r':
    case 'R':
    case 'a': do_reply(p, word); return false;
    case 'd':
    case 'A': do_token(p, word); return false;
    case 'S':
    case 'M':
    case 'N': do_spawn(p, word); return false;
    case 'w': *end = wait_for(p, &p->s->gate); return true;
    case 'u': *end = wait_for(p, hf_turn_unwanted_wait(p->turn)); return true;
    case 'F': hf_turn_fail(p->turn, HF_ANSWER_DEAD, HF_VIEW("boom")); break;
    case 'L': hf_turn_fail(p->turn, HF_ANSWER_LIMITED, HF_VIEW("too much")); break;
    case 'n': {
        enum hf_err err = hf_turn_receive(p->turn);
        if (err == HF_AGAIN) {
            p->at = word;
            *end = wait_for(p, hf_turn_mail_wait(p->turn));
            return true;
        }
        if (err == HF_OK)
            log_message(p);
        else
            note(p->s, "%s: n %s", p->name, hf_err_text(err));
        return false;
    }
    default: do_simple(p, word); return false;
    }
    *end = HF_END_FAILED;
    return true;
}

static enum hf_end act(struct puppet *p)
{
    enum hf_end end = HF_END_DONE;
    while (*p->at != '\0') {
        const char *word = p->at;
        p->at += strcspn(p->at, " ");
        p->at += strspn(p->at, " ");
        if (deed(p, word, &end))
            return end;
        end = HF_END_DONE;
    }
    return end;
}

static void next_script(struct puppet *p)
{
    snprintf(p->words, sizeof p->words, "%s", p->s->defaults);
    HF_LIST_FOR (n, &p->s->scripts) {
        struct script *c = HF_LIST_ENTRY(n, struct script, in_stage);
        if (strcmp(c->name, p->name) != 0)
            continue;
        snprintf(p->words, sizeof p->words, "%s", c->words);
        hf_list_remove(&c->in_stage);
        free(c);
        break;
    }
    p->at = p->words;
}

static enum hf_end puppet_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct stage *s = class_ctx;
    struct puppet *p = calloc(1, sizeof *p);
    assert_non_null(p);
    *state = p;
    p->s = s;
    p->turn = turn;
    p->at = "";
    snprintf(p->name, sizeof p->name, "%.*s", HF_FMT(hf_turn_name(turn)));
    hf_list_push_back(&s->puppets, &p->in_stage);
    s->n_puppets++;
    assert_null(hf_turn_message(turn));
    HF_LIST_FOR (n, &s->scripts) {
        struct script *c = HF_LIST_ENTRY(n, struct script, in_stage);
        if (strncmp(c->name, "start:", 6) != 0 || strcmp(c->name + 6, p->name) != 0)
            continue;
        snprintf(p->words, sizeof p->words, "%s", c->words);
        hf_list_remove(&c->in_stage);
        free(c);
        p->at = p->words;
        return act(p);
    }
    return HF_END_DONE;
}

static enum hf_end puppet_turn(void *state, struct hf_turn *turn)
{
    struct puppet *p = state;
    if (hf_turn_message(turn) != NULL)
        log_message(p);
    next_script(p);
    return act(p);
}

static enum hf_end puppet_resume(void *state, struct hf_turn *turn)
{
    struct puppet *p = state;
    (void)turn;
    hf_waiter_disarm(&p->waiter);
    if (p->asking)
        log_asked(p);
    return act(p);
}

static void puppet_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct puppet *p = state;
    (void)turn, (void)why;
    hf_waiter_disarm(&p->waiter);
}

static void puppet_stop(void *state)
{
    struct puppet *p = state;
    if (p == NULL)
        return;
    note(p->s, "%s stops", p->name);
    hf_waiter_disarm(&p->waiter);
    hf_list_remove(&p->in_stage);
    p->s->n_puppets--;
    free(p);
}

static enum hf_err puppet_evict(void *state, struct hf_buf *ret, struct hf_report *why)
{
    const struct puppet *p = state;
    assert_true(*p->at == '\0' && !p->asking); /* nothing in hand */
    assert_false(hf_list_linked(&p->waiter.in_wait));
    if (p->keeps)
        return hf_report_set(why, HF_UNSUPPORTED, "it keeps a secret");
    return hf_buf_add(ret, p, sizeof *p);
}

static enum hf_err puppet_revive(void *class_ctx, struct hf_turn *turn, struct hf_view bytes,
                                 void **state, struct hf_report *why)
{
    struct stage *s = class_ctx;
    struct puppet *p = malloc(sizeof *p);
    (void)why;
    assert_non_null(p);
    assert_int_equal(bytes.len, sizeof *p);
    memcpy(p, bytes.ptr, sizeof *p);
    p->turn = turn;
    p->at = p->words + strlen(p->words);
    p->waiter = (struct hf_waiter){0};
    p->lent = (struct hf_view){0};
    assert_true(hf_view_eq_text(hf_turn_name(turn), p->name)); /* its own bytes, nobody else's */
    hf_list_init(&p->in_stage);
    hf_list_push_back(&s->puppets, &p->in_stage);
    s->n_puppets++;
    note(s, "%s is back", p->name);
    *state = p;
    return HF_OK;
}

const struct hf_behaviour puppet_behaviour = {.name = "puppet",
                                              .start = puppet_start,
                                              .turn = puppet_turn,
                                              .resume = puppet_resume,
                                              .cancel = puppet_cancel,
                                              .stop = puppet_stop,
                                              .evict = puppet_evict,
                                              .revive = puppet_revive};

/* ---- the stage ---- */

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct stage *s = HF_CONTAINER_OF(port, struct stage, port);
    char blob[300];
    blob_text(a->blob, blob, sizeof blob);
    s->n_told++;
    note(s, "port %zu: %s '%.*s'%s", (size_t)(uintptr_t)tag, hf_answer_text(a->kind),
         HF_FMT(hf_buf_view(&a->body)), blob);
}

static uint32_t kernels = 1;
static uint64_t seed;
static struct stage *present; /* the last one that was opened */

void stage_far(uint32_t n, uint64_t with_seed)
{
    kernels = n;
    seed = with_seed;
}

/* One class a letter; what the kernel named lies where its parent found a place for it. */
static uint32_t by_letter(struct hf_view name, uint32_t n)
{
    if (hf_name_is_made(name))
        return hf_name_shard(name, HF_SHARDS) % n;
    return name.ptr[0] % n;
}

struct hf_kernel *stage_home(struct hf_kernel *k, struct hf_view name)
{
    return kernels == 1 ? k : net_home(&present->net, name);
}

uint32_t stage_count(struct hf_kernel *k, uint32_t (*count)(const struct hf_kernel *k))
{
    uint32_t ret = 0;
    assert_ptr_equal(k, present->k);
    for (uint32_t i = 0; i < present->net.n; i++)
        ret += count(present->net.ks[i]);
    return ret;
}

void stage_message_stats(struct hf_kernel *k, struct hf_message_stats *ret)
{
    *ret = (struct hf_message_stats){0};
    assert_ptr_equal(k, present->k);
    for (uint32_t i = 0; i < present->net.n; i++) {
        struct hf_message_stats one;
        const uint64_t *from = (const uint64_t *)(const void *)&one;
        hf_message_get_stats(present->net.ks[i], &one);
        for (size_t j = 0; j < sizeof one / sizeof *from; j++)
            ((uint64_t *)(void *)ret)[j] += from[j];
    }
}

void stage_open_with(struct stage *s, const struct hf_kernel_settings *ks)
{
    *s = (struct stage){
        .now = 1 * S, .port = {on_answer}, .defaults = "", .net.place = by_letter, .rnd = seed};
    present = s;
    net_open(&s->net, kernels, ks);
    s->k = s->net.ks[0];
    hf_list_init(&s->scripts);
    hf_list_init(&s->puppets);
    hf_wait_init(&s->gate, false);
    for (uint32_t i = 0; i < kernels; i++)
        assert_int_equal(hf_kernel_step(s->net.ks[i], s->now), HF_AGAIN);
}

void stage_open(struct stage *s)
{
    stage_open_with(s, &(struct hf_kernel_settings){0});
}

void stage_spill(struct stage *s, struct keeper *r)
{
    keeper_open(r, s->k);
    s->keeper = r;
}

void stage_close(struct stage *s)
{
    net_close(&s->net);
    if (s->keeper != NULL)
        keeper_close(s->keeper);
    assert_int_equal(s->n_puppets, 0);
    assert_int_equal(s->n_told, s->n_posts);
    for (struct hf_list *n; (n = hf_list_pop_front(&s->scripts)) != NULL;)
        free(HF_LIST_ENTRY(n, struct script, in_stage));
    hf_buf_done(&s->log);
    hf_wait_done(&s->gate);
}

struct hf_class *stage_class(struct stage *s, const char *name, struct hf_named_settings ns)
{
    static const char *const all[] = {"*", NULL};
    struct hf_class *c, *ret = NULL;
    struct hf_report report = {0};
    ns.behaviour = &puppet_behaviour;
    ns.ctx = s;
    if (ns.grants == NULL)
        ns.grants = all;
    if (ns.spawns == NULL)
        ns.spawns = all;
    for (uint32_t i = 0; i < s->net.n; i++) {
        if (hf_named_class_add(s->net.ks[i], name, &ns, &c, &report) != HF_OK)
            fail_msg("%s", report.text);
        if (s->net.ks[i] == net_home(&s->net, hf_view_of(name)))
            ret = c;
    }
    return ret;
}

void stage_classes(struct stage *s, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const char name[] = {*letters, '\0'};
        stage_class(s, name, (struct hf_named_settings){0});
    }
}

void stage_script(struct stage *s, const char *name, const char *words)
{
    struct script *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_true(strlen(words) < sizeof c->words);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->words, sizeof c->words, "%s", words);
    hf_list_push_back(&s->scripts, &c->in_stage);
}

enum hf_err stage_try_post(struct stage *s, const char *target, const char *body, const char *blob,
                           uint64_t timeout_ns, uint64_t *id)
{
    struct hf_post p = {.target = hf_view_of(target),
                        .timeout_ns = timeout_ns,
                        .port = &s->port,
                        .tag = (void *)(uintptr_t)(s->n_posts + 1)};
    assert_int_equal(hf_buf_add_text(&p.body, body), HF_OK);
    if (blob != NULL)
        p.blob = hf_blob_of_bytes_in(hf_kernel_blobs(s->k), hf_view_of(blob));
    enum hf_err err = hf_port_post(s->k, &p, id);
    s->n_posts += err == HF_OK;
    assert_true((p.body.ptr == NULL) == (err == HF_OK));
    hf_buf_done(&p.body);
    hf_blob_unref(p.blob);
    return err;
}

uint64_t stage_post(struct stage *s, const char *target, const char *body, const char *blob)
{
    uint64_t id = 0;
    assert_int_equal(stage_try_post(s, target, body, blob, 0, &id), HF_OK);
    return id;
}

static void run_one(struct stage *s, struct hf_kernel *k)
{
    const struct hf_batch *b;
    for (unsigned i = 0;; i++) {
        assert_true(i < 1000);
        for (unsigned j = 0; hf_kernel_step(k, s->now) == HF_OK; j++)
            assert_true(j < 100000);
        uint64_t seq = 0;
        while (!s->held && (b = hf_kernel_next_batch(k)) != NULL)
            seq = hf_batch_seq(b);
        if (seq > 0)
            hf_kernel_acked(k, seq);
        hf_kernel_flush(k);
        if (k == s->k && s->keeper != NULL && !s->keeper->late && keeper_go(s->keeper, SIZE_MAX))
            continue;
        if (hf_kernel_next_ns(k) != 0)
            break;
    }
}

void stage_run(struct stage *s)
{
    unsigned i = 0;
    do {
        assert_true(i++ < 10000);
        for (uint32_t j = 0; j < s->net.n; j++)
            run_one(s, s->net.ks[j]);
    } while (net_deliver(&s->net, seed == 0 ? NULL : &s->rnd));
    stage_check_blobs(s);
}

void stage_go(struct stage *s, const char *target)
{
    stage_post(s, target, "go", NULL);
    stage_run(s);
}

void stage_gate(struct stage *s)
{
    hf_wait_fire(&s->gate);
    hf_wait_clear(&s->gate);
    stage_run(s);
}

void stage_pass(struct stage *s, uint64_t ns)
{
    s->now += ns;
    stage_run(s);
}

/* Who says the line: up to a blank, or `port 1`. */
static struct hf_view who(const char *line)
{
    size_t n = strcspn(line, strncmp(line, "port ", 5) == 0 ? ":" : " :");
    return hf_view(line, n);
}

/* The lines of each speaker together, in the order of their first ones. */
static void by_speaker(struct hf_buf *ret, const char *lines)
{
    hf_buf_clear(ret);
    for (const char *first = lines; *first != '\0'; first = strchr(first, '\n') + 1) {
        bool seen = false;
        for (const char *at = lines; at < first; at = strchr(at, '\n') + 1)
            seen |= hf_view_eq(who(at), who(first));
        for (const char *at = first; !seen && *at != '\0'; at = strchr(at, '\n') + 1)
            if (hf_view_eq(who(at), who(first)))
                assert_int_equal(hf_buf_add(ret, at, strcspn(at, "\n") + 1), HF_OK);
    }
}

static void expect_each(const char *lines, const char *log)
{
    struct hf_buf want = {0}, got = {0};
    by_speaker(&want, lines);
    by_speaker(&got, log);
    bool same = want.len == got.len;
    for (size_t at = 0; same && at < want.len;) { /* a block of one speaker */
        const char *block = (const char *)want.ptr + at;
        size_t len = 0, to = 0;
        while (at + len < want.len && hf_view_eq(who(block + len), who(block)))
            len += strcspn(block + len, "\n") + 1;
        while (to < got.len && !hf_view_eq(who((const char *)got.ptr + to), who(block)))
            to += strcspn((const char *)got.ptr + to, "\n") + 1;
        same = to + len <= got.len && memcmp(got.ptr + to, block, len) == 0;
        at += len;
    }
    if (!same)
        fail_msg("seed %llu, expected of each:\n%s\ngot:\n%s", (unsigned long long)seed, lines, log);
    hf_buf_done(&want);
    hf_buf_done(&got);
}

void expect(struct stage *s, const char *lines)
{
    assert_int_equal(hf_buf_add_byte(&s->log, 0), HF_OK);
    const char *log = (const char *)s->log.ptr;
    if (kernels > 1)
        expect_each(lines, log);
    else if (strcmp(log, lines) != 0)
        fail_msg("expected:\n%s\ngot:\n%s", lines, log);
    hf_buf_clear(&s->log);
}

struct seen {
    struct hf_blob *ptr[4096];
    size_t n;
};

static void see(void *ctx, struct hf_blob *blob)
{
    struct seen *seen = ctx;
    for (size_t i = 0; i < seen->n; i++)
        if (seen->ptr[i] == blob)
            return;
    assert_true(seen->n < HF_ARRAY_LEN(seen->ptr));
    seen->ptr[seen->n++] = blob;
}

void stage_check_blobs(const struct stage *s)
{
    static struct seen seen;
    seen.n = 0;
    net_walk_blobs(&s->net, see, &seen);
    if (net_blobs_live(&s->net) != seen.n)
        fail_msg("%zu blobs are live, %zu can be reached", net_blobs_live(&s->net), seen.n);
}

bool stage_shows(const struct stage *s, const char *name, const char *text)
{
    struct hf_buf out = {0};
    assert_int_equal(hf_named_inspect(net_home(&s->net, hf_view_of(name)), hf_view_of(name), &out), HF_OK);
    bool found = strstr((const char *)out.ptr, text) != NULL;
    if (!found)
        print_message("%s", (const char *)out.ptr);
    hf_buf_done(&out);
    return found;
}

int stage_run_far(const struct CMUnitTest *tests, size_t n, const char *const *near_only)
{
    struct CMUnitTest some[128];
    char names[128][200];
    int failed = 0;
    for (uint64_t with = 0; with < 6; with++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            bool left_out = false;
            for (size_t j = 0; near_only[j] != NULL; j++)
                left_out |= strcmp(near_only[j], tests[i].name) == 0;
            if (left_out)
                continue;
            assert_true(m < HF_ARRAY_LEN(some));
            snprintf(names[m], sizeof names[m], "%s, seed %u", tests[i].name, (unsigned)with);
            some[m] = tests[i];
            some[m].name = names[m];
            m++;
        }
        stage_far(3, with);
        failed += _cmocka_run_group_tests("far", some, m, NULL, NULL);
    }
    return failed;
}
