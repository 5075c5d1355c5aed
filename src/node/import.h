/* import.h - one call of an embedder's import (holdfast/import.h). import.c defines and calls, import_value.c has the values. */
#ifndef HF_NODE_IMPORT_H
#define HF_NODE_IMPORT_H

#include "component/host.h"
#include "holdfast/import.h"

struct hf_imported { /* a function that was given */
    struct hf_imported *next;
    hf_import_does fn;
    void *ctx;
};
struct hf_import_call {
    struct hf_call *call;
    const struct hf_value *args;
    struct hf_value *result;
    bool limit;     /* the call's memory is used up */
    char why[300]; /* empty: nothing was wrong */
};

/* Fills what was left unset inside a result: every record has its fields, every case its payload. False: memory. */
bool hf_import_complete(struct hf_call *call, const struct hf_type *t, struct hf_value *v);

void hf_imports_free(struct hf_imported *list);

#endif
