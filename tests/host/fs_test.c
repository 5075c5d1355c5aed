/* fs_test.c - wasi:filesystem: descriptors, what each function answers, and who may do what. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/fs_int.h"
#include "support_fs.h"

/* ---- preopens ---- */

TEST(preopens_are_what_was_granted)
{
    CALL(list, "get-directories");
    CHECK_INT(list->len, 2);
    CHECK(is_text(&list->items[0].items[1], "/rw"));
    CHECK(is_text(&list->items[1].items[1], "/ro"));
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t d = (uint32_t)list->items[i].items[0].u64;
        CALL(type, "descriptor.get-type", H(d));
        CHECK(code(type) == DONE && type->items[0].tag == HF_FS_FOLDER);
        CALL(flags, "descriptor.get-flags", H(d));
        CHECK_INT(flags->items[0].u64, i == 0 ? READ | MUTATE : READ);
        DROP(d);
    }
    CALL(again, "get-directories"); /* as often as the guest likes */
    CHECK_INT(again->len, 2);
}

static void nothing_granted_script(struct guest *t)
{
    CALL(list, "get-directories");
    CHECK_INT(list->len, 0);
}
static void nothing_granted(void **state)
{
    run_script(state, nothing_granted_script);
}

/* ---- open-at ---- */

TEST(open_flags_and_rights)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(r, rw, "file", 0, READ);
    OPEN(w, rw, "file", 0, WRITE | MUTATE); /* libraries set both for a file */
    OPEN(none, rw, "file", 0, 0);
    OPEN(both, rw, "new", CREATE | EXCLUSIVE, READ | WRITE);
    CALL(fr, "descriptor.get-flags", H(r));
    CHECK_INT(fr->items[0].u64, READ);
    CALL(fw, "descriptor.get-flags", H(w));
    CHECK_INT(fw->items[0].u64, WRITE);
    CALL(fn, "descriptor.get-flags", H(none));
    CHECK_INT(fn->items[0].u64, READ);
    CALL(fb, "descriptor.get-flags", H(both));
    CHECK_INT(fb->items[0].u64, READ | WRITE);
    CALL(type, "descriptor.get-type", H(r));
    CHECK_INT(type->items[0].tag, HF_FS_FILE);

    struct hf_value bytes = T("x");
    WANT(E_BAD_DESCRIPTOR, "descriptor.write", H(r), bytes, U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.write", H(none), bytes, U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.set-size", H(r), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.write-via-stream", H(r), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.append-via-stream", H(r));
    WANT(E_BAD_DESCRIPTOR, "descriptor.read", H(w), U(1), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.read-via-stream", H(w), U(0));

    OPEN(odd, rw, "file", EXCLUSIVE, READ); /* means nothing without create */
    OPEN_FAILS(E_EXIST, rw, "file", CREATE | EXCLUSIVE, WRITE);
    OPEN_FAILS(E_NO_ENTRY, rw, "none", 0, READ);
    OPEN_FAILS(E_NOT_DIRECTORY, rw, "file", DIRECTORY, READ);
    OPEN_FAILS(E_IS_DIRECTORY, rw, "sub", 0, WRITE);
    OPEN_FAILS(E_INVALID, rw, "sub", DIRECTORY | CREATE, READ);
    OPEN_FAILS(E_INVALID, rw, "sub", DIRECTORY | EXCLUSIVE, READ);
    OPEN_FAILS(E_INVALID, rw, "sub", DIRECTORY | TRUNCATE, READ);
    OPEN_FAILS(E_NOT_DIRECTORY, r, "x", 0, READ);
    for (unsigned sync = 4; sync <= 16; sync *= 2)
        OPEN_FAILS(E_UNSUPPORTED, rw, "file", 0, READ | sync);
    WANT(E_LOOP, "descriptor.open-at", H(rw), U(NOFOLLOW), T("tofile"), U(0), U(READ));
    OPEN_FAILS(E_LOOP, rw, "loop", 0, READ);
    OPEN(cut, rw, "file", TRUNCATE, WRITE);
    CALL(st, "descriptor.stat", H(cut));
    CHECK_INT(st->items[0].items[2].u64, 0);
}

