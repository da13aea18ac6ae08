/* SPDX-License-Identifier: MIT */
/* out.c - lines put together on the stack and written at once; see out.h */
#include "core/base/out.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/base/sys.h"

static struct {
	unsigned level;
	bool looked, open;
	dev_t device;		/* of standard error when we started */
	ino_t inode;
} out = { .level = 1 };

static void look(void)
{
	struct stat st;

	out.open = sys_fstat(2, &st) == 0;
	if (out.open) {
		out.device = st.st_dev;
		out.inode = st.st_ino;
	}
	out.looked = true;
}

void out_start(unsigned level)
{
	out.level = level;
	look();
}

/* What had no standard error when we started has none later: a 2 is then a file of its own. */
static bool is_still_stderr(void)
{
	struct stat st;

	if (!out.looked)
		look();
	return out.open && sys_fstat(2, &st) == 0 && st.st_dev == out.device &&
	       st.st_ino == out.inode;
}

/*
 * A reader that has gone costs us the line; SIGPIPE would cost the program. It is
 * blocked already where we are guests of the gate, so what our write made pending must
 * go in any case, and what was pending before must stay.
 */
static void write_quietly(const char *text, size_t bytes)
{
	const uint64_t sigpipe = (uint64_t)1 << (SIGPIPE - 1);
	const struct timespec now = { 0 };
	uint64_t old = 0, pending = 0;

	sys_sigmask(SIG_BLOCK, &sigpipe, &old);
	sys_call(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
	if (sys_write(2, text, bytes) == -EPIPE && !(pending & sigpipe))
		sys_call(SYS_rt_sigtimedwait, (long)&sigpipe, 0, (long)&now, sizeof(sigpipe), 0, 0);
	sys_sigmask(SIG_SETMASK, &old, NULL);
}

unsigned out_level(void)
{
	return out.level;
}

void line_start(struct line *l)
{
	l->bytes = 0;
}

/* Keeps room for "..." and the newline behind whatever fits. */
void line_span(struct line *l, struct span s)
{
	size_t room = sizeof(l->text) - 4 - l->bytes;

	if (l->bytes > sizeof(l->text) - 4)
		return;
	if (s.bytes <= room) {
		memcpy(l->text + l->bytes, s.at, s.bytes);
		l->bytes += s.bytes;
		return;
	}
	memcpy(l->text + l->bytes, s.at, room);
	memcpy(l->text + l->bytes + room, "...", 3);
	l->bytes += room + 3;
}

void line_text(struct line *l, const char *zero_terminated)
{
	line_span(l, span_of(zero_terminated));
}

static void line_number(struct line *l, uint64_t value, unsigned base)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	line_span(l, (struct span){ digits + n, sizeof(digits) - n });
}

void line_u64(struct line *l, uint64_t value)
{
	line_number(l, value, 10);
}

void line_hex(struct line *l, uint64_t value)
{
	line_text(l, "0x");
	line_number(l, value, 16);
}

void line_size(struct line *l, uint64_t bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB" };
	unsigned unit = 0;
	uint64_t whole = bytes, tenth = 0;

	while (whole >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		tenth = (whole % 1024) * 10 / 1024;
		whole /= 1024;
		unit++;
	}
	line_u64(l, whole);
	if (tenth) {
		line_text(l, ".");
		line_u64(l, tenth);
	}
	line_text(l, units[unit]);
}

void line_column(struct line *l, size_t column)
{
	do
		line_text(l, " ");
	while (l->bytes < column && l->bytes < sizeof(l->text) - 4);
}

void line_right(struct line *l, size_t mark, size_t column)
{
	size_t bytes = l->bytes - mark;

	if (column <= l->bytes || column >= sizeof(l->text) - 4)
		return;

	size_t shift = column - l->bytes;

	memmove(l->text + mark + shift, l->text + mark, bytes);
	memset(l->text + mark, ' ', shift);
	l->bytes = column;
}

void line_send(struct line *l)
{
	l->text[l->bytes++] = '\n';
	if (is_still_stderr())
		write_quietly(l->text, l->bytes);
	l->bytes = 0;
}

void out_say(const char *a, const char *b, const char *c, const char *d, const char *e,
	     const char *f)
{
	const char *const parts[] = { a, b, c, d, e, f };
	struct line l;

	line_start(&l);
	line_text(&l, "libhresv: ");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && parts[i]; i++)
		line_text(&l, parts[i]);
	line_send(&l);
}
