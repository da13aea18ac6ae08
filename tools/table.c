/* SPDX-License-Identifier: MIT */
/* table.c - see table.h */
#include "tools/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "tools/command.h"

struct table_cell {
	char *text;
	size_t width;
	enum ink ink;
};

static void *checked(void *memory)
{
	if (!memory)
		exit(command_failed("out of memory"));
	return memory;
}

void table_start(struct table *t, const struct screen *on, const char *shape)
{
	*t = (struct table){ .on = on, .shape = shape, .columns = strlen(shape), .indent = "" };
}

void table_span(struct table *t, enum ink ink, const char *text, size_t bytes)
{
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->cells = checked(reallocarray(t->cells, t->room, sizeof(*t->cells)));
	}

	struct table_cell *c = &t->cells[t->n++];

	c->text = checked(screen_clean(t->on, text, bytes, &c->width));
	c->ink = ink;
}

void table_text(struct table *t, enum ink ink, const char *text)
{
	table_span(t, ink, text, strlen(text));
}

void table_format(struct table *t, enum ink ink, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int bytes;

	va_start(args, format);
	bytes = vasprintf(&text, format, args);
	va_end(args);
	if (bytes < 0)
		exit(command_failed("out of memory"));
	table_span(t, ink, text, (size_t)bytes);
	free(text);
}

void table_size(struct table *t, enum ink ink, uint64_t bytes)
{
	table_text(t, ink, bytes ? size_text(bytes).text : "-");
}

void table_count(struct table *t, enum ink ink, uint64_t count)
{
	if (count)
		table_format(t, ink, "%llu", (unsigned long long)count);
	else
		table_text(t, ink, "-");
}

size_t table_rows(const struct table *t)
{
	return t->n / t->columns;
}

/* Ends @text so that it is at most @columns wide. */
static void cut(char *text, size_t columns)
{
	mbstate_t state = { 0 };
	wchar_t letter;
	size_t n;

	for (; *text; text += n) {
		n = mbrtowc(&letter, text, MB_CUR_MAX, &state);
		if (n == 0 || n > MB_CUR_MAX)
			break;

		int width = wcwidth(letter);

		if (width > 0 && (size_t)width > columns)
			break;
		columns -= width > 0 ? (size_t)width : 0;
	}
	*text = '\0';
}

static void pad(FILE *to, size_t columns)
{
	while (columns--)
		fputc(' ', to);
}

/* Blanks at the end of a line are left out. */
static void print_row(const struct table *t, struct table_cell *row, const size_t *widths)
{
	const struct screen *s = t->on;
	size_t used = strlen(t->indent), owed = 0;

	fputs(t->indent, s->to);
	for (size_t i = 0; i < t->columns; i++) {
		struct table_cell *c = &row[i];
		bool right = t->shape[i] == 'r';

		if (i + 1 == t->columns && !right && s->columns != SIZE_MAX &&
		    used + owed + c->width > s->columns)
			cut(c->text, s->columns > used + owed ? s->columns - used - owed : 0);
		if (right)
			owed += widths[i] - c->width;
		if (c->width) {
			pad(s->to, owed);
			used += owed;
			owed = 0;
			screen_ink(s, c->ink);
			fputs(c->text, s->to);
			if (c->ink != INK_PLAIN)
				screen_ink(s, INK_PLAIN);
			used += c->width;
		}
		owed += (right ? 0 : widths[i] - c->width) + 2;
	}
	fputc('\n', s->to);
}

void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	t->cells = NULL;
	t->n = t->room = 0;
}

void table_print(struct table *t, size_t most)
{
	size_t rows = table_rows(t);
	size_t *widths = checked(calloc(t->columns, sizeof(*widths)));

	if (rows > most)
		rows = most;
	for (size_t i = 0; i < rows * t->columns; i++)
		if (t->cells[i].width > widths[i % t->columns])
			widths[i % t->columns] = t->cells[i].width;
	for (size_t i = 0; i < rows; i++)
		print_row(t, t->cells + i * t->columns, widths);
	free(widths);
	table_clear(t);
}
