/* fs_path.c - see fs_path.h. */
#include "os/fs_path.h"

struct hf_fs_split hf_fs_split(struct hf_view path)
{
    struct hf_fs_split s = {.kind = HF_FS_LAST_NONE};
    size_t end = path.len;
    while (end > 0 && path.ptr[end - 1] == '/')
        end--;
    s.slash = end < path.len;
    if (end == 0) {
        s.parent = path.len;
        return s;
    }
    size_t name = end;
    while (name > 0 && path.ptr[name - 1] != '/')
        name--;
    struct hf_view last = hf_view(path.ptr + name, end - name);
    bool dots = hf_view_eq_text(last, ".") || hf_view_eq_text(last, "..");
    s.kind = dots ? HF_FS_LAST_DOTS : HF_FS_LAST_NAME;
    s.parent = name;
    s.name = name;
    s.name_len = last.len;
    return s;
}
