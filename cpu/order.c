#include "cpu/order.h"

/* Lets keys[top] sink until no child is larger. */
static void sink(uint64_t *keys, int64_t top, int64_t count)
{
    uint64_t key = keys[top];
    for (int64_t child; (child = 2 * top + 1) < count; top = child) {
        if (child + 1 < count && keys[child] < keys[child + 1])
            child++;
        if (keys[child] <= key)
            break;
        keys[top] = keys[child];
    }
    keys[top] = key;
}

void order_sort(uint64_t *keys, int64_t count)
{
    for (int64_t top = count / 2 - 1; top >= 0; top--)
        sink(keys, top, count);
    for (int64_t last = count - 1; last > 0; last--) {
        uint64_t largest = keys[0];
        keys[0] = keys[last];
        sink(keys, 0, last);
        keys[last] = largest;
    }
}

/* Least significant byte first. Each pass keeps the order of equals, so the ascending low halves need no pass of their own. */
void order_sort_by_rank(uint64_t *keys, uint64_t *spare, int64_t count)
{
    int64_t places[4][256] = {0};
    for (int64_t i = 0; i < count; i++)
        for (int pass = 0; pass < 4; pass++)
            places[pass][keys[i] >> (32 + 8 * pass) & 255]++;

    uint64_t *from = keys, *to = spare;
    for (int pass = 0; pass < 4 && count > 0; pass++) {
        int shift = 32 + 8 * pass;
        if (places[pass][keys[0] >> shift & 255] == count)
            continue; /* all share this byte */
        int64_t place = 0;
        for (int byte = 0; byte < 256; byte++) {
            int64_t here = places[pass][byte];
            places[pass][byte] = place;
            place += here;
        }
        for (int64_t i = 0; i < count; i++)
            to[places[pass][from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, (size_t)count * sizeof *keys);
}
