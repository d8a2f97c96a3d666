/* From statements to instructions. A kernel and the functions that it calls become one array of instructions whose operands are
 * numbers of virtual registers; registers.c then gives each its place in the register file. */
#ifndef PTX_DECODE_H
#define PTX_DECODE_H

#include "exec.h"
#include "module.h"

enum { /* numbers of lanes.def's rows */
#define VALUE1(name, ...) LANE_##name,
#define VALUE2(name, ...) LANE_##name,
#define VALUE3(name, ...) LANE_##name,
#define TEST1(name, ...)  LANE_##name,
#define TEST2(name, ...)  LANE_##name,
#define SELECT(name, ...) LANE_##name,
#include "lanes.def"
       LANE_ROWS
};

enum row_kind { ROW_VALUE, ROW_TEST, ROW_SELECT };
enum { FLAG_FTZ = 1, FLAG_SAT = 2, FLAG_AND = 4, FLAG_OR = 8, FLAG_XOR = 16 };

struct lane_row {
    const char *pattern;
    uint8_t kind, sources;
    uint8_t bytes[4]; /* of d, a, b, c */
    bool floats[4];   /* an integer constant is no operand for it */
};
extern const struct lane_row ptx_lane_rows[LANE_ROWS];
bool ptx_row_matches(const char *pattern, const char *opcode, uint32_t *flags); /* "add.u32/s32" and "add.s32" */

enum field { FIELD_D, FIELD_A, FIELD_B, FIELD_C, FIELD_PRED, FIELD_MORE };

struct reference {
    uint32_t insn, vreg;
    uint16_t field; /* FIELD_MORE + n */
    bool defines;
};

struct vreg {
    uint16_t bytes; /* of one lane; 0: predicate */
    uint16_t function;
    bool fixed; /* a constant or special register: has its place for the whole kernel */
    bool used;
    uint64_t value; /* of a constant */
    int special;    /* -1: none */
    uint32_t next;  /* in its hash chain */
    uint32_t offset;
};

struct jump {
    uint32_t insn;
    uint32_t statement; /* of the same function */
    uint32_t *where;    /* NULL: insn's imm; else an entry of its more */
};

struct decoded_function {
    struct function *function;
    uint32_t base; /* vreg of its register 0 */
    bool frame_placed;
    uint32_t frame;      /* offset of its frame in local memory */
    uint32_t start, end; /* in code */
    uint32_t first_jump, last_jump;
};

struct row_memo {
    const char *opcode;
    int row;
    uint32_t flags;
};

enum { MEMOS = 1024, CONSTANT_BUCKETS = 256, MOST_FUNCTIONS = 1024 };

struct decoder {
    struct ptx_module *module;
    struct ptx_error *error;
    struct ptx_kernel *kernel;
    uint32_t kernel_serial;
    struct decoded_function *functions;
    uint32_t function_count, function_room, current;
    struct insn *code;
    uint32_t code_count, code_room;
    struct reference *refs;
    uint32_t ref_count, ref_room;
    struct vreg *vregs;
    uint32_t vreg_count, vreg_room;
    struct jump *jumps;
    uint32_t jump_count, jump_room;
    struct jump *calls; /* statement: index of the function */
    uint32_t call_count, call_room;
    struct where *where;
    uint32_t where_count, where_room;
    uint32_t constants[CONSTANT_BUCKETS];
    uint32_t never; /* the predicate that is never set */
    uint32_t shared_bytes, dynamic_align, slots;
    const struct statement *statement;
    struct row_memo memo[MEMOS];
    const char *parts[MOST_PARTS]; /* of the opcode */
    char part_text[160];
    int part_count;
};

/* decode.c */
bool decode_fail(struct decoder *d, const char *format, ...) __attribute__((format(printf, 2, 3))); /* adds line and text */
bool decode_unknown(struct decoder *d);
bool decode_push(struct decoder *d, const struct insn *insn); /* guard and position are filled in */
bool decode_ref(struct decoder *d, enum field field, uint32_t more, uint32_t vreg,
                bool defines); /* of the last instruction pushed */
bool decode_temporary(struct decoder *d, uint32_t bytes, uint32_t *vreg);
bool decode_constant(struct decoder *d, uint32_t bytes, uint64_t value, uint32_t *vreg);
bool decode_source(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_float,
                   uint32_t *vreg); /* bytes 0: a predicate */
bool decode_target(struct decoder *d, const struct operand *o, uint32_t bytes, uint32_t *vreg);
uint32_t decode_register_bytes(const struct decoder *d, const struct operand *o); /* 0: a predicate */
bool decode_symbol(struct decoder *d, struct symbol *s, uint64_t *value);
bool decode_resize(struct decoder *d, uint32_t from, uint32_t from_bytes, uint32_t to, uint32_t to_bytes, bool is_signed);
/* A register that is wider than a memory access or a conversion: *vreg is a temporary, and afterwards decode_widen brings it
 * home. */
bool decode_narrow_source(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_float, uint32_t *vreg);
bool decode_wide_target(struct decoder *d, const struct operand *o, uint32_t bytes, uint32_t *vreg);
bool decode_widen(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_signed, uint32_t vreg);
bool decode_lane(struct decoder *d, int row, uint32_t target, const uint32_t *sources); /* one instruction of lanes.def */
bool decode_lane_statement(struct decoder *d, int row, uint32_t flags);
bool decode_operands(struct decoder *d, uint32_t least, uint32_t most);
uint32_t *decode_more(struct decoder *d, struct insn *insn, uint32_t count);
int decode_row(struct decoder *d, const char *opcode, uint32_t *flags); /* -1: not in lanes.def */
uint32_t decode_frame(struct decoder *d, uint32_t function);
bool decode_part_is(const struct decoder *d, int part, const char *word);
bool decode_grow(void *list, uint32_t count, uint32_t *room, size_t each);

/* decode_memory.c, decode_flow.c, decode_misc.c: builders by the first part of the opcode */
typedef bool builder(struct decoder *d);
builder build_load, build_store, build_atomic, build_cvta, build_prefetch, build_ldmatrix, build_cp, build_isspacep;
builder build_branch, build_brx, build_call, build_return, build_exit, build_trap, build_barrier, build_fence, build_nothing;
builder build_shuffle, build_vote, build_match, build_redux, build_active, build_elect;
builder build_mov, build_predicate, build_lop3, build_bfi, build_carry, build_mma, build_set, build_setp;
struct operand *decode_vector(struct decoder *d, struct operand *o, uint32_t *count); /* {a, b} or a single operand */

/* registers.c */
bool decode_allocate(struct decoder *d);

#endif
