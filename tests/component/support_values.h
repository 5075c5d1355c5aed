/* support_values.h - a type of every kind, for the tests of values as text and as JSON. */
#ifndef HF_TESTS_COMPONENT_SUPPORT_VALUES_H
#define HF_TESTS_COMPONENT_SUPPORT_VALUES_H

#include "component/value.h"

enum type_name {
    BOOL,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    CHAR,
    STRING,
    LIST_U8,
    LIST_S16,
    LIST_F32,
    LIST_F64,
    LIST_STRING,
    LIST_LIST,
    LIST_BOOL,
    LIST_CHAR,
    PAIR,
    RECORD,
    OPTIONALS,
    VARIANT,
    KEYWORDS,
    ENUM,
    FLAGS,
    OPTION,
    OPTION2,
    OPTION_VARIANT,
    RESULT,
    RESULT_OK,
    RESULT_ERR,
    RESULT_NONE,
    RESULT_OPTION,
    MAP,
    OWN,
    DEEP,
    N_TYPES
};

struct fixture {
    struct hf_arena arena;
    struct hf_resource_type resource;
    const struct hf_type *types[N_TYPES];
};

int values_setup(void **state); /* *state: a struct fixture */
int values_teardown(void **state);

#endif