TEST(folders_opened_inherit_the_grant)
{
    uint32_t rw = preopen(t, "/rw"), ro = preopen(t, "/ro");
    CHECK(rw != 0 && ro != 0);
    OPEN(sub, rw, "sub", DIRECTORY,
         READ); /* as libraries do: without asking for mutate-directory */
    WANT(DONE, "descriptor.create-directory-at", H(sub), T("made"));
    WANT(DONE, "descriptor.remove-directory-at", H(sub), T("made"));
    OPEN(again, sub, "deep", 0, WRITE);
    OPEN(rsub, ro, "sub", DIRECTORY, READ);
    CALL(flags, "descriptor.get-flags", H(rsub));
    CHECK_INT(flags->items[0].u64, READ);
    OPEN(deep, rsub, "deep", 0, READ);
    CALL(got, "descriptor.read", H(deep), U(100), U(0));
    CHECK(code(got) == DONE && is_text(&got->items[0].items[0], "deep"));
    OPEN_FAILS(E_NOT_PERMITTED, rsub, "../file", 0, READ); /* a folder is its own edge */
}

/* ---- a read-only grant ---- */

static void refuse_all_changes(struct guest *t, uint32_t ro, const char *file, const char *folder)
{
    uint32_t rw = preopen(t, "/rw");
    struct hf_value now = CASE(1, NULL);
    CHECK(rw != 0);
    static const unsigned hows[] = {CREATE, TRUNCATE, CREATE | EXCLUSIVE, CREATE | TRUNCATE};
    for (size_t i = 0; i < HF_ARRAY_LEN(hows); i++) {
        OPEN_FAILS(E_READ_ONLY, ro, file, hows[i], READ);
        OPEN_FAILS(E_READ_ONLY, ro, "none", hows[i], READ);
    }
    OPEN_FAILS(E_READ_ONLY, ro, file, 0, WRITE);
    OPEN_FAILS(E_READ_ONLY, ro, file, 0, READ | WRITE);
    OPEN_FAILS(E_READ_ONLY, ro, folder, DIRECTORY, READ | MUTATE);
    WANT(E_READ_ONLY, "descriptor.create-directory-at", H(ro), T("x"));
    WANT(E_READ_ONLY, "descriptor.remove-directory-at", H(ro), T(folder));
    WANT(E_READ_ONLY, "descriptor.unlink-file-at", H(ro), T(file));
    WANT(E_READ_ONLY, "descriptor.symlink-at", H(ro), T("a"), T("x"));
    WANT(E_READ_ONLY, "descriptor.set-times-at", H(ro), U(FOLLOW), T(file), now, now);
    WANT(E_READ_ONLY, "descriptor.set-times", H(ro), now, now);
    WANT(E_READ_ONLY, "descriptor.rename-at", H(ro), T(file), H(ro), T("x"));
    WANT(E_READ_ONLY, "descriptor.rename-at", H(ro), T(file), H(rw), T("x"));
    WANT(E_READ_ONLY, "descriptor.rename-at", H(rw), T("file"), H(ro), T("x"));
    /* A link into a folder that may change would make the file writable there. */
    WANT(E_READ_ONLY, "descriptor.link-at", H(ro), U(NOFOLLOW), T(file), H(rw), T("x"));
    WANT(E_READ_ONLY, "descriptor.link-at", H(rw), U(NOFOLLOW), T("file"), H(ro), T("x"));
    OPEN(f, ro, file, 0, READ);
    WANT(E_READ_ONLY, "descriptor.write", H(f), T("x"), U(0));
    WANT(E_READ_ONLY, "descriptor.set-size", H(f), U(0));
    WANT(E_READ_ONLY, "descriptor.set-times", H(f), now, now);
    WANT(E_READ_ONLY, "descriptor.write-via-stream", H(f), U(0));
    WANT(E_READ_ONLY, "descriptor.append-via-stream", H(f));
    WANT(DONE, "descriptor.sync", H(f)); /* nothing to do is done */
    WANT(DONE, "descriptor.sync-data", H(ro));
    CALL(got, "descriptor.read", H(f), U(100), U(0));
    CHECK(code(got) == DONE && got->items[0].items[0].len > 0);
    CALL(st, "descriptor.stat-at", H(ro), U(FOLLOW), T(file));
    CHECK(code(st) == DONE);
    DROP(rw);
    DROP(f);
}

