/* What -fsanitize=bounds calls at an index beyond an array. Its own library is not linked: this notes the place, for the test to
 * read. The data that the compiler passes begin with it: a file's name, a line, a column. */
#include <stdint.h>

extern "C" {
struct bounds_place {
    const char *file;
    uint32_t line, column;
};

__attribute__((visibility("default"))) struct bounds_place bounds_first; /* the first since the test cleared it */
__attribute__((visibility("default"))) long bounds_count;

void __ubsan_handle_out_of_bounds(const struct bounds_place *place, uintptr_t index);
void __ubsan_handle_out_of_bounds(const struct bounds_place *place, uintptr_t)
{
    if (bounds_count++ == 0)
        bounds_first = *place;
}
}
