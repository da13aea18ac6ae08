/* SPDX-License-Identifier: MIT */
/* conf.c - `hresv conf`: is a hresv.conf right, and what would a program get of it? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/conf.h"
#include "core/facts/conf_file.h"
#include "tools/command.h"
#include "tools/program.h"
#include "tools/screen.h"

static struct screen screen;

static void print_clean(struct span s)
{
	size_t columns;
	char *text = screen_clean(&screen, s.at, s.bytes, &columns);

	fputs(text ? text : "?", stdout);
	free(text);
}

/* FILE:LINE:COLUMN: as compilers say it, so that editors find the place. */
static void tell(const char *path, unsigned line, unsigned column, struct span about,
		 const char *what, const char *instead)
{
	print_clean(span_of(path));
	printf(":%u:%u: ", line, column);
	if (about.bytes) {
		print_clean(about);
		putchar(' ');
	}
	printf("%s%s%s%s\n", what, *instead ? "; programs use the default (" : "", instead,
	       *instead ? ")" : "");
}

/* 1 when there is something to say about the line. */
static unsigned check_line(const char *path, const struct conf_line *l)
{
	struct conf_remark remark = { .file = path, .variable = l->name };
	unsigned wrong;
	char *value;

	if (l->kind == CONF_LINE_WRONG) {
		tell(path, l->line, l->column, l->name, l->what, "");
		return 1;
	}
	if (l->kind != CONF_LINE_SETTING)
		return 0;
	value = strndup(l->value.at, l->value.bytes);
	if (!value)
		exit(command_failed("out of memory"));
	remark.value = span_of(value);
	wrong = conf_check_setting(&remark);
	if (wrong && strstr(remark.what, "variable"))
		tell(path, l->line, l->column, l->name, remark.what, "");
	else if (wrong)
		tell(path, l->line, l->value_column, l->value, remark.what, remark.used_instead);
	free(value);
	return wrong;
}

static int check(const struct conf_file *file)
{
	struct conf_cursor cursor = { .rest = { file->text.at, file->text.bytes } };
	unsigned wrong = 0, settings = 0, rules = 0;
	struct conf_line l;

	while (conf_file_next(&cursor, &l)) {
		wrong += check_line(file->path, &l);
		settings += l.kind == CONF_LINE_SETTING;
		rules += l.kind == CONF_LINE_RULE;
	}
	if (wrong)
		return EXIT_FAILED;
	print_clean(span_of(file->path));
	printf(": nothing is wrong; %u setting%s, %u rule%s\n", settings, settings == 1 ? "" : "s",
	       rules, rules == 1 ? "" : "s");
	return EXIT_FINE;
}

/* What the environment would have to say to come to the same: the last of each name. */
static int show(struct conf_file *file, char *name)
{
	char *argv[] = { name, NULL };
	struct program p;
	int err;

	program_open(argv, &p);
	if (!p.path) {
		program_close(&p);
		return command_failed("%s: %s", name, strerror(p.error));
	}

	const struct conf_program who = { p.path, { (const char *)p.binary.build_id,
						    p.binary.build_id_bytes } };

	err = conf_file_select(file, &who);
	program_close(&p);
	if (err)
		return command_failed("out of memory");

	const struct conf_setting *s = (const void *)file->settings.at;
	const size_t n = file->settings.bytes / sizeof(*s);

	for (size_t i = 0; i < n; i++) {
		bool last = !s[i].wrong;

		for (size_t k = i + 1; last && k < n; k++)
			last = s[k].wrong || !conf_same_variable(s[i].name, s[k].name);
		if (!last)
			continue;
		print_clean(s[i].name);
		fputs(" = ", stdout);
		print_clean(s[i].value);
		printf("\t# line %u\n", s[i].line);
	}
	return EXIT_FINE;
}

static int conf_main(int argc, char **argv)
{
	static const struct option options[] = { { "for", required_argument, NULL, 'f' }, { 0 } };
	struct conf_file file;
	char *program = NULL;
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'f')
			return EXIT_USAGE;
		program = optarg;
	}
	if (argc - optind > 1) {
		fputs("hresv conf: one file at most\nTry 'hresv help conf'.\n", stderr);
		return EXIT_USAGE;
	}
	screen_start(&screen, stdout);
	if (conf_file_read(optind < argc ? argv[optind] : conf_system_file(), &file) != 0)
		return command_failed("out of memory");
	if (file.error)
		return command_failed("%s: %s", file.path,
				      file.error == -EINVAL ? "is not a file" : strerror(-file.error));
	status = program ? show(&file, program) : check(&file);
	conf_file_free(&file);
	return status;
}

COMMAND(conf, .name = "conf", .line = "check hresv.conf, or show what a program gets of it",
	.usage = "conf [--for=PROGRAM] [FILE]\n"
		 "\n"
		 "  Says FILE:LINE:COLUMN of what is wrong, and ends with 1 then. FILE is\n"
		 "  /etc/hresv.conf unless given; hresv.conf(5) says what stands in it.\n"
		 "  --for=PROGRAM    the settings that concern this program instead\n",
	.run = conf_main);
