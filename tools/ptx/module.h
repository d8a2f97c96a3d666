/* A PTX module as parsed: symbols, functions, statements. Made by parse*.c, read by decode*.c. */
#ifndef PTX_MODULE_H
#define PTX_MODULE_H

#include "ptx.h"

enum ptx_type {
    TYPE_NONE,
    TYPE_PRED,
    TYPE_B8,
    TYPE_B16,
    TYPE_B32,
    TYPE_B64,
    TYPE_U8,
    TYPE_U16,
    TYPE_U32,
    TYPE_U64,
    TYPE_S8,
    TYPE_S16,
    TYPE_S32,
    TYPE_S64,
    TYPE_F16,
    TYPE_BF16,
    TYPE_F16X2,
    TYPE_BF16X2,
    TYPE_F32,
    TYPE_F64,
    TYPES
};
enum ptx_type ptx_type_named(const char *name, size_t length); /* "f32"; TYPE_NONE: no such type */
uint32_t ptx_type_bytes(enum ptx_type type);                   /* of a predicate: 4, a bit for each lane */

enum ptx_space { SPACE_NONE, SPACE_GLOBAL, SPACE_CONST, SPACE_SHARED, SPACE_LOCAL, SPACE_PARAM, SPACE_GENERIC };

enum symbol_kind { SYMBOL_REGISTER, SYMBOL_RANGE, SYMBOL_VARIABLE, SYMBOL_FUNCTION };

struct function;
struct symbol {
    struct symbol *next; /* in the bucket of its name; later declarations come first */
    const char *name;
    enum symbol_kind kind;
    uint32_t serial, scope; /* when declared; in which { } */
    /* registers */
    enum ptx_type type;
    uint32_t reg, count; /* number of the (first) register */
    /* variables */
    enum ptx_space space;
    uint32_t align;
    uint64_t bytes;
    uint64_t address; /* global, const: device address. local, param: offset in the function's frame or the kernel's parameters */
    bool is_extern, kernel_parameter;
    uint32_t shared_kernel; /* the kernel (serial + 1) whose layout `shared_offset` is of: decode.c lays out what a kernel uses */
    uint32_t shared_offset;
    unsigned char *data; /* initial bytes, or NULL for zeros */
    /* functions */
    struct function *function;
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_REGISTER, /* reg; reg2 if `p|q` */
    OPERAND_SINK,     /* _ ; reg2 if `_|q` */
    OPERAND_INTEGER,  /* value */
    OPERAND_FLOAT,    /* value: bits of an f32 (0f...) */
    OPERAND_DOUBLE,   /* value: bits of an f64 (0d... or a decimal) */
    OPERAND_SYMBOL,   /* symbol + value */
    OPERAND_NAME,     /* a label or a function that comes later */
    OPERAND_SPECIAL,  /* %tid.x: value is its number */
    OPERAND_ADDRESS,  /* [elements[0] + value] */
    OPERAND_VECTOR,   /* {elements} */
    OPERAND_LIST      /* (elements) */
};

struct operand {
    uint8_t kind;
    bool negated, pair, pair_sink; /* !p; p|q; p|_ */
    uint8_t count;                 /* of elements */
    uint32_t reg, reg2;
    int64_t value;
    union {
        struct symbol *symbol;
        const char *name;
        struct operand *elements;
    } u;
};

enum { MOST_OPERANDS = 6, MOST_ELEMENTS = 64, MOST_PARTS = 16, NO_REGISTER = UINT32_MAX };

struct statement {
    int line;
    const char *text; /* where it starts, for messages */
    const char *opcode;
    uint32_t guard; /* NO_REGISTER: none */
    bool guard_negated;
    uint8_t operands;
    uint32_t scope;
    struct operand *operand;
};

struct label {
    const char *name;
    uint32_t statement;    /* index of the statement that follows */
    uint32_t target_count; /* .branchtargets: a list of labels under this name */
    const char **targets;
    struct label *next;
};

