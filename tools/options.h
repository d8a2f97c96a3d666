/* Command-line options, from one table: parsing, --help, range checks, and "did you mean". */
#ifndef OSPREY_TOOLS_OPTIONS_H
#define OSPREY_TOOLS_OPTIONS_H

enum option_kind {
    OPTION_FLAG,  /* int, set to 1; takes no value */
    OPTION_TEXT,  /* const char * */
    OPTION_MAYBE, /* const char *: "--name" sets "", "--name=VALUE" the value */
    OPTION_INT,   /* int, min..max */
    OPTION_REAL,  /* double, min..max */
    OPTION_SIZE,  /* struct option_size: "HxW", both min..max */
    OPTION_BYTES  /* double: "1G", "512M", "64K" or a number of bytes, min..max; K, M and G are powers of 1000 */
};

struct option_size {
    int height, width; /* 0, 0: not given */
};

/* One row; a table ends with a row whose name is NULL. A row without `out` is a heading for --help. */
struct option {
    const char *name; /* "threads" for --threads */
    char letter;      /* 'q' for -q; 0: none */
    enum option_kind kind;
    void *out;
    const char *value; /* what --help calls the value: "N" */
    const char *help;  /* one line or more, joined by '\n' */
    double min, max;
};

/* How a subcommand describes itself to --help. */
struct command_help {
    const char *name;  /* "detect" */
    const char *usage; /* "[options] INPUT..." */
    const char *about; /* paragraphs before the options */
    const char *notes; /* after them; NULL: none */
};

/* Reads argv[1..argc-1]. Options may stand anywhere ("--name VALUE", "--name=VALUE", "-q"); "--" ends them. What is left over
 * goes to `rest` (room for argc), its number to `rest_count`. Returns 0 to go on; 1 when --help was asked for and printed on
 * stdout; -1 after a sentence on stderr about what is wrong, for which the program's exit status is EXIT_USAGE. */
int options_parse(int argc, char **argv, const struct option *table, const struct command_help *help, char **rest,
                  int *rest_count);

/* The candidate (NULL-terminated list) nearest to `word`, or NULL if none is near enough to be meant. */
const char *nearest_word(const char *word, const char *const *candidates);

#endif
