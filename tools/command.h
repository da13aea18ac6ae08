/* SPDX-License-Identifier: MIT */
/*
 * command.h - what a command of hresv says of itself
 *
 * A command is one file, tools/NAME.c or more, with one COMMAND() line. It is listed
 * by being linked: leave the file out and nothing speaks of it.
 */
#ifndef HRESV_TOOLS_COMMAND_H
#define HRESV_TOOLS_COMMAND_H

/* How the tool ends, unless a command's own manual says otherwise. */
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
	const char *name;
	const char *line;	/* what it is for, in a line of the list */
	/*
	 * What `hresv help NAME` prints: the synopsis without "hresv", then lines
	 * about options, each ending in a newline.
	 */
	const char *usage;
	/* argv[0] is the command's name; optind is 1. What it returns is the exit status. */
	int (*run)(int argc, char **argv);
	struct command *next;	/* by name; hresv.c's own */
};

/* Called before main() by what COMMAND() makes. */
void command_add(struct command *command);

/* COMMAND(status, .name = "status", .line = ..., .usage = ..., .run = status_main); */
#define COMMAND(id, ...)                                                \
	__attribute__((constructor)) static void command_enter_##id(void) \
	{                                                               \
		static struct command it = { __VA_ARGS__ };             \
									\
		command_add(&it);                                       \
	}                                                               \
	struct command

/* "hresv NAME: " and the message, then where help is, to standard error. EXIT_USAGE. */
int command_misused(const struct command *of, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "hresv: " and the message to standard error. EXIT_FAILED. */
int command_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
