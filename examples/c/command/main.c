/* A plain C program as a command: nothing in it knows of WebAssembly. clang --target=wasm32-wasi main.c */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int cat(void)
{
    static char buf[65536];
    ssize_t n;
    while ((n = read(0, buf, sizeof buf)) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(1, buf + done, (size_t)(n - done))) < 0)
                return perror("write"), 3;
    return n < 0 ? 4 : 0;
}

/* Bytes 0, 1, 2 ... 255, 0 ... */
static int big(unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        if (putchar((int)(i & 255)) == EOF)
            return perror("putchar"), 3;
    return fflush(stdout) == 0 ? 0 : 3;
}

static int grow(unsigned long mib)
{
    unsigned long sum = 0;
    for (unsigned long i = 0; i < mib; i++) {
        unsigned char *p = malloc(1 << 20);
        if (p == NULL)
            return 5;
        memset(p, (int)i, 1 << 20);
        sum += p[i];
    }
    printf("grew %lu\n", sum);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "hello";
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (strcmp(what, "hello") == 0)
        return printf("hello from C\n"), 0;
    if (strcmp(what, "args") == 0) {
        for (int i = 0; i < argc; i++)
            printf("%s\n", argv[i]);
        return 0;
    }
    if (strcmp(what, "env") == 0) {
        for (char **e = environ; *e != NULL; e++)
            printf("%s\n", *e);
        return 0;
    }
    if (strcmp(what, "cat") == 0)
        return cat();
    if (strcmp(what, "big") == 0)
        return big(n);
    if (strcmp(what, "grow") == 0)
        return grow(n);
    if (strcmp(what, "exit") == 0)
        exit((int)n);
    if (strcmp(what, "both") == 0)
        return fprintf(stdout, "out\n"), fflush(stdout), fprintf(stderr, "err\n"), 0;
    if (strcmp(what, "tty") == 0)
        return printf("%d%d%d\n", isatty(0), isatty(1), isatty(2)), 0;
    if (strcmp(what, "trap") == 0) {
        printf("before\n");
        fflush(stdout);
        __builtin_trap();
    }
    if (strcmp(what, "loop") == 0)
        for (volatile uint32_t i = 0;;)
            i++;
    fprintf(stderr, "command: what is '%s'?\n", what);
    return 2;
}
