/* manifest_doc.c - what the table of keys says to others: a JSON schema for editors, and the table of the reference page. */
#include "node/manifest_int.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define TIME_PATTERN "^[0-9]+(\\.[0-9]+)?([nN][sS]|[uU][sS]|[mM][sS]|[sS]|[mM]|[hH]|[dD])$"
#define SIZE_PATTERN "^[0-9]+(\\.[0-9]+)?([kKmMgGtT]?[bB]|[kKmMgGtT]([iI][bB])?)?$"
#define NAME_PATTERN "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

/* ---- schema ------------------------------------------------------------------------------------------------ */

static json_t *schema_of(const struct hf_key *k);

static json_t *of_type(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *table_schema(const struct hf_key *of)
{
    json_t *ret = of_type("object"), *properties = json_object(), *required = json_array(), *pool = json_object(), *any = NULL;
    size_t n;
    const struct hf_key *keys = hf_keys(&n);
    for (size_t i = 0; i < n; i++) {
        if (!hf_key_is_in(&keys[i], of) || (keys[i].flags & HF_KEY_LATER) != 0)
            continue;
        if (strcmp(hf_key_name(&keys[i]), "*") == 0)
            any = schema_of(&keys[i]);
        else
            json_object_set_new(properties, hf_key_name(&keys[i]), schema_of(&keys[i]));
        if ((keys[i].flags & HF_KEY_REQUIRED) != 0)
            json_array_append_new(required, json_string(hf_key_name(&keys[i])));
        if ((keys[i].flags & HF_KEY_POOL) != 0)
            json_object_set_new(pool, hf_key_name(&keys[i]), json_false());
    }
    if (json_object_size(pool) > 0)
        json_object_set_new(ret, "dependentSchemas", json_pack("{s:{s:O}}", "process", "properties", pool));
    if (json_object_size(properties) > 0)
        json_object_set(ret, "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(ret, "required", required);
    if (any != NULL) {
        json_object_set_new(ret, "propertyNames", json_pack("{s:s}", "pattern", NAME_PATTERN));
        json_object_set_new(ret, "minProperties", json_integer(1));
        json_object_set_new(ret, "maxProperties", json_integer(HF_MANIFEST_SERVICES_MAX));
    }
    json_object_set_new(ret, "additionalProperties", any != NULL ? any : json_false());
    json_decref(properties);
    json_decref(required);
    json_decref(pool);
    return ret;
}

static json_t *string_schema(const struct hf_key *k)
{
    json_t *ret = of_type("string");
    if (k->min > 0)
        json_object_set_new(ret, "minLength", json_integer(k->min == k->max ? (json_int_t)k->min : 1)); /* ours count bytes */
    if (k->pattern != NULL)
        json_object_set_new(ret, "pattern", json_string(k->pattern));
    if (k->max > 0)
        json_object_set_new(ret, "maxLength", json_integer((json_int_t)k->max));
    return ret;
}

static json_t *integer_schema(const struct hf_key *k)
{
    json_t *ret = of_type("integer");
    json_object_set_new(ret, "minimum", json_integer((json_int_t)k->min));
    json_object_set_new(ret, "maximum", json_integer((json_int_t)k->max));
    return ret;
}

static json_t *choice_schema(const struct hf_key *k)
{
    json_t *words = json_array();
    for (size_t i = 0; k->choices[i] != NULL; i++)
        json_array_append_new(words, json_string(k->choices[i]));
    return json_pack("{s:o}", "enum", words);
}

static json_t *plain_schema(const struct hf_key *k)
{
    json_t *each;
    switch (k->type) {
    case HF_KEY_TABLE: return table_schema(k);
    case HF_KEY_ARRAY:
        return json_pack("{s:s,s:i,s:i,s:o}", "type", "array", "minItems", 1, "maxItems", (int)HF_MANIFEST_LIST_MAX, "items",
                         schema_of(hf_key_element(k)));
    case HF_KEY_STRING:
    case HF_KEY_PATH: return string_schema(k);
    case HF_KEY_STRINGS:
        return json_pack("{s:s,s:i,s:b,s:o}", "type", "array", "maxItems", (int)HF_MANIFEST_LIST_MAX, "uniqueItems",
                         strcmp(hf_key_name(k), "args") != 0, "items", string_schema(k));
    case HF_KEY_MAP: return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", string_schema(k));
    case HF_KEY_INTEGER: return integer_schema(k);
    case HF_KEY_BOOLEAN: return of_type("boolean");
    case HF_KEY_DURATION: return json_pack("{s:s,s:s}", "type", "string", "pattern", TIME_PATTERN);
    case HF_KEY_SIZE:
        each = json_pack("[o,{s:s,s:s}]", integer_schema(k), "type", "string", "pattern", SIZE_PATTERN);
        return json_pack("{s:o}", "anyOf", each);
    case HF_KEY_CHOICE: return choice_schema(k);
    }
    return NULL;
}

static json_t *schema_of(const struct hf_key *k)
{
    json_t *ret = plain_schema(k), *others = json_array();
    if ((k->flags & HF_KEY_OR_TABLE) != 0)
        json_array_append_new(others, table_schema(k));
    if ((k->flags & HF_KEY_OR_ONE) != 0)
        json_array_append_new(others, string_schema(k));
    if ((k->flags & HF_KEY_OR_FALSE) != 0)
        json_array_append_new(others, json_pack("{s:b}", "const", 0));
    if (json_array_size(others) > 0) {
        json_array_insert_new(others, 0, ret);
        ret = json_pack("{s:O}", "anyOf", others);
    }
    json_decref(others);
    json_object_set_new(ret, "description", json_string(k->doc));
    return ret;
}

static int add_text(const char *text, size_t len, void *to)
{
    return hf_buf_add(to, text, len) == HF_OK ? 0 : -1;
}

enum hf_err hf_manifest_schema_write(struct hf_buf *ret)
{
    json_t *root = json_pack("{s:s,s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", "holdfast.toml"),
           *keys = table_schema(NULL);
    int bad = root == NULL || json_object_update(root, keys) != 0 || json_dump_callback(root, add_text, ret, JSON_INDENT(2)) != 0;
    json_decref(root);
    json_decref(keys);
    return bad ? HF_LIMIT : hf_buf_add_byte(ret, '\n');
}

/* ---- the reference's table --------------------------------------------------------------------------------- */

static enum hf_err row(struct hf_buf *ret, const struct hf_key *k)
{
    char wanted[240], name[64];
    snprintf(name, sizeof name, "%s", hf_key_name(k));
    hf_key_wanted(k, wanted, sizeof wanted);
    const char *fallback = (k->flags & HF_KEY_REQUIRED) != 0 ? "must be there" : k->fallback != NULL ? k->fallback : "";
    return hf_buf_printf(ret, "| `%s` | %s | %s | %s |\n", name, k->doc, wanted, fallback);
}

/* A heading for each table, then a line for each key of it that is no table itself. */
static enum hf_err section(struct hf_buf *ret, const struct hf_key *of)
{
    char place[160];
    size_t n, in = 0;
    const struct hf_key *keys = hf_keys(&n);
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < n && err == HF_OK; i++) {
        const struct hf_key *k = &keys[i];
        if (!hf_key_is_in(k, of) || (k->flags & HF_KEY_LATER) != 0 || k->type == HF_KEY_TABLE)
            continue;
        if (in++ == 0) {
            hf_key_place(k, "NAME", place, sizeof place);
            err = hf_buf_printf(ret, "%s### %s%s%s\n\n%s%s| key | what | takes | without it |\n| --- | --- | --- | --- |\n",
                                ret->len > 0 ? "\n" : "", of == NULL ? "" : "`", of == NULL ? "At the top" : place, of == NULL ? "" : "`",
                                of == NULL ? "" : of->doc, of == NULL ? "" : "\n\n");
        }
        if (err == HF_OK)
            err = row(ret, k);
    }
    return err;
}

enum hf_err hf_manifest_keys_write(struct hf_buf *ret)
{
    size_t n;
    const struct hf_key *keys = hf_keys(&n);
    enum hf_err err = section(ret, NULL);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        if (keys[i].type == HF_KEY_TABLE || (keys[i].flags & HF_KEY_OR_TABLE) != 0)
            err = section(ret, &keys[i]);
    return err;
}