TEST(read_only_refuses_every_change)
{
    uint32_t ro = preopen(t, "/ro");
    CHECK(ro != 0);
    refuse_all_changes(t, ro, "file", "sub");
    refuse_all_changes(t, ro, "sub/deep", "sub");
    OPEN(sub, ro, "sub", DIRECTORY, READ);
    refuse_all_changes(t, sub, "deep", ".");
}

/* ---- paths ---- */

/* Every function that takes a path, with the same one. */
static void each_path_function(struct guest *t, uint32_t d, struct hf_value path, int want)
{
    struct hf_value now = CASE(1, NULL);
    WANT(want, "descriptor.open-at", H(d), U(FOLLOW), path, U(0), U(READ));
    WANT(want, "descriptor.open-at", H(d), U(FOLLOW), path, U(CREATE), U(WRITE));
    WANT(want, "descriptor.stat-at", H(d), U(FOLLOW), path);
    WANT(want, "descriptor.stat-at", H(d), U(NOFOLLOW), path);
    WANT(want, "descriptor.metadata-hash-at", H(d), U(FOLLOW), path);
    WANT(want, "descriptor.set-times-at", H(d), U(FOLLOW), path, now, now);
    WANT(want, "descriptor.create-directory-at", H(d), path);
    WANT(want, "descriptor.remove-directory-at", H(d), path);
    WANT(want, "descriptor.unlink-file-at", H(d), path);
    WANT(want, "descriptor.readlink-at", H(d), path);
    WANT(want, "descriptor.symlink-at", H(d), T("target"), path);
    WANT(want, "descriptor.rename-at", H(d), path, H(d), T("x"));
    WANT(want, "descriptor.rename-at", H(d), T("file"), H(d), path);
    WANT(want, "descriptor.link-at", H(d), U(NOFOLLOW), path, H(d), T("x"));
    WANT(want, "descriptor.link-at", H(d), U(NOFOLLOW), T("file"), H(d), path);
}

TEST(no_path_leads_out)
{
    static const char *const outside[] = {"/",
                                          "/etc/passwd",
                                          "..",
                                          "../out/file",
                                          "sub/../../out/file",
                                          "out/file",
                                          "abs/etc/passwd",
                                          "../../../../../../../../../../etc/passwd",
                                          "out/sub/deep",
                                          "abs/x"};
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(outside); i++)
        each_path_function(t, rw, T(outside[i]), E_NOT_PERMITTED);
    OPEN_FAILS(E_NOT_PERMITTED, rw, "out", DIRECTORY, READ);
    OPEN_FAILS(E_NOT_PERMITTED, rw, "abs", DIRECTORY, READ);
    WANT(E_NOT_PERMITTED, "descriptor.symlink-at", H(rw), T("/etc/passwd"), T("x"));
    WANT(E_NOT_PERMITTED, "descriptor.readlink-at", H(rw),
         T("abs")); /* absolute: it would tell of the world outside */
    CALL(l, "descriptor.readlink-at", H(rw), T("out"));
    CHECK(code(l) == DONE && is_text(&l->items[0], "../out"));
    /* Its own link that leads out is made and of no use. */
    WANT(DONE, "descriptor.symlink-at", H(rw), T("../out/file"), T("mine"));
    OPEN_FAILS(E_NOT_PERMITTED, rw, "mine", 0, READ);
    OPEN_FAILS(E_NOT_PERMITTED, rw, "mine", CREATE | TRUNCATE, WRITE);
}

