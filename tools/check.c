/* SPDX-License-Identifier: MIT */
/* check.c - `hresv check`: what would be huge here, and what mends the rest */
#include "tools/check.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/library.h"
#include "tools/settings.h"

struct advice *check_add(struct check *c)
{
	struct advice *more = realloc(c->troubles, (c->n + 1) * sizeof(*more));

	if (!more)
		exit(command_failed("out of memory"));
	c->troubles = more;
	more[c->n] = (struct advice){ 0 };
	return &more[c->n++];
}

/* One in a list of names parted by commas? */
static bool is_accepted(const char *list, enum trouble t)
{
	struct span rest = span_of(list), name;

	while (span_next_field(&rest, ',', &name))
		if (span_equal(name, trouble_name(t)))
			return true;
	return false;
}

static void check_library(struct check *c, unsigned *ret_machine)
{
	const enum trouble t = library_trouble(c->library, ret_machine);

	if (t != TROUBLE_NONE)
		advice_library(t, c->library, check_add(c));
}

static void check_program(struct check *c, unsigned machine)
{
	const enum trouble t = program_trouble(&c->program, machine);

	if (t != TROUBLE_NONE)
		advice_program(t, &c->program, check_add(c));
}

/* All that allows less than is needed; where nobody said, all that allows nothing. */
static void check_supply(struct check *c)
{
	struct bound bounds[BOUNDS];
	const size_t n = supply_bounds(&c->supply, bounds);
	const uint64_t need = c->need_pages ? c->need_pages : 1;

	for (size_t i = 0; i < n; i++)
		if (bounds[i].pages < need)
			advice_supply(&bounds[i], &c->supply, c->need_pages, check_add(c));
	if (c->shm && c->supply.sizes.n && !c->supply.may_shm)
		advice_shm(&c->supply, check_add(c));
}

static int read_all(struct check *c, size_t page_bytes)
{
	struct settings settings;

	if (settings_read(c->argv ? &c->program : NULL, &settings) != 0)
		return command_failed("out of memory");
	supply_read(page_bytes, &settings.conf, &c->supply);
	c->have_pages = supply_pages(&c->supply);
	c->need_pages = c->supply.page_bytes ? c->need_bytes / c->supply.page_bytes +
						       (c->need_bytes % c->supply.page_bytes != 0) :
					       c->need_bytes != 0;
	check_supply(c);
	settings_close(&settings);
	return EXIT_FINE;
}

static void choose_status(struct check *c, const char *accepted)
{
	for (size_t i = 0; !c->status && i < c->n; i++)
		if (!is_accepted(accepted, c->troubles[i].trouble))
			c->status = c->troubles[i].trouble;
}

static void end(struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		advice_free(&c->troubles[i]);
	free(c->troubles);
	free(c->library);
	if (c->argv)
		program_close(&c->program);
}

/* What can't be reached can't be learned from. */
static bool is_reached(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->troubles[i].trouble != TROUBLE_ALLOCATOR)
			return false;
	return true;
}

static int perform(struct check *c, const char *library, size_t page_bytes, const char *accepted)
{
	unsigned machine;
	int status;

	c->library = library_find(library);
	if (!c->library && library)
		c->library = strdup(library);
	if (c->argv)
		program_open(c->argv, &c->program);
	check_library(c, &machine);
	if (c->argv)
		check_program(c, machine);
	if (c->trial && is_reached(c))
		check_trial(c);
	status = read_all(c, page_bytes);
	if (status == EXIT_FINE) {
		choose_status(c, accepted);
		if (c->json)
			check_print_json(c);
		else if (!c->quiet)
			check_print(c);
		status = (int)c->status;
	}
	end(c);
	return status;
}

static bool size_option(const char *option, const char *text, size_t *ret_bytes)
{
	if (text_size(span_of(text), ret_bytes) == 0 && *ret_bytes)
		return true;
	fprintf(stderr, "hresv check: --%s: \"%s\" is not a size\n", option, text);
	return false;
}

static bool known_names(const char *list)
{
	struct span rest = span_of(list), name;
	char text[32];

	while (span_next_field(&rest, ',', &name)) {
		snprintf(text, sizeof(text), "%.*s", (int)name.bytes, name.at);
		if (trouble_named(text) != TROUBLE_NONE)
			continue;
		fprintf(stderr, "hresv check: --accept: there is no trouble called \"%s\"\n", text);
		return false;
	}
	return true;
}

static int check_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "need", required_argument, NULL, 'n' },
		{ "page-size", required_argument, NULL, 's' },
		{ "library", required_argument, NULL, 'l' },
		{ "accept", required_argument, NULL, 'a' },
		{ "shm", no_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ "trial", no_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct check c = { 0 };
	const char *library = NULL, *accepted = "";
	size_t need = 0, page_bytes = 0;
	bool fine = true;
	int option;

	while ((option = getopt_long(argc, argv, "+q", options, NULL)) != -1)
		switch (option) {
		case 'n':
			fine &= size_option("need", optarg, &need);
			break;
		case 's':
			fine &= size_option("page-size", optarg, &page_bytes);
			break;
		case 'l':
			library = optarg;
			break;
		case 'a':
			accepted = optarg;
			fine &= known_names(accepted);
			break;
		case 'S':
			c.shm = true;
			break;
		case 'j':
			c.json = true;
			break;
		case 't':
			c.trial = true;
			break;
		case 'q':
			c.quiet = true;
			break;
		default:
			fine = false;
		}
	c.argv = optind < argc ? argv + optind : NULL;
	c.need_bytes = need;
	if (fine && c.trial && !c.argv) {
		fputs("hresv check: --trial needs a program\n", stderr);
		fine = false;
	}
	if (!fine) {
		fputs("Try 'hresv help check'.\n", stderr);
		return EXIT_USAGE;
	}
	return perform(&c, library, page_bytes, accepted);
}

COMMAND(check, .name = "check", .line = "what would be huge here, and what mends the rest",
	.usage = "check [OPTION ...] [--] [PROGRAM [ARGUMENT ...]]\n"
		 "\n"
		 "  Starts nothing and changes nothing: says what a program of this user, in this\n"
		 "  control group and namespace, could have of huge pages, what binds, and the line\n"
		 "  that mends it. With PROGRAM also whether a preload reaches it.\n"
		 "  --need=SIZE          what it needs; else one page is enough\n"
		 "  --trial              run PROGRAM under libhresv, and take what it asks for as need\n"
		 "  --shm                it makes System V segments, which take a right\n"
		 "  --page-size=SIZE     of which huge pages\n"
		 "  --library=PATH       the libhresv.so it would be given\n"
		 "  --accept=NAME,...    troubles that are none\n"
		 "  --json               for programs;  --quiet, -q: by exit status alone\n"
		 "\n"
		 "Ends with 0 when all is well, else with the number of the first trouble: 10 to 20\n"
		 "supply, 30 to 36 the program, 40 and 41 the library, 50 the trial; hresv(1) lists\n"
		 "them.\n",
	.run = check_main);
