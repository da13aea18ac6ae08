/* SPDX-License-Identifier: MIT */
/* screen.c - see screen.h */
#include "tools/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static size_t number_of(const char *variable)
{
	const char *text = getenv(variable);
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n < 100000 ? (size_t)n : 0;
}

void screen_measure(struct screen *s)
{
	struct winsize size = { 0 };

	s->columns = s->lines = SIZE_MAX;
	if (!s->terminal)
		return;
	if (ioctl(fileno(s->to), TIOCGWINSZ, &size) != 0)
		size = (struct winsize){ 0 };
	s->columns = size.ws_col ? size.ws_col : number_of("COLUMNS");
	s->lines = size.ws_row ? size.ws_row : number_of("LINES");
	if (!s->columns)
		s->columns = 80;
	if (!s->lines)
		s->lines = 24;
}

void screen_start(struct screen *s, FILE *to)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	wchar_t letter;

	*s = (struct screen){ .to = to, .terminal = isatty(fileno(to)) };
	s->colour = s->terminal && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
	s->wide = mbrtowc(&letter, "\xe2\x96\x88", 3, &(mbstate_t){ 0 }) == 3;
	screen_measure(s);
}

void screen_ink(const struct screen *s, enum ink ink)
{
	static const char *const codes[] = {
		[INK_PLAIN] = "\033[0m", [INK_GOOD] = "\033[32m", [INK_WARN] = "\033[33m",
		[INK_BAD] = "\033[31m", [INK_DIM] = "\033[2m", [INK_TITLE] = "\033[1m",
	};

	if (s->colour)
		fputs(codes[ink], s->to);
}

char *screen_clean(const struct screen *s, const char *text, size_t bytes, size_t *ret_columns)
{
	char *clean = malloc(bytes + 1), *to = clean;
	size_t columns = 0;
	mbstate_t state = { 0 };

	if (!clean)
		return NULL;
	while (bytes) {
		wchar_t letter;
		size_t n = mbrtowc(&letter, text, bytes, &state);
		int width = n && n <= bytes && (s->wide || n == 1) && iswprint((wint_t)letter) ?
				    wcwidth(letter) : -1;

		if (width >= 0) {
			memcpy(to, text, n);
			to += n;
			columns += (size_t)width;
		} else {
			*to++ = '?';
			columns++;
			state = (mbstate_t){ 0 };
			n = 1;
		}
		text += n;
		bytes -= n;
	}
	*to = '\0';
	*ret_columns = columns;
	return clean;
}

struct size_text size_text(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct size_text t;
	uint64_t tenth = 0;
	unsigned unit = 0;

	for (; bytes >= 1024; unit++) {
		tenth = bytes % 1024 * 10 / 1024;
		bytes /= 1024;
	}
	if (tenth)
		snprintf(t.text, sizeof(t.text), "%u.%u %s", (unsigned)bytes, (unsigned)tenth,
			 units[unit]);
	else
		snprintf(t.text, sizeof(t.text), "%u %s", (unsigned)bytes, units[unit]);
	return t;
}
