/* SPDX-License-Identifier: MIT */
/*
 * map.c - hresv map: a picture of an address space by backing
 *
 * Mappings of a huge page or more that lie beside each other are an area; an area is a
 * row of cells (or a bar), each so many bytes. What is smaller is summed up, and address
 * space that nobody can touch is said, not drawn: it would leave room for nothing else.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/act/pagemap.h"
#include "tools/command.h"
#include "tools/space.h"
#include "tools/map.h"

static const char usage[] =
	"map [--svg] PID\n"
	"\n"
	"The address space of a process, each part by what backs it: in the terminal, or\n"
	"as a picture that a browser shows.\n"
	"\n"
	"  --svg    write SVG to standard output\n";
static const struct command me = { .name = "map" };

#define ROWS_WANTED 20

bool map_draws(const struct space_part *p)
{
	return p->kind != BACKING_RESERVED &&
	       (p->vma.hi - p->vma.lo >= GRANULE || vma_huge(&p->vma));
}

size_t map_area_end(const struct space *s, size_t from)
{
	size_t to = from + 1;

	while (to < s->n && map_draws(&s->parts[to]) &&
	       s->parts[to].vma.lo == s->parts[to - 1].vma.hi)
		to++;
	return to;
}

static char letter_of(enum backing_kind kind)
{
	static const char letters[BACKING_N] = {
		[BACKING_HUGE_OURS] = '#', [BACKING_HUGE_OWN] = 'O', [BACKING_THP] = 't',
		[BACKING_SMALL] = 's', [BACKING_SPLIT] = 'x', [BACKING_RESERVED] = '_',
		[BACKING_FILE] = 'f', [BACKING_OTHER] = '-',
	};

	return letters[kind];
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
	case BACKING_THP:
		return INK_TITLE;
	default:
		return INK_DIM;
	}
}

/* The least power of two from a huge page on with which everything fits. */
static uint64_t cell_bytes(const struct space *s, size_t columns)
{
	uint64_t cell = GRANULE, cells;

	do {
		cells = 0;
		for (size_t i = 0; i < s->n; i++)
			if (map_draws(&s->parts[i]))
				cells += (s->parts[i].vma.hi - s->parts[i].vma.lo) / cell + 1;
		cell *= 2;
	} while (cells > ROWS_WANTED * columns && cell < (uint64_t)1 << 62);
	return cell / 2;
}

struct pen {
	const struct screen *on;
	size_t column, columns, indent;
	enum backing_kind last;
};

static void draw_cell(struct pen *p, enum backing_kind kind)
{
	if (p->column == p->columns) {
		screen_ink(p->on, INK_PLAIN);
		fprintf(p->on->to, "\n%*s", (int)p->indent, "");
		p->column = 0;
		p->last = BACKING_N;
	}
	if (kind != p->last) {
		screen_ink(p->on, INK_PLAIN);
		screen_ink(p->on, ink_of(kind));
	}
	fputc(letter_of(kind), p->on->to);
	p->last = kind;
	p->column++;
}

/* A cell shows what backs its first byte; no mapping is without a cell. */
static void draw_area(struct pen *p, const struct space *s, size_t from, size_t to, uint64_t cell)
{
	for (size_t i = from; i < to; i++) {
		uint64_t bytes = s->parts[i].vma.hi - s->parts[i].vma.lo;

		for (uint64_t k = 0; k < (bytes + cell - 1) / cell; k++)
			draw_cell(p, s->parts[i].kind);
	}
	screen_ink(p->on, INK_PLAIN);
	fputc('\n', p->on->to);
}

static void print_legend(const struct screen *on, const struct space *s, uint64_t cell)
{
	uint64_t bytes[BACKING_N] = { 0 }, huge = 0;

	for (size_t i = 0; i < s->n; i++) {
		bytes[s->parts[i].kind] += s->parts[i].vma.hi - s->parts[i].vma.lo;
		huge += vma_huge(&s->parts[i].vma);
	}
	fprintf(on->to, "\na cell is %s; huge pages that are there: %s\n", size_text(cell).text,
		size_text(huge).text);
	for (int kind = 0; kind < BACKING_N; kind++) {
		if (!bytes[kind])
			continue;
		screen_ink(on, ink_of((enum backing_kind)kind));
		fprintf(on->to, "  %c %-12s", letter_of((enum backing_kind)kind),
			space_kind_name((enum backing_kind)kind));
		screen_ink(on, INK_PLAIN);
		fprintf(on->to, "%10s%s\n", size_text(bytes[kind]).text,
			kind == BACKING_RESERVED ? "  (not drawn)" : "");
	}
}

static void print_map(const struct screen *on, const struct space *s)
{
	const size_t indent = 26, width = on->columns == SIZE_MAX ? 80 : on->columns;
	struct pen p = { .on = on, .indent = indent,
			 .columns = width > indent + 16 ? width - indent : 16 };
	const uint64_t cell = cell_bytes(s, p.columns);

	for (size_t i = 0, end; i < s->n; i = end) {
		end = i + 1;
		if (!map_draws(&s->parts[i]))
			continue;
		end = map_area_end(s, i);
		fprintf(on->to, "%14" PRIx64 "%10s  ", s->parts[i].vma.lo,
			size_text(s->parts[end - 1].vma.hi - s->parts[i].vma.lo).text);
		p.column = 0;
		p.last = BACKING_N;
		draw_area(&p, s, i, end, cell);
	}
	print_legend(on, s, cell);
}

static int map_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "svg", no_argument, NULL, 's' },
		{ 0 },
	};
	struct screen on;
	struct report r;
	struct space s;
	bool svg = false;
	int option, err;
	pid_t pid;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_misused(&me, "no such option");
		svg = true;
	}
	if (optind + 1 != argc || proc_pid_of(argv[optind], &pid) != 0)
		return command_misused(&me, "name one process");
	err = report_of_pid(pid, &r);
	if (!err)
		err = space_read(&r, &s);
	if (err)
		return command_failed("process %d: %s", (int)pid,
				      err == -ENOENT ? "there is none" : strerror(-err));
	screen_start(&on, stdout);
	if (svg)
		map_svg(stdout, &r, &s);
	else
		print_map(&on, &s);
	space_free(&s);
	return EXIT_FINE;
}

COMMAND(map, .name = "map", .line = "a picture of a process' memory by what backs it",
	.usage = usage, .run = map_main);