TEST(S11_a_nul_in_a_path)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    each_path_function(t, rw, hf_value_bytes(HF_VIEW("file\0x")), E_INVALID);
    each_path_function(t, rw, hf_value_bytes(HF_VIEW("\0")), E_INVALID);
    WANT(E_INVALID, "descriptor.symlink-at", H(rw), hf_value_bytes(HF_VIEW("a\0b")), T("x"));
    each_path_function(t, rw, T(""), E_NO_ENTRY);
    WANT(E_NO_ENTRY, "descriptor.symlink-at", H(rw), T(""), T("x"));
}

TEST(long_paths)
{
    static char text[5000];
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    static const size_t lengths[] = {256, 4095, 4096, 4097, 4999};
    for (size_t i = 0; i < HF_ARRAY_LEN(lengths); i++) {
        memset(text, 'a', lengths[i]);
        each_path_function(t, rw, hf_value_bytes(hf_view(text, lengths[i])), E_NAME_TOO_LONG);
    }
    memset(text, 'u', 255);
    struct hf_value name = hf_value_bytes(hf_view(text, 255));
    WANT(DONE, "descriptor.create-directory-at", H(rw), name);
    WANT(DONE, "descriptor.remove-directory-at", H(rw), name);
}

TEST(names_with_any_letters)
{
    static const char *const names[] = {
        "\xc3\xa9t\xc3\xa9", "\xf0\x9f\x98\x80", " ", "a\nb", "-rf", "*", "\\", "C:\\x"};
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        WANT(DONE, "descriptor.create-directory-at", H(rw), T(names[i]));
        WANT(E_EXIST, "descriptor.create-directory-at", H(rw), T(names[i]));
        WANT(DONE, "descriptor.remove-directory-at", H(rw), T(names[i]));
    }
}

/* ---- names ---- */

TEST(making_and_removing)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    WANT(DONE, "descriptor.create-directory-at", H(rw), T("a"));
    WANT(E_EXIST, "descriptor.create-directory-at", H(rw), T("a/"));
    WANT(E_IS_DIRECTORY, "descriptor.unlink-file-at", H(rw), T("a"));
    WANT(E_NOT_EMPTY, "descriptor.remove-directory-at", H(rw), T("sub"));
    WANT(E_NOT_DIRECTORY, "descriptor.remove-directory-at", H(rw), T("file"));
    WANT(E_NOT_DIRECTORY, "descriptor.unlink-file-at", H(rw), T("file/"));
    WANT(E_NO_ENTRY, "descriptor.unlink-file-at", H(rw), T("none"));
    WANT(DONE, "descriptor.rename-at", H(rw), T("file"), H(rw), T("a/b"));
    OPEN(a, rw, "a", DIRECTORY, READ);
    WANT(DONE, "descriptor.rename-at", H(a), T("b"), H(rw), T("c"));
    WANT(DONE, "descriptor.link-at", H(rw), U(NOFOLLOW), T("c"), H(a), T("d"));
    WANT(E_EXIST, "descriptor.link-at", H(rw), U(NOFOLLOW), T("c"), H(a), T("d"));
    WANT(E_NOT_PERMITTED, "descriptor.link-at", H(rw), U(NOFOLLOW), T("sub"), H(a), T("e"));
    WANT(E_INVALID, "descriptor.link-at", H(rw), U(FOLLOW), T("c"), H(a), T("e"));
    WANT(E_NO_ENTRY, "descriptor.link-at", H(rw), U(NOFOLLOW), T("none"), H(a), T("e"));
    CALL(st, "descriptor.stat-at", H(a), U(NOFOLLOW), T("d"));
    CHECK_INT(st->items[0].items[1].u64, 2); /* links */
    WANT(DONE, "descriptor.symlink-at", H(rw), T("c"), T("s"));
    CALL(l, "descriptor.readlink-at", H(rw), T("s"));
    CHECK(is_text(&l->items[0], "c"));
    WANT(E_INVALID, "descriptor.readlink-at", H(rw), T("c"));
    WANT(DONE, "descriptor.unlink-file-at", H(rw), T("s"));
    WANT(DONE, "descriptor.unlink-file-at", H(a), T("d"));
    WANT(DONE, "descriptor.remove-directory-at", H(rw), T("a/"));
    OPEN(f, rw, "c", 0, READ);
    WANT(E_NOT_DIRECTORY, "descriptor.create-directory-at", H(f), T("x"));
    WANT(E_NOT_DIRECTORY, "descriptor.rename-at", H(rw), T("c"), H(f), T("x"));
    WANT(E_NOT_DIRECTORY, "descriptor.stat-at", H(f), U(0), T("x"));
    CHECK(strcmp(folder_get(&here, "rw/c"), "content") == 0);
}

