/* SHA-256, against known hashes and one way of computing it against the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/sha256.h"

static void known_hashes(void **state)
{
    static const struct {
        size_t size; /* so many letters 'a' */
        const char *hex;
    } known[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
        {55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {57, "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6"},
        {63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        {64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        {119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
        {120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
        {1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    char hex[65];
    osp_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char *bytes = malloc(known[i].size + 1); /* one more, and not aligned */
        memset(bytes, 'a', known[i].size + 1);
        osp_sha256_hex(bytes + 1, known[i].size, hex);
        assert_string_equal(hex, known[i].hex);
        free(bytes);
    }
}

/* The processor's instructions do what the plain loop does, whatever the state and however many blocks. */
static void both_ways(void **state)
{
    enum { BLOCKS = 33 };
    osp_sha256_absorb *fast = osp_sha256_fast();
    uint32_t plain[8], other[8], number = 1;
    uint8_t bytes[1 + 64 * BLOCKS];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((number = number * 1664525 + 1013904223) >> 24);
    for (size_t count = 0; fast && count <= BLOCKS; count++) {
        for (int i = 0; i < 8; i++)
            plain[i] = other[i] = number = number * 1664525 + 1013904223;
        osp_sha256_portable(plain, bytes + 1, count); /* not aligned */
        fast(other, bytes + 1, count);
        assert_memory_equal(plain, other, sizeof plain);
    }
    /* "abc" as FIPS 180-4 pads it, by the plain loop, which osp_sha256_hex leaves alone where there is a faster one */
    uint8_t abc[64] = {'a', 'b', 'c', 0x80, [63] = 24};
    uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    osp_sha256_portable(hash, abc, 1);
    assert_int_equal(hash[0], 0xba7816bf);
    assert_int_equal(hash[7], 0xf20015ad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_hashes),
        cmocka_unit_test(both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
