/* name.h - names of processes: what one may look like, and which shard it belongs to.
 *
 * A name is a class, or a class and a key: `stock`, `cart/42`, `cart/{anna@example.org}/orders/7`.
 * Names and shards are persistent: what is said here never changes, golden tests hold it.
 *
 *     name   = class *( "/" part )            1 to 255 bytes in all
 *     class  = [a-z0-9] *( [a-z0-9] / "." / "_" / "-" )          at most 64 bytes
 *     part   = 1*( key / "{" 1*key "}" )      not "." or ".."; at most one pair of braces in a name
 *     key    = [A-Za-z0-9] / one of . _ - + : = , ; @ % ! $ ~ ( ) *
 *
 * Bytes beyond ASCII, "/" and braces in a key are written as %XX by who makes the name; the kernel
 * compares bytes and decodes nothing. A part that begins with "~" is made by the kernel (spawn
 * without a name): such a process is never made because somebody sends to it.
 *
 * A shard is the hash of the name's group: the text in braces, else the parent's group, else the
 * whole name. Where a process lives is decided by what every sender sees, so not by a group that
 * only the parent knows (far.h, link/shards.h).
 */
#ifndef HF_KERNEL_NAME_H
#define HF_KERNEL_NAME_H

#include "base/bytes.h"

#define HF_NAME_MAX       255u
#define HF_NAME_CLASS_MAX 64u
#define HF_SHARDS         256u

/* HF_INVALID: says what is wrong and at which byte. */
enum hf_err hf_name_check(struct hf_view name, struct hf_report *report);
/* The same for a class alone. */
enum hf_err hf_name_check_class(struct hf_view name, struct hf_report *report);
/* Of a valid name. The view lies in the name. */
struct hf_view hf_name_class(struct hf_view name);
/* The text in braces; empty: it has none. */
struct hf_view hf_name_group(struct hf_view name);
/* Made by the kernel: a part begins with "~". */
bool hf_name_is_made(struct hf_view name);
/* The group that counts: its own, else the parent's (empty: has none), else the whole name. */
struct hf_view hf_name_group_of(struct hf_view name, struct hf_view parent_group);
/* XXH3-64 of the group, modulo `shards` (not 0). */
uint32_t hf_name_shard(struct hf_view group, uint32_t shards);

/* Patterns, for grants: a name, or the beginning of names followed by "*" ("cart/" and "*", or "*"
 * alone). */
enum hf_err hf_name_check_pattern(struct hf_view pattern, struct hf_report *report);
bool hf_name_matches(struct hf_view name, struct hf_view pattern);

#endif
