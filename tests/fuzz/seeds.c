/* seeds.c - makes the first corpora of the fuzz targets: seeds OUT [FILE-OR-FOLDER...]
 *
 * Below each folder, component and module text (.wat) and binaries (.wasm) are taken, text made
 * binary. OUT/component gets small components, OUT/parse all of moderate size in that target's own
 * framing, OUT/module the core modules and those found inside the components. Manifests (.toml, and
 * the table of mistakes in them) are for OUT/manifest. The texts for OUT/http1, OUT/value_text and OUT/deployed stand here. Files are named by what is in them, so doing it twice
 * adds nothing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "component/parse.h"
#include "engine/engine.h"

#define SMALL  16384 /* bytes: compiled and run again and again */
#define MEDIUM 65536

static const char *out;
static unsigned n_files;

static void put(const char *target, const char *prefix, size_t prefix_len, struct hf_view bytes)
{
    uint8_t hash[32];
    char path[1024];
    hf_sha256(bytes.ptr, bytes.len, hash);
    snprintf(path, sizeof path, "%s/%s", out, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%02x%02x%02x%02x%02x%02x", out, target, hash[0], hash[1],
             hash[2], hash[3], hash[4], hash[5]);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(prefix, 1, prefix_len, f) != prefix_len ||
        fwrite(bytes.ptr, 1, bytes.len, f) != bytes.len || fclose(f) != 0) {
        fprintf(stderr, "%s cannot be written\n", path);
        exit(1);
    }
    n_files++;
}

static void put_modules(struct hf_view bytes)
{
    struct hf_arena arena;
    const struct hf_tree *tree = NULL;
    hf_arena_init(&arena, 4096, 64 << 20);
    if (hf_parse(&arena, bytes, NULL, &tree, NULL) == HF_OK)
        for (uint32_t i = 0; i < tree->n_modules; i++)
            if (tree->modules[i].len <= MEDIUM)
                put("module", "", 0, tree->modules[i]);
    hf_arena_done(&arena);
}

static void take(struct hf_view bytes)
{
    if (bytes.len <= MEDIUM)
        put("parse", "\0", 1, bytes); /* even: a whole file */
    if (hf_file_kind(bytes) == HF_FILE_MODULE && bytes.len <= MEDIUM)
        put("module", "", 0, bytes);
    if (hf_file_kind(bytes) != HF_FILE_COMPONENT)
        return;
    if (bytes.len <= SMALL)
        put("component", "", 0, bytes);
    put_modules(bytes);
}

/* tests/manifest/mistakes.txt: "=== NAME", the manifest, "---", what is said. */
static void take_manifests(const char *text)
{
    if (strstr(text, "\n=== ") == NULL) {
        put("manifest", "", 0, hf_view_of(text));
        return;
    }
    for (const char *at = text; (at = strstr(at, "\n=== ")) != NULL; at++) {
        const char *begin = strchr(at + 1, '\n'), *end = strstr(begin, "\n---\n");
        if (end > begin)
            put("manifest", "", 0, hf_view(begin + 1, (size_t)(end - begin)));
    }
}

static void read_file(const char *path)
{
    struct hf_buf b = {0}, wasm = {0};
    uint8_t part[65536];
    size_t n;
    const char *dot = strrchr(path, '.');
    bool text = dot != NULL && strcmp(dot, ".wat") == 0;
    bool toml = dot != NULL && (strcmp(dot, ".toml") == 0 || strcmp(dot, ".txt") == 0);
    if (!text && !toml && (dot == NULL || strcmp(dot, ".wasm") != 0))
        return;
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return;
    while ((n = fread(part, 1, sizeof part, f)) != 0)
        HF_ASSERT(hf_buf_add(&b, part, n) == HF_OK);
    fclose(f);
    if (toml && b.len > 0)
        take_manifests((const char *)b.ptr);
    else if (!text)
        take(hf_buf_view(&b));
    else if (hf_engine_wat((const char *)b.ptr, b.len, &wasm, NULL) == HF_OK)
        take(hf_buf_view(&wasm));
    hf_buf_done(&b);
    hf_buf_done(&wasm);
}

static void walk(const char *path, int depth)
{
    struct stat st;
    if (stat(path, &st) != 0 || depth == 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        read_file(path);
        return;
    }
    DIR *d = opendir(path);
    for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char below[1024];
        if (e->d_name[0] != '.' &&
            snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below)
            walk(below, depth - 1);
    }
    if (d != NULL)
        closedir(d);
}

static void put_texts(void)
{
    static const char *const http[] = {
        "\x01GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x02POST /x?y=z HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhelloGET / "
        "HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x03PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: "
        "T\r\n\r\n5;e=\"v\"\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        "\x04POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: "
        "close\r\nContent-Length: 0\r\n\r\n",
        "\x05HEAD http://a/b%20c HTTP/1.1\r\nHost: a\r\nAccept: */*,\r\nX: \xff\t1 \r\n\r\n",
        "\x06OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "\x07POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "\x08GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX : y\r\n folded\r\n\r\n",
        "\x09POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        "chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n\n",
    };
    static const char *const values[] = {
        "\x0b"
        "12345",
        "\x09-1.5e3",
        "\x0c\"a\\u{1f370}\\n\"",
        "\x0d\x02[1, 2, 3]",
        "\x14\x02\x03{a: 1, b-c: true}",
        "\x18some(\"x\")",
        "\x15{a, none}",
        "\x0a'\\''",
    };
    put("deployed", "", 0,
        HF_VIEW("{\"version\":1,\"services\":[{\"name\":\"web\",\"manifest\":\"sha256:"
                "0101010101010101010101010101010101010101010101010101010101010101\",\"deployed\":{"
                "\"component\":\"sha256:"
                "0202020202020202020202020202020202020202020202020202020202020202\",\"before\":"
                "null,\"at_unix_ms\":1764300000000}}]}"));
    for (size_t i = 0; i < HF_ARRAY_LEN(http); i++)
        put("http1", "", 0, hf_view_of(http[i]));
    for (size_t i = 0; i < HF_ARRAY_LEN(values); i++)
        put("value_text", "", 0, hf_view_of(values[i]));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "seeds OUT [FILE-OR-FOLDER...]\n");
        return 2;
    }
    out = argv[1];
    (void)mkdir(out, 0777);
    put_texts();
    for (int i = 2; i < argc; i++)
        walk(argv[i], 5);
    printf("%u seeds\n", n_files);
    return 0;
}
