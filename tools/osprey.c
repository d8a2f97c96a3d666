/* The program: finds the subcommand and runs it. */
#include <signal.h>
#include <string.h>

#include "options.h"
#include "tools.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"detect", tool_detect, "find objects in pictures"},
    {"convert", tool_convert, "turn a PyTorch checkpoint into a weight file"},
    {"info", tool_info, "what is in a weight file, and what running it costs"},
    {"bench", tool_bench, "where the time goes, measured"},
    {"compare", tool_compare, "backends beside one another: times, agreement, and why one is not faster"},
    {"ladder", tool_ladder, "the rungs of one op, from the plainest up: checked, counted, timed"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_help(void)
{
    printf("usage: osprey COMMAND [options] ...\n\nObject detection in C, from a converted weight file, with no machine-learning "
           "framework.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].about);
    printf("\n  osprey help COMMAND, or osprey COMMAND --help, tells more; osprey --version\n\n"
           "  osprey detect photo.jpg --out .      finds faces, motorcycles and airplanes with the model that ships\n\n%s",
           exit_help);
    return EXIT_DONE;
}

static const struct command *find_command(const char *name)
{
    const char *names[COMMANDS + 1] = {NULL};
    for (int i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    const char *near = nearest_word(name, names);
    if (near)
        say("there is no command %s; is %s meant?", name, near);
    else
        say("there is no command %s; osprey --help lists them", name);
    return NULL;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        say("no command given; osprey --help lists them");
        return EXIT_USAGE;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (help && argc == 2))
        return print_help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("osprey %s (%s)\n", OSP_VERSION, commit_name());
        return EXIT_DONE;
    }
    const struct command *command = find_command(argv[help ? 2 : 1]);
    if (!command)
        return EXIT_USAGE;
    char help_option[] = "--help", *for_help[] = {argv[help ? 2 : 1], help_option, NULL};
    return help ? command->run(2, for_help) : command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an output that cannot be written, and is said so */
    int status = dispatch(argc, argv);
    if (status == EXIT_DONE && stdout_flush() != OSP_OK)
        status = say_failure(OSP_UNWRITTEN);
    return status;
}
