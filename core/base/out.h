/* SPDX-License-Identifier: MIT */
/*
 * out.h - one line to standard error, in one write(2)
 *
 * A line is put together on the stack, so nothing is allocated and lines of
 * several processes never mix. What doesn't fit ends in "...". A closed or full
 * standard error loses the line and nothing else.
 */
#ifndef HRESV_CORE_BASE_OUT_H
#define HRESV_CORE_BASE_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

struct line {
	size_t bytes;
	char text[500];
};

void line_start(struct line *l);		/* empty, no prefix */
void line_text(struct line *l, const char *zero_terminated);
void line_span(struct line *l, struct span s);
void line_u64(struct line *l, uint64_t value);
void line_hex(struct line *l, uint64_t value);
/* As people read it: 4 GiB, 1.5 MiB, 12 KiB; at most one decimal, cut off. */
void line_size(struct line *l, uint64_t bytes);
/* Blanks up to column @column, or one blank when the line is longer. */
void line_column(struct line *l, size_t column);
/* Blanks before the text added since @mark, so that it ends at @column. */
void line_right(struct line *l, size_t mark, size_t column);
void line_send(struct line *l);			/* adds the newline, writes, empties */

/* A whole message of ours: "libhresv: " and up to six parts, then the newline. */
void out_say(const char *a, const char *b, const char *c, const char *d, const char *e,
	     const char *f);

/*
 * Remembers what standard error is now, and how much to say (HUGETLB_VERBOSE:
 * 1 errors, 2 and a table at exit, 3 every decision). A program that closes
 * descriptor 2 and opens a file in its place must not find our lines in it.
 */
void out_start(unsigned level);
unsigned out_level(void);

#endif
