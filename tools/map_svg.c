/* SPDX-License-Identifier: MIT */
/*
 * map_svg.c - the picture as SVG 1.1, with nothing in it that is fetched or run
 *
 * A bar for each area, as wide as it is large; a title for each part, which browsers
 * show under the pointer.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/map.h"

enum { WIDTH = 1000, BAR = 18, ROW = 26, LEFT = 230, TOP = 70, LEGEND = 22 };

static const char *colour_of(enum backing_kind kind)
{
	static const char *const colours[BACKING_N] = {
		[BACKING_HUGE_OURS] = "#1a9850", [BACKING_HUGE_OWN] = "#66bd63",
		[BACKING_THP] = "#74add1", [BACKING_SMALL] = "#f46d43",
		[BACKING_SPLIT] = "#fdae61", [BACKING_RESERVED] = "#eeeeee",
		[BACKING_FILE] = "#b8b8d0", [BACKING_OTHER] = "#999999",
	};

	return colours[kind];
}

/* Text for XML: names are anything, and some bytes may not stand there even escaped. */
static void escaped(FILE *to, const char *text, size_t bytes)
{
	for (; bytes; text++, bytes--)
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text >= 0x20 && *text < 0x7f ? *text : '?', to);
		}
}

static uint64_t widest(const struct space *s, size_t *ret_rows)
{
	uint64_t most = 1;

	*ret_rows = 0;
	for (size_t i = 0, end; i < s->n; i = end) {
		end = i + 1;
		if (!map_draws(&s->parts[i]))
			continue;
		end = map_area_end(s, i);
		++*ret_rows;
		if (s->parts[end - 1].vma.hi - s->parts[i].vma.lo > most)
			most = s->parts[end - 1].vma.hi - s->parts[i].vma.lo;
	}
	return most;
}

static void part(FILE *to, const struct space_part *p, double x, double width, size_t y)
{
	fprintf(to, "<rect x=\"%.2f\" y=\"%zu\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>",
		x, y, width < 0.5 ? 0.5 : width, BAR, colour_of(p->kind));
	fprintf(to, "%" PRIx64 ", %s", p->vma.lo, size_text(p->vma.hi - p->vma.lo).text);
	fprintf(to, ", %s", space_kind_name(p->kind));
	if (*p->why)
		fprintf(to, " (%s)", p->why);
	fprintf(to, ", %s huge ", size_text(vma_huge(&p->vma)).text);
	escaped(to, p->vma.name.at, p->vma.name.bytes);
	fputs("</title></rect>\n", to);
}

static void areas(FILE *to, const struct space *s, uint64_t most)
{
	const double scale = (double)(WIDTH - LEFT - 10) / (double)most;
	size_t y = TOP;

	for (size_t i = 0, end; i < s->n; i = end) {
		uint64_t base = s->parts[i].vma.lo;

		end = i + 1;
		if (!map_draws(&s->parts[i]))
			continue;
		end = map_area_end(s, i);
		fprintf(to, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">%" PRIx64 "  %s</text>\n",
			LEFT - 8, y + BAR - 5, base,
			size_text(s->parts[end - 1].vma.hi - base).text);
		for (size_t k = i; k < end; k++)
			part(to, &s->parts[k], LEFT + (double)(s->parts[k].vma.lo - base) * scale,
			     (double)(s->parts[k].vma.hi - s->parts[k].vma.lo) * scale, y);
		y += ROW;
	}
}

static void legend(FILE *to, const struct space *s)
{
	uint64_t bytes[BACKING_N] = { 0 };
	int x = 10;

	for (size_t i = 0; i < s->n; i++)
		bytes[s->parts[i].kind] += s->parts[i].vma.hi - s->parts[i].vma.lo;
	for (int kind = 0; kind < BACKING_N; kind++) {
		if (!bytes[kind])
			continue;
		fprintf(to, "<rect x=\"%d\" y=\"36\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", x,
			colour_of((enum backing_kind)kind));
		fprintf(to, "<text x=\"%d\" y=\"46\">%s %s</text>\n", x + 16,
			space_kind_name((enum backing_kind)kind), size_text(bytes[kind]).text);
		x += 150;
	}
}

void map_svg(FILE *to, const struct report *r, const struct space *s)
{
	size_t rows;
	const uint64_t most = widest(s, &rows);

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", to);
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		    "font-family=\"monospace\" font-size=\"12\">\n", WIDTH + 220,
		TOP + rows * ROW + LEGEND);
	fputs("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", to);
	fprintf(to, "<text x=\"10\" y=\"20\" font-size=\"15\">process %d, ", (int)r->pid);
	escaped(to, r->status.name, strlen(r->status.name));
	fprintf(to, ": %s on huge pages</text>\n", size_text(r->status.hugetlb_bytes).text);
	legend(to, s);
	areas(to, s, most);
	fputs("</svg>\n", to);
}
