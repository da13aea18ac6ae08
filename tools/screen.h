/* SPDX-License-Identifier: MIT */
/*
 * screen.h - what we write to: a terminal or not, how wide, in colour or not
 *
 * Colour is for terminals, and for nobody who has set NO_COLOR or TERM=dumb. What
 * comes from outside (names of processes, paths) is made harmless before it is shown:
 * a terminal obeys what it is sent.
 */
#ifndef HRESV_TOOLS_SCREEN_H
#define HRESV_TOOLS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ink { INK_PLAIN, INK_GOOD, INK_WARN, INK_BAD, INK_DIM, INK_TITLE };

struct screen {
	FILE *to;
	bool terminal, colour;
	bool wide;		/* its locale has letters beyond ASCII */
	size_t columns, lines;	/* SIZE_MAX where nothing limits them */
};

void screen_start(struct screen *s, FILE *to);
/* Width and height again: a window may have been resized. */
void screen_measure(struct screen *s);

/* Begins an ink; INK_PLAIN ends it. Nothing without colour. */
void screen_ink(const struct screen *s, enum ink ink);

/*
 * Bytes that a terminal could take for an order, and what is no letter in its
 * locale, become '?'. *ret_columns is how wide the result is. The result is the
 * caller's to free; NULL: no memory.
 */
char *screen_clean(const struct screen *s, const char *text, size_t bytes, size_t *ret_columns);

/* A size as people read it, "1.5 MiB": at most one decimal, cut off. */
struct size_text {
	char text[16];
};
struct size_text size_text(uint64_t bytes);

#endif
