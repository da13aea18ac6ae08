/* SPDX-License-Identifier: MIT */
/* elf.c - `hresv elf`: what a binary's text and data could have, and marks */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/facts/pagesize.h"
#include "tools/command.h"
#include "tools/elf_mark.h"
#include "tools/elf_notes.h"
#include "tools/elf_read.h"
#include "tools/json.h"
#include "tools/proc.h"
#include "tools/table.h"

#define NOTES 16

static int elf_main(int argc, char **argv);

static const char usage[] =
	"elf FILE... [--json] [--page-size SIZE]\n"
	"       hresv elf FILE... --mark text,data | --unmark\n"
	"\n"
	"  For each segment: its size, its alignment, and how many huge pages it could have\n"
	"  now (HUGETLB_ELFMAP=RW), forced (and HUGETLB_FORCE_ELFMAP=yes), and relinked with\n"
	"  the flags of linker-scripts/; needed libraries, and what a preload reaches.\n"
	"  --json            the same, for programs\n"
	"  --page-size SIZE  huge pages of that size (this machine's default)\n"
	"  --mark text,data  mark segments, so that libhresv and libhugetlbfs remap them\n"
	"                    without HUGETLB_ELFMAP; a copy is marked and put in its place\n"
	"  --unmark          take all marks away\n";

COMMAND(elf, .name = "elf", .line = "what text and data of a binary could have",
	.usage = usage, .run = elf_main);

static const struct command self = { .name = "elf" };

struct options {
	bool json, mark, unmark, text, data;
	uint64_t page_bytes;
};

static uint64_t default_page_bytes(void)
{
	struct pagesizes sizes;

	if (pagesize_read(proc_root(), &sizes) == 0 && sizes.n)
		return sizes.default_bytes;
	return 2 << 20;
}

static const char *pages_text(struct elf_pages p, char text[48])
{
	if (p.least == p.most)
		snprintf(text, 48, "%" PRIu64, p.most);
	else
		snprintf(text, 48, "%" PRIu64 "-%" PRIu64, p.least, p.most);
	return text;
}

static const char *access_text(const struct elf_segment *s, char text[4])
{
	snprintf(text, 4, "%c%c%c", s->flags & 4 ? 'r' : '-', s->flags & 2 ? 'w' : '-',
		 s->flags & 1 ? 'x' : '-');
	return text;
}

static void print_segments(const struct screen *on, const struct elf_facts *f)
{
	static const char *const titles[] = { "segment", "access", "size", "align", "now", "forced",
					      "relinked", "marked" };
	struct elf_pages now = { 0 }, forced = { 0 };
	char text[48], access[4];
	uint64_t relinked = 0;
	struct table t;

	table_start(&t, on, "llrrrrrl");
	t.indent = "  ";
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_text(&t, INK_TITLE, titles[i]);
	for (size_t i = 0; i < f->segments_n; i++) {
		const struct elf_segment *s = &f->segments[i];

		table_format(&t, INK_PLAIN, "%u", s->index);
		table_text(&t, INK_PLAIN, access_text(s, access));
		table_size(&t, INK_PLAIN, s->memory_bytes);
		table_size(&t, INK_PLAIN, s->align);
		table_text(&t, s->now.most ? INK_GOOD : INK_PLAIN, pages_text(s->now, text));
		table_text(&t, INK_PLAIN, pages_text(s->forced, text));
		table_format(&t, INK_PLAIN, "%" PRIu64, s->relinked);
		table_text(&t, INK_PLAIN, s->flags & ELF_MARK ? "yes" : "no");
		now = (struct elf_pages){ now.least + s->now.least, now.most + s->now.most };
		forced = (struct elf_pages){ forced.least + s->forced.least,
					     forced.most + s->forced.most };
		relinked += s->relinked;
	}
	table_text(&t, INK_PLAIN, "all");
	for (int i = 0; i < 3; i++)
		table_text(&t, INK_PLAIN, "");
	table_text(&t, INK_PLAIN, pages_text(now, text));
	table_text(&t, INK_PLAIN, pages_text(forced, text));
	table_format(&t, INK_PLAIN, "%" PRIu64, relinked);
	table_text(&t, INK_PLAIN, "");
	table_print(&t, SIZE_MAX);
}

static void print_clean(const struct screen *on, const char *text)
{
	size_t columns;
	char *clean = screen_clean(on, text, strlen(text), &columns);

	fputs(clean ? clean : "?", stdout);
	free(clean);
}

static void print_file(const struct screen *on, const char *path, const struct elf_facts *f,
		       uint64_t page_bytes)
{
	struct elf_note notes[NOTES];
	size_t n = elf_notes(f, notes, NOTES);

	print_clean(on, path);
	printf(": %s, %s%s%s%s%s, huge pages of %s\n", f->kind, elf_machine_name(f),
	       f->pie ? ", position independent" : "", f->dynamic ? "" : ", static",
	       f->relro ? ", RELRO" : "", f->build_id ? ", build-id" : "",
	       size_text(page_bytes).text);
	if (f->segments_n)
		print_segments(on, f);
	if (f->needed_n) {
		printf("  needs ");
		for (size_t i = 0; i < f->needed_n; i++) {
			fputs(i ? ", " : "", stdout);
			print_clean(on, f->needed[i]);
		}
		putchar('\n');
	}
	if (f->allocator)
		printf("  allocator linked in: %s\n", f->allocator);
	if (elf_is_reached(f))
		puts("  a preload reaches it");
	for (size_t i = 0; i < n && i < NOTES; i++)
		printf("  %s\n", notes[i].text);
}

static void json_pages(struct json *j, const char *key, struct elf_pages p)
{
	json_object(j, key);
	json_u64(j, "least", p.least);
	json_u64(j, "most", p.most);
	json_end_object(j);
}

