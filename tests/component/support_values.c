/* support_values.c - see support_values.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_values.h"

static const struct hf_type *compound(struct fixture *fx, enum hf_type_kind kind,
                                      const struct hf_member *members, uint32_t n)
{
    const struct hf_type *t = NULL;
    struct hf_report report = {0};
    if (hf_type_compound(&fx->arena, kind, members, n, &t, &report) != HF_OK)
        fail_msg("%s", report.text);
    return t;
}

static const struct hf_type *list(struct fixture *fx, const struct hf_type *elem)
{
    const struct hf_type *t = NULL;
    assert_int_equal(hf_type_list(&fx->arena, elem, &t, NULL), HF_OK);
    return t;
}

#define M(n, t) ((struct hf_member){.name = HF_VIEW(n), .type = (t)})
#define COMPOUND(kind, ...)                                                                        \
    compound(fx, kind, (const struct hf_member[]){__VA_ARGS__},                                    \
             HF_ARRAY_LEN(((const struct hf_member[]){__VA_ARGS__})))

int values_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    hf_arena_init(&fx->arena, 4096, 4u << 20);
    const struct hf_type **t = fx->types;
    for (int i = BOOL; i <= STRING; i++)
        t[i] = hf_type_prim((enum hf_type_kind)(HF_T_BOOL + i - BOOL));
    t[LIST_U8] = list(fx, t[U8]);
    t[LIST_S16] = list(fx, t[S16]);
    t[LIST_F32] = list(fx, t[F32]);
    t[LIST_F64] = list(fx, t[F64]);
    t[LIST_STRING] = list(fx, t[STRING]);
    t[LIST_LIST] = list(fx, t[LIST_U8]);
    t[LIST_BOOL] = list(fx, t[BOOL]);
    t[LIST_CHAR] = list(fx, t[CHAR]);
    t[PAIR] = COMPOUND(HF_T_TUPLE, M("", t[U32]), M("", t[STRING]));
    t[OPTION] = COMPOUND(HF_T_OPTION, M("", t[U8]));
    t[OPTION2] = COMPOUND(HF_T_OPTION, M("", t[OPTION]));
    t[RECORD] =
        COMPOUND(HF_T_RECORD, M("id", t[U32]), M("full-name", t[STRING]), M("age", t[OPTION]));
    t[OPTIONALS] = COMPOUND(HF_T_RECORD, M("a", t[OPTION]), M("b", t[OPTION]));
    t[VARIANT] =
        COMPOUND(HF_T_VARIANT, M("empty", NULL), M("body", t[LIST_U8]), M("pair", t[PAIR]));
    t[KEYWORDS] = COMPOUND(HF_T_VARIANT, M("ok", NULL), M("some", t[U8]), M("plain", NULL));
    t[ENUM] = COMPOUND(HF_T_ENUM, M("south", NULL), M("nan", NULL), M("north-WEST2", NULL));
    t[FLAGS] = COMPOUND(HF_T_FLAGS, M("read", NULL), M("write", NULL), M("true", NULL));
    t[OPTION_VARIANT] = COMPOUND(HF_T_OPTION, M("", t[KEYWORDS]));
    t[RESULT] = COMPOUND(HF_T_RESULT, M("", t[U8]), M("", t[STRING]));
    t[RESULT_OK] = COMPOUND(HF_T_RESULT, M("", t[STRING]), M("", NULL));
    t[RESULT_ERR] = COMPOUND(HF_T_RESULT, M("", NULL), M("", t[STRING]));
    t[RESULT_NONE] = COMPOUND(HF_T_RESULT, M("", NULL), M("", NULL));
    t[RESULT_OPTION] = COMPOUND(HF_T_RESULT, M("", t[OPTION]), M("", NULL));
    assert_int_equal(hf_type_map(&fx->arena, t[STRING], t[U8], &t[MAP], NULL), HF_OK);
    fx->resource.name = HF_VIEW("pollable");
    assert_int_equal(hf_type_handle(&fx->arena, HF_T_OWN, &fx->resource, &t[OWN], NULL), HF_OK);
    t[DEEP] = t[U8];
    for (int i = 0; i < HF_TYPE_DEPTH_MAX - 1; i++)
        t[DEEP] = list(fx, t[DEEP]);
    *state = fx;
    return 0;
}

int values_teardown(void **state)
{
    struct fixture *fx = *state;
    hf_arena_done(&fx->arena);
    free(fx);
    return 0;
}