TEST(links_that_cannot_be_told)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    CHECK(symlink("\xff\xfe", folder_path(&here, "rw/bytes")) == 0);
    WANT(E_ILLEGAL, "descriptor.readlink-at", H(rw), T("bytes"));
}

/* ---- attributes ---- */

static uint64_t seconds(const struct hf_value *stat, unsigned field)
{
    const struct hf_value *o = &stat->items[0].items[field];
    return o->tag == 0 ? 0 : o->items[0].items[0].u64;
}

TEST(attributes)
{
    uint32_t rw = preopen(t, "/rw");
    struct stat st;
    CHECK(rw != 0 && stat(folder_path(&here, "rw/file"), &st) == 0);
    CALL(a, "descriptor.stat-at", H(rw), U(FOLLOW), T("tofile"));
    const struct hf_value *v = a->items[0].items;
    CHECK_INT(v[0].tag, HF_FS_FILE);
    CHECK_INT(v[1].u64, 1);
    CHECK_INT(v[2].u64, 7);
    CHECK_INT(seconds(a, 4), st.st_mtim.tv_sec);
    CHECK_INT(v[4].items[0].items[1].u64, st.st_mtim.tv_nsec);
    CALL(l, "descriptor.stat-at", H(rw), U(NOFOLLOW), T("tofile"));
    CHECK_INT(l->items[0].items[0].tag, HF_FS_LINK);
    CALL(d, "descriptor.stat", H(rw));
    CHECK_INT(d->items[0].items[0].tag, HF_FS_FOLDER);

    OPEN(f, rw, "file", 0, READ);
    OPEN(g, rw, "tofile", 0, READ);
    OPEN(o, rw, "sub/deep", 0, READ);
    CALL(same, "descriptor.is-same-object", H(f), H(g));
    CHECK_INT(same->u64, 1);
    CALL(other, "descriptor.is-same-object", H(f), H(o));
    CHECK_INT(other->u64, 0);
    CALL(h1, "descriptor.metadata-hash", H(f));
    CALL(h2, "descriptor.metadata-hash-at", H(rw), U(FOLLOW), T("tofile"));
    CALL(h3, "descriptor.metadata-hash", H(o));
    CALL(h4, "descriptor.metadata-hash-at", H(rw), U(NOFOLLOW), T("tofile"));
    CHECK(h1->items[0].items[0].u64 == h2->items[0].items[0].u64 &&
          h1->items[0].items[1].u64 == h2->items[0].items[1].u64);
    CHECK(h1->items[0].items[0].u64 != h3->items[0].items[0].u64 &&
          h1->items[0].items[1].u64 != h3->items[0].items[1].u64);
    CHECK(h1->items[0].items[0].u64 != h4->items[0].items[0].u64);
    OPEN(w, rw, "file", 0,
         WRITE); /* the same object still, for libraries that make its number of it */
    WANT(DONE, "descriptor.write", H(w), T("longer than it was"), U(0));
    CALL(h5, "descriptor.metadata-hash", H(f));
    CHECK(h1->items[0].items[0].u64 == h5->items[0].items[0].u64);
}

