/* One embedded fat binary. Compiled once for each kernel file, with IMAGE (its symbol), SOURCE (the file) and, where nvcc made
 * one, FATBIN (its path). */
#include "kernels/launch.h"

#ifdef FATBIN
__asm__(".section .rodata\n"
        ".balign 16\n"
        "image_begin:\n"
        ".incbin \"" FATBIN "\"\n"
        "image_end:\n"
        ".byte 0\n"
        ".text\n");
extern const unsigned char image_begin[], image_end[];
#else
static const unsigned char image_begin[1], *const image_end = image_begin;
#endif

extern const struct cuda_image IMAGE;
const struct cuda_image IMAGE = {SOURCE, image_begin, image_end};

/* The linker gathers these of all files into one array; backend.c goes through it. */
static const struct cuda_image *const entry __attribute__((section("cuda_images"), used)) = &IMAGE;
