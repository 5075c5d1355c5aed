/* image_fuzz.c - any bytes as a saved image: read, made an instance of, saved again.
 * rooms: component engine os base
 *
 * The component is a small one with two component instances, two memories, globals of every type,
 * handles of a host's and of a guest's resource. Checksums are not looked at here (HF_FUZZ), so
 * that mutations reach what they guard.
 *
 * Promises checked, beside memory safety and no assertion:
 *   - an error comes with words and without an image;
 *   - what is read makes an instance or is refused with words; host objects are all given back;
 *   - what such an instance saves is read again, and makes an instance again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "component/image_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char wit[] =
    "(component (type $i (component (type (instance (export \"thing\" (type (sub resource)))"
    " (type (own 0)) (type (func (result 1))) (export \"make\" (func (type 2)))"
    ")) (export \"t:h/i@1.0.0\" (instance (type 0))))) (export \"i\" (type $i)))";

static const char text[] =
    "(component"
    " (import \"t:h/i@1.0.0\" (instance $i (export \"thing\" (type $t (sub resource)))"
    "  (export \"make\" (func (result (own $t))))))"
    " (alias export $i \"thing\" (type $thing))"
    " (component $Child (core module $D (memory 1)) (core instance (instantiate $D))"
    "  (type $r' (resource (rep i32))) (core func $new (canon resource.new $r'))"
    "  (core module $M (import \"\" \"new\" (func $new (param i32) (result i32)))"
    "   (func (export \"new\") (result i32) (call $new (i32.const 5))))"
    "  (core instance $m (instantiate $M (with \"\" (instance (export \"new\" (func $new))))))"
    "  (export $r \"r\" (type $r'))"
    "  (func (export \"make\") (result (own $r)) (canon lift (core func $m \"new\"))))"
    " (instance $c (instantiate $Child)) (alias export $c \"r\" (type $rc))"
    " (core func $make (canon lower (func $i \"make\")))"
    " (core func $make-r (canon lower (func $c \"make\")))"
    " (core func $drop (canon resource.drop $thing))"
    " (core func $drop-r (canon resource.drop $rc))"
    " (core module $M (import \"\" \"make\" (func $make (result i32)))"
    "  (import \"\" \"make-r\" (func $make-r (result i32)))"
    "  (import \"\" \"drop\" (func $drop (param i32)))"
    "  (memory 2) (data (i32.const 8192) \"x\") (global (mut i32) (i32.const 1))"
    "  (global (mut i64) (i64.const 2)) (global (mut f32) (f32.const 3))"
    "  (global (mut f64) (f64.const 4)) (global (mut v128) (v128.const i64x2 5 6))"
    "  (func $s (drop (call $make)) (drop (call $make)) (drop (call $make-r)) (drop (call $make))"
    "   (call $drop (i32.const 2)) (call $drop (i32.const 4)) (i32.store (i32.const 9) (i32.const "
    "7))"
    "   (i32.store8 (i32.const 8192) (i32.const 0)) (i32.store (i32.const 70000) (i32.const 7)))"
    "  (start $s))"
    " (core instance (instantiate $M (with \"\" (instance (export \"make\" (func $make))"
    "  (export \"make-r\" (func $make-r)) (export \"drop\" (func $drop)))))))";

static struct hf_engine *engine;
static struct hf_registry *registry;
static struct hf_component *component;
static unsigned live; /* things */

static enum hf_err drop_thing(struct hf_call *call, void *obj)
{
    (void)call;
    live--;
    free(obj);
    return HF_OK;
}
static enum hf_err make_thing(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    (void)call, (void)args;
    live++;
    *result = hf_value_obj(malloc(1));
    return HF_OK;
}
static enum hf_err save_thing(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    (void)obj, (void)report;
    return hf_buf_add_text(ret, "thing");
}
static enum hf_err load_thing(void *ctx, struct hf_view recipe, void **ret,
                              struct hf_report *report)
{
    (void)ctx;
    if (!hf_view_starts(recipe, HF_VIEW("thi")))
        return hf_report_set(report, HF_CORRUPT, "no thing");
    live++;
    *ret = malloc(1);
    return HF_OK;
}
static const struct hf_host_resource thing_ops = {"thing", drop_thing};
static const struct hf_host_recipe thing_recipe = {save_thing, load_thing};