TEST(times)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    struct hf_value keep = CASE(0, NULL), now = CASE(1, NULL);
    struct hf_value parts[2] = {U(1000000000), U(500)}, date = LIST(parts, 2),
                    then = CASE(2, &date);
    struct hf_value bad_parts[2] = {U(1), U(1000000000)}, bad_date = LIST(bad_parts, 2),
                    bad = CASE(2, &bad_date);
    struct hf_value omit_parts[2] = {U(1), U(UTIME_OMIT)}, omit_date = LIST(omit_parts, 2),
                    omit = CASE(2, &omit_date);
    struct hf_value far_parts[2] = {U(UINT64_MAX), U(0)}, far_date = LIST(far_parts, 2),
                    far = CASE(2, &far_date);
    OPEN(f, rw, "file", 0, READ);
    CALL(before, "descriptor.stat", H(f));
    WANT(DONE, "descriptor.set-times", H(f), keep, then);
    CALL(a, "descriptor.stat", H(f));
    CHECK_INT(seconds(a, 4), 1000000000);
    CHECK_INT(seconds(a, 3), seconds(before, 3));
    WANT(DONE, "descriptor.set-times-at", H(rw), U(NOFOLLOW), T("tofile"), then,
         keep); /* the link's own */
    CALL(b, "descriptor.stat-at", H(rw), U(NOFOLLOW), T("tofile"));
    CHECK_INT(seconds(b, 3), 1000000000);
    WANT(DONE, "descriptor.set-times-at", H(rw), U(FOLLOW), T("tofile"), then, now);
    CALL(c, "descriptor.stat", H(f));
    CHECK_INT(seconds(c, 3), 1000000000);
    CHECK(seconds(c, 4) >= seconds(before, 4));
    WANT(DONE, "descriptor.set-times", H(rw), then, then); /* of a folder */
    WANT(E_INVALID, "descriptor.set-times", H(f), bad, keep);
    WANT(E_INVALID, "descriptor.set-times", H(f), keep, omit);
    WANT(E_OVERFLOW, "descriptor.set-times", H(f), far, keep);
    WANT(E_OVERFLOW, "descriptor.set-times-at", H(rw), U(0), T("file"), keep, far);
    struct timespec old[2] = {{.tv_sec = -100}, {.tv_sec = -100}};
    CHECK(utimensat(AT_FDCWD, folder_path(&here, "rw/file"), old, 0) == 0);
    CALL(o, "descriptor.stat", H(f));
    CHECK_INT(o->items[0].items[4].tag, 0); /* before 1970: none */
}

/* ---- data ---- */

TEST(reading_and_writing)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ | WRITE);
    CALL(a, "descriptor.read", H(f), U(4), U(3));
    CHECK(is_text(&a->items[0].items[0], "tent") && a->items[0].items[1].u64 == 0);
    CALL(b, "descriptor.read", H(f), U(100), U(7));
    CHECK(b->items[0].items[0].len == 0 && b->items[0].items[1].u64 == 1); /* the end */
    CALL(c, "descriptor.read", H(f), U(UINT64_MAX),
         U(0)); /* a length from the guest sizes nothing */
    CHECK(is_text(&c->items[0].items[0], "content"));
    CALL(d, "descriptor.read", H(f), U(10), U(UINT64_MAX));
    CHECK(d->items[0].items[0].len == 0 && d->items[0].items[1].u64 == 1);
    CALL(n, "descriptor.write", H(f), T("CON"), U(0));
    CHECK_INT(n->items[0].u64, 3);
    WANT(E_FILE_TOO_LARGE, "descriptor.write", H(f), T("x"), U(UINT64_MAX));
    WANT(E_FILE_TOO_LARGE, "descriptor.write", H(f), T("x"), U(INT64_MAX));
    WANT(E_FILE_TOO_LARGE, "descriptor.set-size", H(f), U(UINT64_MAX));
    WANT(DONE, "descriptor.set-size", H(f), U(4));
    CHECK(strcmp(folder_get(&here, "rw/file"), "CONt") == 0);
    WANT(DONE, "descriptor.sync", H(f));
    WANT(DONE, "descriptor.sync-data", H(f));
    WANT(DONE, "descriptor.sync", H(rw));
    for (uint32_t i = 0; i < 6; i++)
        WANT(DONE, "descriptor.advise", H(f), U(0), U(100), CASE(i, NULL));
    WANT(E_INVALID, "descriptor.advise", H(f), U(UINT64_MAX), U(0), CASE(0, NULL));
    static uint8_t big[3 << 20];
    CALL(m, "descriptor.write", H(f), hf_value_bytes(hf_view(big, sizeof big)), U(0));
    CHECK_INT(m->items[0].u64, HF_FS_WRITE_MAX); /* a piece, and says so */
    CALL(r, "descriptor.read", H(f), U(sizeof big), U(0));
    CHECK_INT(r->items[0].items[0].len, HF_FS_PIECE);
}

