/* watch.c - looks instead of being told: inotify follows an inode, and editors, compilers and links
 * replace those; a stat of a few files three times a second costs nothing. */
#include "cli/watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_NS 300000000

struct mark { /* what tells one state of a file from another; all zero: it is not there */
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct cli_watch {
    void (*changed)(void *ctx, const char *path);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stop;
    size_t n;
    struct file {
        char *path;
        struct mark told, last; /* what was told of; what the last look saw */
    } *files;
};

static struct mark look(const char *path)
{
    struct mark m;
    struct stat st;
    memset(&m, 0, sizeof m);
    if (stat(path, &st) == 0)
        m = (struct mark){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return m;
}

static bool same(const struct mark *a, const struct mark *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* False: it is to stop. */
static bool pause_for_a_look(struct cli_watch *w)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->stop && rc == 0)
        rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    bool go_on = !w->stop;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *watch(void *arg)
{
    struct cli_watch *w = arg;
    while (pause_for_a_look(w))
        for (size_t i = 0; i < w->n; i++) {
            struct file *f = &w->files[i];
            struct mark now = look(f->path);
            bool still = same(&now, &f->last), there = now.ino != 0;
            f->last = now;
            if (still && there && !same(&now, &f->told)) {
                f->told = now;
                w->changed(w->ctx, f->path);
                break; /* the files may be others now */
            }
        }
    return NULL;
}

static void free_files(struct file *files, size_t n)
{
    for (size_t i = 0; files != NULL && i < n; i++)
        free(files[i].path);
    free(files);
}

int cli_watch_open(void (*changed)(void *ctx, const char *path), void *ctx, struct cli_watch **ret)
{
    pthread_condattr_t attr;
    struct cli_watch *w = *ret = calloc(1, sizeof *w);
    if (w == NULL)
        return -1;
    w->changed = changed;
    w->ctx = ctx;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    return 0;
}

int cli_watch_set(struct cli_watch *w, const char *const *paths, size_t n)
{
    struct file *files = calloc(n + 1, sizeof *files);
    if (files == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct mark now = look(paths[i]);
        files[i] = (struct file){strdup(paths[i]), now, now};
        if (files[i].path == NULL) {
            free_files(files, i);
            return -1;
        }
        for (size_t k = 0; k < w->n; k++)
            if (strcmp(w->files[k].path, paths[i]) == 0) {
                files[i].told = w->files[k].told;
                files[i].last = w->files[k].last;
            }
    }
    free_files(w->files, w->n);
    w->files = files;
    w->n = n;
    return 0;
}

int cli_watch_start(struct cli_watch *w)
{
    sigset_t all, was;
    sigfillset(&all); /* signals are the command's own thread's */
    pthread_sigmask(SIG_SETMASK, &all, &was);
    int err = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    w->started = err == 0;
    errno = err;
    return err == 0 ? 0 : -1;
}

void cli_watch_close(struct cli_watch *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free_files(w->files, w->n);
    free(w);
}

void cli_say_reloaded(const char *command, const char *path, enum hf_status st, const char *words)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    if (st == HF_STATUS_OK)
        fprintf(stderr, "reloaded: %s changed\n", name);
    else if (st != HF_STATUS_STOPPED) /* it ends, so nothing is lost */
        fprintf(stderr, "holdfast %s: %s changed and is not taken, what was served before goes on: %s\n", command, name, words);
}