static struct hf_report report;

static void must(enum hf_err err)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "image_fuzz: %s: %s\n", hf_err_text(err), report.text);
    abort();
}

/* A good image, where the fuzzer takes its first inputs from. */
static void seed(struct hf_instance *inst)
{
    struct hf_buf bytes = {0};
    struct hf_image *img;
    must(hf_image_take(inst, &img, &report));
    must(hf_image_save_buf(img, &bytes, &report));
    FILE *f = fopen("corpus/image", "wb");
    if (f != NULL) {
        fwrite(bytes.ptr, 1, bytes.len, f);
        fclose(f);
    }
    hf_image_unref(img);
    hf_buf_done(&bytes);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct hf_engine_settings es;
    struct hf_buf wasm = {0};
    struct hf_instance *inst;
    (void)argc, (void)argv;
    hf_engine_settings_init(&es);
    es.instances_max = 16;
    es.stacks_max = 4;
    es.memory_max = 1 << 20;
    es.compile_threads = 1;
    must(hf_engine_new(&es, &engine, &report));
    must(hf_registry_new(&registry));
    must(hf_engine_wat(wit, sizeof wit - 1, &wasm, &report));
    must(hf_registry_add_wit(registry, hf_buf_view(&wasm), &report));
    must(hf_registry_bind_resource(registry, "t:h/i", "thing", &thing_ops, &report));
    must(hf_registry_bind_recipe(registry, "t:h/i", "thing", &thing_recipe, &report));
    must(hf_registry_bind(registry, "t:h/i", "make", make_thing, &report));
    must(hf_registry_seal(registry, NULL, &report));
    hf_buf_clear(&wasm);
    must(hf_engine_wat(text, sizeof text - 1, &wasm, &report));
    must(hf_component_load(engine, registry, hf_buf_view(&wasm), NULL, &component, &report));
    hf_buf_done(&wasm);
    must(hf_instance_new(component, NULL, &inst, &report));
    must(hf_instance_start(inst));
    must(hf_instance_poll(inst));
    seed(inst);
    hf_instance_free(inst);
    return 0;
}

static struct hf_instance *make(const struct hf_image *img)
{
    struct hf_instance *inst = NULL;
    hf_report_init(&report);
    enum hf_err err = hf_image_load(img, NULL, &inst, &report);
    HF_ASSERT((err == HF_OK) == (inst != NULL) && (err == HF_OK || report.len > 0));
    return inst;
}

static void save_again(struct hf_instance *inst)
{
    struct hf_buf bytes = {0};
    struct hf_image *img = NULL;
    must(hf_image_take_written(inst, NULL, &img, &report));
    must(hf_image_save_buf(img, &bytes, &report));
    hf_image_unref(img);
    must(hf_image_parse(component, hf_buf_view(&bytes), &img, &report));
    struct hf_instance *again = make(img);
    HF_ASSERT(again != NULL);
    HF_ASSERT(hf_instance_handles(again) == hf_instance_handles(inst));
    hf_instance_free(again);
    hf_image_unref(img);
    hf_buf_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_image *img = NULL;
    hf_report_init(&report);
    enum hf_err err = hf_image_parse(component, hf_view(data, size), &img, &report);
    HF_ASSERT((err == HF_OK) == (img != NULL) && (err == HF_OK || report.len > 0));
    struct hf_instance *inst = img != NULL ? make(img) : NULL;
    if (inst != NULL)
        save_again(inst);
    hf_instance_free(inst);
    hf_image_unref(img);
    HF_ASSERT(live == 0);
    return 0;
}