TEST(data_functions_on_a_folder)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    WANT(E_BAD_DESCRIPTOR, "descriptor.read", H(rw), U(1), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.write", H(rw), T("x"), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.set-size", H(rw), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.advise", H(rw), U(0), U(0), CASE(0, NULL));
    WANT(E_BAD_DESCRIPTOR, "descriptor.read-via-stream", H(rw), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.write-via-stream", H(rw), U(0));
    WANT(E_BAD_DESCRIPTOR, "descriptor.append-via-stream", H(rw));
    OPEN(f, rw, "file", 0, READ);
    WANT(E_NOT_DIRECTORY, "descriptor.read-directory", H(f));
}

/* ---- special files ---- */

TEST(a_pipe_does_not_hang)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    CHECK(mkfifo(folder_path(&here, "rw/pipe"), 0644) == 0);
    alarm(20);
    OPEN_FAILS(E_UNSUPPORTED, rw, "pipe", 0, READ);
    OPEN_FAILS(E_UNSUPPORTED, rw, "pipe", 0, WRITE);
    OPEN_FAILS(E_UNSUPPORTED, rw, "pipe", CREATE | TRUNCATE, READ | WRITE);
    alarm(0);
    CALL(st, "descriptor.stat-at", H(rw), U(FOLLOW), T("pipe"));
    CHECK_INT(st->items[0].items[0].tag, HF_FS_PIPE);
    WANT(DONE, "descriptor.unlink-file-at", H(rw), T("pipe"));
}

/* ---- reading a folder ---- */

TEST(reading_a_folder)
{
    uint32_t rw = preopen(t, "/rw");
    unsigned seen = 0, illegal = 0, right = 0;
    char name[32];
    CHECK(rw != 0 && mkdir(folder_path(&here, "rw/many"), 0755) == 0);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "rw/many/%03d", i);
        FILE *f = fopen(folder_path(&here, name), "w");
        CHECK(f != NULL);
        fclose(f);
    }
    CHECK(symlink("\xff", folder_path(&here, "rw/many/\xff\xfe")) ==
          0); /* a name that cannot be told */
    OPEN(many, rw, "many", DIRECTORY, READ);
    CALL(s, "descriptor.read-directory", H(many));
    CALL(s2, "descriptor.read-directory", H(many));
    uint32_t list = (uint32_t)s->items[0].u64;
    DROP(many); /* the stream goes on */
    for (int i = 0; i < 600; i++) {
        CALL(e, "directory-entry-stream.read-directory-entry", H(list));
        if (code(e) == E_ILLEGAL) {
            illegal++;
            continue;
        }
        CHECK(code(e) == DONE);
        if (e->items[0].tag == 0)
            break;
        const struct hf_value *entry = e->items[0].items[0].items;
        seen++;
        right += entry[0].tag == HF_FS_FILE && entry[1].len == 3;
    }
    CHECK_INT(seen, 500);
    CHECK_INT(right, 500);
    CHECK_INT(illegal, 1);
    CALL(end, "directory-entry-stream.read-directory-entry", H(list));
    CHECK(code(end) == DONE && end->items[0].tag == 0);
    CALL(first, "directory-entry-stream.read-directory-entry", H((uint32_t)s2->items[0].u64));
    CHECK(code(first) == E_ILLEGAL || first->items[0].tag == 1);
    DROP(list);
}

