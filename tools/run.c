/* SPDX-License-Identifier: MIT */
/* run.c - `hresv run`: preload, variables, and then the program itself */
#include "tools/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/advice.h"
#include "tools/command.h"
#include "tools/library.h"
#include "tools/program.h"
#include "tools/screen.h"
#include "tools/settings.h"
#include "tools/supply.h"

extern char **environ;

static int failed(const char *what, const char *why)
{
	fprintf(stderr, "hresv run: %s: %s\n", what, why);
	return RUN_FAILED;
}

static int set_preload(const struct run_options *o)
{
	char *path = library_find(o->library), *list;
	unsigned machine;
	int status = 0;

	if (!path || library_trouble(path, &machine) == TROUBLE_NO_LIBRARY)
		status = failed(o->library ? o->library : "libhresv.so",
				"no such library; --library=PATH names it");
	list = status ? NULL : library_preload(getenv("LD_PRELOAD"), path);
	if (!status && !list)
		status = failed(path, "LD_PRELOAD can't hold a path with a blank or a colon");
	if (list)
		setenv("LD_PRELOAD", list, 1);
	free(list);
	free(path);
	return status;
}

/* What keeps us out of it: said in a line, and with --only a reason not to start. */
static int check_program(const struct run_options *o, const struct program *p)
{
	const enum trouble t = program_trouble(p, binary_own_machine());
	struct advice a = { 0 };

	if (t == TROUBLE_NONE || t == TROUBLE_NO_PROGRAM)
		return 0;	/* exec(3) says itself what it can't start */
	advice_program(t, p, &a);
	if (!o->quiet || o->only)
		fprintf(stderr, "hresv run: %s: %s ('hresv check -- %s' says more)\n", trouble_name(t),
			a.says, p->path);
	advice_free(&a);
	/* Its heap is its allocator's, but what that maps may be huge. */
	return o->only && t != TROUBLE_ALLOCATOR ? RUN_FAILED : 0;
}

static int check_pool(const struct run_options *o, const struct program *p)
{
	struct settings settings;
	struct supply supply;
	uint64_t need, pages;

	if (!o->pool_check)
		return 0;
	if (settings_read(p, &settings) != 0)
		return failed("--pool-check", "out of memory");
	supply_read(0, &settings.conf, &supply);
	pages = supply_pages(&supply);
	settings_close(&settings);
	if (!supply.page_bytes)
		return failed("--pool-check", "this kernel has no huge pages");
	need = o->pool_check / supply.page_bytes + (o->pool_check % supply.page_bytes != 0);
	if (pages >= need)
		return 0;
	fprintf(stderr,
		"hresv run: --pool-check: %llu of %llu huge pages of %s can be had "
		"('hresv check --need=%lluK' says why)\n",
		(unsigned long long)pages, (unsigned long long)need,
		size_text(supply.page_bytes).text, (unsigned long long)(o->pool_check + 1023) >> 10);
	return RUN_FAILED;
}

/* As a line for sh(1): what would be set, then the program. */
static void quote(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_@%+=:,./-";

	if (*text && strspn(text, plain) == strlen(text)) {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	putchar('\'');
}

static void show(char *const *words)
{
	for (char *const *e = environ; *e; e++)
		if (strncmp(*e, "HUGETLB_", 8) == 0 || strncmp(*e, "LD_PRELOAD=", 11) == 0) {
			const size_t name = strcspn(*e, "=") + 1;

			printf("%.*s", (int)name, *e);
			quote(*e + name);
			putchar(' ');
		}
	for (; *words; words++) {
		quote(*words);
		putchar(words[1] ? ' ' : '\n');
	}
}

static int run_main(int argc, char **argv)
{
	struct run_options o;
	struct program p;
	int status;

	if (!run_options_read(argc, argv, &o))
		return RUN_FAILED;
	if (o.variables) {
		run_options_list();
		return 0;
	}
	program_open(argv + o.first, &p);
	status = o.no_preload ? 0 : set_preload(&o);
	if (!status)
		status = check_program(&o, &p);
	if (!status)
		status = check_pool(&o, &p);
	program_close(&p);
	if (status)
		return status;
	if (o.dry_run) {
		show(argv + o.first);
		return 0;
	}
	execvp(argv[o.first], argv + o.first);
	status = errno == ENOENT ? RUN_NOT_FOUND : RUN_NOT_RUNNABLE;
	fprintf(stderr, "hresv run: %s: %s\n", argv[o.first], strerror(errno));
	return status;
}

COMMAND(run, .name = "run", .line = "run a program on huge pages",
	.usage = "run [OPTION ...] [--] PROGRAM [ARGUMENT ...]\n"
		 "\n"
		 "  --NAME=VALUE         sets the variable HUGETLB_NAME: --limit=4G, --keep-free=8,\n"
		 "                       --fork=copy, --mmap=no, --stats=FILE; libhresv(7) lists them\n"
		 "  --variables          lists the options of all variables\n"
		 "  --page-size=SIZE     --default-page-size\n"
		 "  --only               huge pages or ENOMEM: no small pages instead\n"
		 "  --pool-check=SIZE    don't start unless so much can be had\n"
		 "  --library=PATH       the libhresv.so to preload\n"
		 "  --no-preload         sets the variables alone\n"
		 "  --dry-run            prints what would be run\n"
		 "  --quiet              no warning where the preload can't reach the program\n"
		 "  -v, -q               one more, or less, of HUGETLB_VERBOSE\n"
		 "\n"
		 "As hugectl(8) has them:\n"
		 "  --heap[=SIZE] --shm[=SIZE] --text[=SIZE] --data[=SIZE] --bss[=SIZE]\n"
		 "  --thp --share-text --no-reserve --force-preload --library-path PATH\n"
		 "\n"
		 "Ends as the program does; 125: hresv failed, 126: it can't be run, 127: not found.\n",
	.run = run_main);
