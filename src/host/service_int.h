/* service_int.h - a service and one worker's share of it, for service.c and guest.c. Internal to the room. */
#ifndef HF_HOST_SERVICE_INT_H
#define HF_HOST_SERVICE_INT_H

#include <stdatomic.h>

#include "base/ip.h"
#include "base/metric.h"
#include "host/guest.h"
#include "host/names.h"
#include "os/os.h"
#include "os/tls.h"

struct hf_kv_grants { /* kv_int.h */
    struct hf_kv_grant *ptr;
    size_t n;
};
struct hf_service {
    struct hf_service_settings s; /* texts point at the copies below */
    char *name, **env, **args, **keyvalue, **config;
    struct hf_kv_grants kv;
    struct hf_fs_grants *grants; /* never NULL */
    struct hf_net_rules *net; /* never NULL */
    struct hf_net_rules *http; /* where outgoing requests may go: outbound and net; never NULL */
    struct hf_tls_context *tls; /* of outgoing requests; NULL: none may be made */
    struct hf_component *component;
    const struct hf_export *handle;
    const struct hf_export *init, *shutdown; /* hooks; NULL: it has none (service.h) */
    struct hf_image *image;   /* what a reset goes back to; may be read once `resets` is set */
    _Atomic bool resets;      /* instances are put back after each request */
    _Atomic bool single_said; /* single_use was called */
};
struct hf_worker_counters {
    struct hf_counter resets, reset_grown, reset_dirty, reset_handles, reset_other, pages_copied;
    struct hf_counter traps, exits, no_answer;
};
/* The last address (not a name) that an outgoing request was granted: who calls one server calls it again. Rules are
 * the service's, for good. Port 0: none yet. */
struct hf_literal {
    uint16_t port;
    uint8_t len;
    char given[HF_IP_TEXT_MAX]; /* as the authority has it, `len` bytes */
    char host[HF_IP_TEXT_MAX];  /* as it is printed */
    struct hf_os_addr addr;
};
struct hf_service_worker {
    struct hf_service *svc;
    struct hf_io *io;
    void *log_source; /* of hf_services.log_open */
    struct hf_resolver *resolver; /* names that guests look up */
    struct hf_names *names;       /* and those that outgoing requests need */
    struct hf_scanner *scanner; /* made when it is first needed */
    bool no_scanner;            /* it cannot be had here */
    struct hf_obj_pool pool;
    struct hf_literal literal;
    struct hf_worker_counters counters;
    bool second_ok;        /* an instance served a second request: the component is reusable */
    uint32_t second_traps; /* second requests that trapped before that */
    bool stays_said; /* "cannot be evicted" goes to the log once a worker, then `inspect` tells */
    bool grown_said; /* "reset=grown" goes to the log once a worker, then is only counted */
};

#endif