/* ---- errors ---- */

static void every_error_has_its_code(void **state)
{
    static const struct {
        int number, code;
    } all[] = {{EACCES, E_ACCESS},
               {EAGAIN, E_WOULD_BLOCK},
               {EALREADY, E_ALREADY},
               {EBADF, E_BAD_DESCRIPTOR},
               {EBUSY, E_BUSY},
               {EDEADLK, E_DEADLOCK},
               {EDQUOT, E_QUOTA},
               {EEXIST, E_EXIST},
               {EFBIG, E_FILE_TOO_LARGE},
               {EILSEQ, E_ILLEGAL},
               {EINPROGRESS, E_IN_PROGRESS},
               {EINTR, E_INTERRUPTED},
               {EINVAL, E_INVALID},
               {EIO, E_IO},
               {EISDIR, E_IS_DIRECTORY},
               {ELOOP, E_LOOP},
               {EMLINK, E_TOO_MANY_LINKS},
               {EMSGSIZE, E_MESSAGE_SIZE},
               {ENAMETOOLONG, E_NAME_TOO_LONG},
               {ENODEV, E_NO_DEVICE},
               {ENOENT, E_NO_ENTRY},
               {ENOLCK, E_NO_LOCK},
               {ENOMEM, E_MEMORY},
               {ENOSPC, E_NO_SPACE},
               {ENOTDIR, E_NOT_DIRECTORY},
               {ENOTEMPTY, E_NOT_EMPTY},
               {ENOTRECOVERABLE, E_NOT_RECOVERABLE},
               {ENOTSUP, E_UNSUPPORTED},
               {EOPNOTSUPP, E_UNSUPPORTED},
               {ENOSYS, E_UNSUPPORTED},
               {ENOTTY, E_NO_TTY},
               {ENXIO, E_NO_SUCH_DEVICE},
               {EOVERFLOW, E_OVERFLOW},
               {EPERM, E_NOT_PERMITTED},
               {EPIPE, E_PIPE},
               {EROFS, E_READ_ONLY},
               {ESPIPE, E_INVALID_SEEK},
               {ETXTBSY, E_TEXT_BUSY},
               {EXDEV, E_CROSS_DEVICE},
               {EMFILE, E_MEMORY},
               {ENFILE, E_MEMORY},
               {ESTALE, E_IO},
               {EREMOTEIO, E_IO}};
    bool had[E_CROSS_DEVICE + 1] = {false};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        assert_int_equal(hf_fs_code(all[i].number), all[i].code);
        had[all[i].code] = true;
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(had); i++)
        assert_true(had[i]); /* all 37 can be said */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preopens_are_what_was_granted),
        cmocka_unit_test(nothing_granted),
        cmocka_unit_test(open_flags_and_rights),
        cmocka_unit_test(folders_opened_inherit_the_grant),
        cmocka_unit_test(read_only_refuses_every_change),
        cmocka_unit_test(no_path_leads_out),
        cmocka_unit_test(S11_a_nul_in_a_path),
        cmocka_unit_test(long_paths),
        cmocka_unit_test(names_with_any_letters),
        cmocka_unit_test(making_and_removing),
        cmocka_unit_test(links_that_cannot_be_told),
        cmocka_unit_test(attributes),
        cmocka_unit_test(times),
        cmocka_unit_test(reading_and_writing),
        cmocka_unit_test(data_functions_on_a_folder),
        cmocka_unit_test(a_pipe_does_not_hang),
        cmocka_unit_test(reading_a_folder),
        cmocka_unit_test(every_error_has_its_code),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
