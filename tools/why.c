/* SPDX-License-Identifier: MIT */
/* why.c - hresv why: each mapping's decision and reason, alive or from a file */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "core/act/pagemap.h"
#include "tools/command.h"
#include "tools/space.h"
#include "tools/table.h"

#define DECISIONS_SHOWN 16
/* On less the column of page sizes is left out, so that every reason fits 80. */
#define COLUMNS_FOR_ALL 100
#define PAGE_COLUMN 4

static const char usage[] =
	"why [--json] [--all] PID|FILE\n"
	"\n"
	"What a process asked for, what became huge, what didn't, and why: of a running\n"
	"process by mapping, of an ended one from the file HUGETLB_STATS made it write.\n"
	"\n"
	"  --all    small mappings too, and all decisions that are remembered\n"
	"  --json   for programs\n";
static const struct command me = { .name = "why" };

struct wish {
	bool json, all;
};

static bool is_shown(const struct space_part *p, const struct wish *w)
{
	return w->all || p->vma.hi - p->vma.lo >= GRANULE || vma_huge(&p->vma);
}

static enum ink ink_of(enum backing_kind kind)
{
	switch (kind) {
	case BACKING_HUGE_OURS:
	case BACKING_HUGE_OWN:
		return INK_GOOD;
	case BACKING_SMALL:
	case BACKING_SPLIT:
		return INK_WARN;
	default:
		return INK_PLAIN;
	}
}

static void print_part(struct table *t, const struct space_part *p, bool narrow)
{
	const struct vma *v = &p->vma;
	uint64_t huge = vma_huge(v);

	table_format(t, INK_PLAIN, "%" PRIx64, v->lo);
	table_size(t, INK_PLAIN, v->hi - v->lo);
	table_size(t, INK_PLAIN, huge);
	table_size(t, INK_PLAIN, v->rss > v->thp ? v->rss - v->thp : 0);
	if (!narrow)
		table_size(t, INK_PLAIN, huge && v->page_bytes ? v->page_bytes : v->thp);
	table_text(t, ink_of(p->kind), space_kind_name(p->kind));
	table_text(t, INK_PLAIN, p->why);
	table_span(t, INK_DIM, v->name.at, v->name.bytes);
}

static void print_space(const struct screen *on, const struct space *s, const struct wish *w)
{
	static const char *const heads[] = { "address", "size", "huge", "small", "page", "backing",
					     "why", "name" };
	uint64_t left_out = 0, bytes = 0;
	const bool narrow = on->columns < COLUMNS_FOR_ALL;
	struct table t;

	table_start(&t, on, narrow ? "rrrrlll" : "rrrrrlll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (!narrow || i != PAGE_COLUMN)
			table_text(&t, INK_TITLE, heads[i]);
	for (size_t i = 0; i < s->n; i++) {
		if (is_shown(&s->parts[i], w)) {
			print_part(&t, &s->parts[i], narrow);
			continue;
		}
		left_out++;
		bytes += s->parts[i].vma.hi - s->parts[i].vma.lo;
	}
	fputc('\n', on->to);
	if (table_rows(&t) > 1)
		table_print(&t, SIZE_MAX);
	else
		table_clear(&t);
	if (left_out)
		fprintf(on->to, "and %" PRIu64 " mappings of less than %s, %s in all\n", left_out,
			size_text(GRANULE).text, size_text(bytes).text);
}

static void json_space(struct json *j, const struct space *s)
{
	json_list(j, "mappings");
	for (size_t i = 0; i < s->n; i++) {
		const struct space_part *p = &s->parts[i];

		json_object(j, NULL);
		json_u64(j, "at", p->vma.lo);
		json_u64(j, "bytes", p->vma.hi - p->vma.lo);
		json_u64(j, "huge", vma_huge(&p->vma));
		json_u64(j, "other", p->vma.rss);
		json_u64(j, "transparent", p->vma.thp);
		json_u64(j, "page_bytes", p->vma.page_bytes);
		json_text(j, "backing", space_kind_name(p->kind));
		json_text(j, "why", p->why);
		json_span(j, "name", p->vma.name.at, p->vma.name.bytes);
		json_end_object(j);
	}
	json_end_list(j);
}

static void tell(const struct report *r, const struct space *s, const struct wish *w)
{
	struct screen on;
	struct json j;

	if (w->json) {
		json_start(&j, stdout);
		json_object(&j, NULL);
		report_json(&j, r);
		if (s)
			json_space(&j, s);
		if (!r->page_err)
			report_json_decisions(&j, r);
		json_end_object(&j);
		return;
	}
	screen_start(&on, stdout);
	report_print(&on, r);
	if (s)
		print_space(&on, s, w);
	if (!r->page_err)
		report_print_decisions(&on, r, w->all ? SIZE_MAX : DECISIONS_SHOWN);
}

static int why_process(pid_t pid, const struct wish *w)
{
	struct report r;
	struct space s;
	int err = report_of_pid(pid, &r);

	if (err)
		return command_failed("process %d: %s", (int)pid,
				      err == -ENOENT ? "there is none" : strerror(-err));
	err = space_read(&r, &s);
	tell(&r, err ? NULL : &s, w);
	if (err == -EACCES || err == -EPERM)
		return command_failed("process %d: its mappings are not ours to read", (int)pid);
	if (err)
		return command_failed("process %d: %s", (int)pid,
				      err == -ENOENT || err == -ESRCH ? "it has ended" : strerror(-err));
	space_free(&s);
	return EXIT_FINE;
}

static int why_file(const char *path, const struct wish *w)
{
	struct report r;
	int err = report_of_file(path, &r);

	if (err == -EBADMSG)
		return command_failed("%s: not a file that HUGETLB_STATS wrote", path);
	if (err == -EPROTO)
		return command_failed("%s: written by another version of libhresv", path);
	if (err)
		return command_failed("%s: %s", path, strerror(-err));
	tell(&r, NULL, w);
	return EXIT_FINE;
}

static int why_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	struct wish w = { 0 };
	int option;
	pid_t pid;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'j':
			w.json = true;
			break;
		case 'a':
			w.all = true;
			break;
		default:
			return command_misused(&me, "no such option");
		}
	if (optind + 1 != argc)
		return command_misused(&me, "name one process, or one file");
	if (proc_pid_of(argv[optind], &pid) == 0)
		return why_process(pid, &w);
	return why_file(argv[optind], &w);
}

COMMAND(why, .name = "why", .line = "why a process' memory is huge, or is not",
	.usage = usage, .run = why_main);