enum { BUCKETS = 256 };
struct function {
    const char *name;
    bool entry, defined;
    int line;
    uint32_t serial;
    struct symbol **parameter; /* of the function; kernel parameters have space PARAM and kernel_parameter */
    uint32_t parameters;
    struct symbol *result;
    struct statement *body;
    uint32_t statements, room;
    enum ptx_type *register_type;
    uint32_t registers;
    struct label *labels[BUCKETS];
    uint32_t frame_bytes, frame_align; /* .local variables and .param variables of calls */
    uint32_t maxntid[3];
    bool reqntid;
    struct ptx_parameter *info;
    uint32_t param_bytes;
};

struct relocation {
    struct symbol *where;
    uint64_t offset;
    uint32_t bytes;
    const char *name;
    int64_t addend;
    int line;
};

struct arena_chunk;
struct ptx_module {
    struct arena_chunk *arena;
    struct ptx_memory *memory;
    int version, target;
    struct function **functions;
    uint32_t function_count, function_room;
    struct symbol **variables; /* .global and .const */
    uint32_t variable_count, variable_room;
    struct ptx_variable *public_variables;
    struct ptx_kernel **kernels;
    uint32_t kernel_count;
    uint64_t const_bytes;
};

/* The module's own memory, freed with it. NULL when there is none left. */
void *ptx_arena(struct ptx_module *module, size_t bytes);

struct parser {
    const char *at, *end;
    int line;
    struct ptx_module *module;
    struct ptx_error *error;
    struct symbol **buckets; /* SYMBOL_BUCKETS of them */
    uint32_t serial, scope, next_scope, depth;
    uint32_t scope_stack[32];
    struct symbol **declared;
    uint32_t declared_count, declared_room;
    struct function *function; /* being parsed */
    uint32_t register_room;
    struct relocation *relocations;
    uint32_t relocation_count, relocation_room;
};
enum { SYMBOL_BUCKETS = 4096 };

/* Fills error once and returns false, so that `return ptx_fail(...)` reads well. */
bool ptx_fail(struct ptx_error *error, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool ptx_grow(struct parser *p, void *list, uint32_t count, uint32_t *room,
              size_t each); /* room for one more in *(void **)list */

/* lex.c */
void lex_space(struct parser *p);
int lex_peek(struct parser *p); /* the next character that is not space; 0 at the end */
bool lex_take(struct parser *p, char c);
bool lex_expect(struct parser *p, char c);
const char *lex_word(struct parser *p);                 /* copied to the arena; NULL: none there */
bool lex_word_is(struct parser *p, const char *word);   /* takes it if it is there */
bool lex_number(struct parser *p, struct operand *out); /* OPERAND_INTEGER, FLOAT or DOUBLE */
bool lex_count(struct parser *p, uint64_t most, uint64_t *out, const char *what);
bool lex_string(struct parser *p);
void lex_skip_line(struct parser *p);
const char *lex_line(const char *text, const char *end, char *out, size_t room); /* the statement's text, shortened */

/* symbols.c */
struct symbol *symbol_declare(struct parser *p, const char *name, enum symbol_kind kind);
struct symbol *symbol_find(struct parser *p, const char *name, uint32_t *reg); /* reg: of a register */
bool scope_open(struct parser *p);
void scope_close(struct parser *p);
struct label *label_find(const struct function *f, const char *name);
struct label *label_add(struct parser *p, const char *name);
uint32_t ptx_hash(const char *name, size_t length);

/* parse_body.c */
bool parse_body(struct parser *p);
bool parse_variable(struct parser *p, enum ptx_space space, bool is_extern); /* parse_data.c: after the space's name */
bool parse_place(struct parser *p, struct symbol *s);                        /* in the frame of the function being parsed */
bool parse_link(struct parser *p);                                           /* fills in addresses of symbols in initialisers */
int special_register(const char *name);                                      /* specials.c: -1: none of that name */
enum ptx_type special_type(int special);

#endif
