/* SPDX-License-Identifier: MIT */
/*
 * hresv.c - the tool: finds the command, helps, and sees that what was said arrived
 *
 * Knows no command by name: each enters itself before main().
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tools/command.h"
#include "tools/proc.h"

static struct command *commands;

/* Sorted, or they would be listed as the build found the files. */
void command_add(struct command *command)
{
	struct command **at = &commands;

	while (*at && strcmp((*at)->name, command->name) < 0)
		at = &(*at)->next;
	command->next = *at;
	*at = command;
}

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	return c;
}

int command_failed(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("hresv: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int command_misused(const struct command *of, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "hresv %s: ", of->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'hresv help %s'.\n", of->name);
	return EXIT_USAGE;
}

static void list(FILE *to)
{
	fputs("usage: hresv [--root DIR] COMMAND [ARGUMENT ...]\n\n", to);
	for (const struct command *c = commands; c; c = c->next)
		fprintf(to, "  %-8s %s\n", c->name, c->line);
	fputs("\n'hresv help COMMAND' says more, and so does hresv(1).\n", to);
}

static void explain(const struct command *c)
{
	printf("usage: hresv %s", c->usage);
}

/* How many single-letter changes make @a into @b, as far as a hint needs it. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), same = 0;

	while (same < la && same < lb && a[same] == b[same])
		same++;
	while (la > same && lb > same && a[la - 1] == b[lb - 1])
		la--, lb--;
	return la > lb ? la - same : lb - same;
}

static int unknown(const char *name)
{
	const struct command *best = NULL;
	size_t least = 3;

	for (const struct command *c = commands; c; c = c->next) {
		size_t d = distance(name, c->name);

		if (d < least) {
			least = d;
			best = c;
		}
	}
	fprintf(stderr, "hresv: there is no command '%s'", name);
	if (best)
		fprintf(stderr, "; did you mean '%s'?\n", best->name);
	else
		fputs("; 'hresv help' lists them.\n", stderr);
	return EXIT_USAGE;
}

static int help_main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		list(stdout);
		return EXIT_FINE;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	explain(c);
	return EXIT_FINE;
}

COMMAND(help, .name = "help", .line = "this list, or what a command takes",
	.usage = "help [COMMAND]\n", .run = help_main);

/* Output that nobody got must not look like success. */
static int closed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "hresv: cannot write: %s\n", strerror(errno));
	return status ? status : EXIT_FAILED;
}

static int start(int argc, char **argv)
{
	const struct command *c = find(argv[0]);

	if (!c)
		return unknown(argv[0]);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		explain(c);
		return EXIT_FINE;
	}
	optind = 1;
	return c->run(argc, argv);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "root", required_argument, NULL, 'r' },
		{ 0 },
	};
	int option;

	setlocale(LC_CTYPE, "");
	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1)
		switch (option) {
		case 'h':
			list(stdout);
			return closed(EXIT_FINE);
		case 'V':
			puts("hresv " HRESV_VERSION);
			return closed(EXIT_FINE);
		case 'r':
			proc_set_root(optarg);
			break;
		default:
			fputs("'hresv help' says how it is called.\n", stderr);
			return EXIT_USAGE;
		}
	if (optind == argc) {
		list(stderr);
		return EXIT_USAGE;
	}
	return closed(start(argc - optind, argv + optind));
}
