/* near.c - near.h. */
#include "base/near.h"

#define WORD_MAX 40u

static unsigned letter(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20u : c == '-' ? '_' : c;
}

unsigned hf_near_distance(struct hf_view a, struct hf_view b)
{
    unsigned rows[3][WORD_MAX + 1]; /* of the last two letters of a, and this one */
    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return HF_NEAR_FAR;
    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *now = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned x = letter(a.ptr[i - 1]), y = letter(b.ptr[j - 1]);
            unsigned best = last[j - 1] + (x != y);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && x == letter(b.ptr[j - 2]) && y == letter(a.ptr[i - 2]))
                best = before[j - 2] + 1 < best ? before[j - 2] + 1 : best;
            now[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

bool hf_near_enough(struct hf_view a, struct hf_view b)
{
    size_t may = (a.len > b.len ? a.len : b.len) / 3;
    unsigned most = may > 3 ? 3 : may < 1 ? 1 : (unsigned)may;
    return hf_near_distance(a, b) <= most;
}
