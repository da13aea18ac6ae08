/* SPDX-License-Identifier: MIT */
/*
 * table.h - rows whose columns stand under each other
 *
 * Widths are known only when all rows are there, so cells are kept until then. The
 * last column is cut to the width of a terminal; nothing is cut anywhere else.
 */
#ifndef HRESV_TOOLS_TABLE_H
#define HRESV_TOOLS_TABLE_H

#include "tools/screen.h"

struct table_cell;

struct table {
	const struct screen *on;
	const char *shape;	/* one letter a column: l or r */
	size_t columns;
	struct table_cell *cells;
	size_t n, room;
	const char *indent;	/* before every row; "" unless set */
};

/* @shape "lrr": a column aligned left and two aligned right. It must outlive the table. */
void table_start(struct table *t, const struct screen *on, const char *shape);

/* The next cell, from left to right, row after row. Ends the process without memory. */
void table_text(struct table *t, enum ink ink, const char *text);
void table_span(struct table *t, enum ink ink, const char *text, size_t bytes);
void table_format(struct table *t, enum ink ink, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A size as people read it; "-" for 0. */
void table_size(struct table *t, enum ink ink, uint64_t bytes);
/* A number; "-" for 0. */
void table_count(struct table *t, enum ink ink, uint64_t count);

/* Rows that are there. */
size_t table_rows(const struct table *t);

/* Empties it without a word. */
void table_clear(struct table *t);

/* Prints at most @most rows (SIZE_MAX: all), and empties the table for use again. */
void table_print(struct table *t, size_t most);

#endif