static void json_segment(struct json *j, const struct elf_segment *s)
{
	char access[4];

	json_object(j, NULL);
	json_u64(j, "header", s->index);
	json_text(j, "access", access_text(s, access));
	json_u64(j, "address", s->vaddr);
	json_u64(j, "offset", s->offset);
	json_u64(j, "file_bytes", s->file_bytes);
	json_u64(j, "memory_bytes", s->memory_bytes);
	json_u64(j, "relro_bytes", s->relro_bytes);
	json_u64(j, "align", s->align);
	json_bool(j, "marked", s->flags & ELF_MARK);
	json_pages(j, "pages_now", s->now);
	json_pages(j, "pages_forced", s->forced);
	json_u64(j, "pages_relinked", s->relinked);
	json_end_object(j);
}

static void json_text_or_null(struct json *j, const char *key, const char *text)
{
	if (text)
		json_text(j, key, text);
	else
		json_null(j, key);
}

static void json_file(struct json *j, const char *path, const struct elf_facts *f)
{
	struct elf_note notes[NOTES];
	size_t n = elf_notes(f, notes, NOTES);

	json_object(j, NULL);
	json_text(j, "file", path);
	json_text(j, "kind", f->kind);
	json_text(j, "machine", elf_machine_name(f));
	json_bool(j, "position_independent", f->pie || strcmp(f->kind, "library") == 0);
	json_bool(j, "static", !f->dynamic || !f->interpreter);
	json_bool(j, "relro", f->relro);
	json_bool(j, "executable_stack", f->executable_stack);
	json_bool(j, "setuid", f->setuid || f->setgid || f->capabilities);
	json_bool(j, "preload_reaches", elf_is_reached(f));
	json_text_or_null(j, "interpreter", f->interpreter);
	json_text_or_null(j, "build_id", f->build_id);
	json_text_or_null(j, "allocator", f->allocator);
	json_list(j, "needed");
	for (size_t i = 0; i < f->needed_n; i++)
		json_text(j, NULL, f->needed[i]);
	json_end_list(j);
	json_list(j, "segments");
	for (size_t i = 0; i < f->segments_n; i++)
		json_segment(j, &f->segments[i]);
	json_end_list(j);
	json_list(j, "notes");
	for (size_t i = 0; i < n && i < NOTES; i++) {
		json_object(j, NULL);
		json_text(j, "code", notes[i].code);
		json_text(j, "text", notes[i].text);
		json_end_object(j);
	}
	json_end_list(j);
	json_end_object(j);
}

static int failed(const char *path, const char *what)
{
	struct screen on;
	size_t columns;
	char *clean;

	screen_start(&on, stderr);
	clean = screen_clean(&on, path, strlen(path), &columns);
	command_failed("%s: %s", clean ? clean : "?", what);
	free(clean);
	return EXIT_FAILED;
}

static int show_all(char **paths, const struct options *o)
{
	int status = EXIT_FINE;
	const char *what;
	struct screen on;
	struct json j;

	screen_start(&on, stdout);
	if (o->json) {
		json_start(&j, stdout);
		json_object(&j, NULL);
		json_u64(&j, "page_bytes", o->page_bytes);
		json_list(&j, "files");
	}
	for (; *paths; paths++) {
		struct elf_facts f;

		if (elf_read(*paths, o->page_bytes, &f, &what) != 0) {
			status = failed(*paths, what);
			continue;
		}
		if (o->json)
			json_file(&j, *paths, &f);
		else
			print_file(&on, *paths, &f, o->page_bytes);
		elf_free(&f);
	}
	if (o->json) {
		json_end_list(&j);
		json_end_object(&j);
	}
	return status;
}

static int mark_all(char **paths, const struct options *o)
{
	const struct elf_marking how = { o->mark, o->text, o->data, o->page_bytes };
	int status = EXIT_FINE;
	const char *what;

	for (; *paths; paths++)
		if (elf_mark(*paths, &how, &what) < 0)
			status = failed(*paths, what);
	return status;
}

static bool parse_parts(const char *text, struct options *o)
{
	struct span rest = span_of(text), part;

	while (span_next_field(&rest, ',', &part)) {
		if (span_equal(part, "text"))
			o->text = true;
		else if (span_equal(part, "data"))
			o->data = true;
		else
			return false;
	}
	return o->text || o->data;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "mark", required_argument, NULL, 'm' },
		{ "unmark", no_argument, NULL, 'u' },
		{ "page-size", required_argument, NULL, 'p' },
		{ 0 },
	};
	size_t bytes;
	int option;

	optind = 0;	/* from the start, and options may stand behind files */
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'j':
			o->json = true;
			break;
		case 'm':
			o->mark = true;
			if (!parse_parts(optarg, o))
				return command_misused(&self, "--mark takes text, data or both");
			break;
		case 'u':
			o->unmark = true;
			break;
		case 'p':
			if (text_size(span_of(optarg), &bytes) || bytes < 4096 ||
			    (bytes & (bytes - 1)))
				return command_misused(&self, "'%s' is no page size", optarg);
			o->page_bytes = bytes;
			break;
		default:
			return EXIT_USAGE;
		}
	return EXIT_FINE;
}

static int elf_main(int argc, char **argv)
{
	struct options o = { 0 };
	int status = parse(argc, argv, &o);

	if (status)
		return status;
	if (optind == argc)
		return command_misused(&self, "which file?");
	if ((o.mark && o.unmark) || (o.json && (o.mark || o.unmark)))
		return command_misused(&self, "one of --mark, --unmark and --json");
	if (!o.page_bytes)
		o.page_bytes = default_page_bytes();
	return o.mark || o.unmark ? mark_all(argv + optind, &o) : show_all(argv + optind, &o);
}
