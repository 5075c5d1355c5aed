/* fs_path.h - a path as the folder that holds a name, and the name. */
#ifndef HF_OS_FS_PATH_H
#define HF_OS_FS_PATH_H

#include "base/bytes.h"

enum hf_fs_last {
    HF_FS_LAST_NAME, /* a name of the folder's own */
    HF_FS_LAST_DOTS, /* `.` or `..`: the name of no entry */
    HF_FS_LAST_NONE  /* nothing, or slashes alone */
};
struct hf_fs_split {
    enum hf_fs_last kind;
    /* Bytes from the beginning that name the folder; 0: the folder that the path starts from. A
     * leading slash stays in it. */
    size_t parent;
    size_t name, name_len; /* of the last part; slashes may follow it */
    bool slash;            /* they do: it must be a folder */
};
/* Looks at the bytes alone; takes anything. */
struct hf_fs_split hf_fs_split(struct hf_view path);

#endif
