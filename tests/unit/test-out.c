/* SPDX-License-Identifier: MIT */
/* A line is one write, cut when too long, and harmless when nobody listens. */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/out.h"
#include "core/base/sys.h"
#include "tests/harness/harness.h"

static struct {
	int writes;
	char text[2000];
	size_t bytes;
} seen;

static long catch_write(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_write || args[0] != 2)
		return 0;
	*ret_handled = true;
	seen.writes++;
	memcpy(seen.text, (const void *)args[1], (size_t)args[2]);
	seen.text[args[2]] = '\0';
	seen.bytes = (size_t)args[2];
	return args[2];
}

static const char *line_of(const struct line *l)
{
	static char text[sizeof(l->text) + 1];

	memcpy(text, l->text, l->bytes);
	text[l->bytes] = '\0';
	return text;
}

TEST(out_say_is_one_write_with_our_name)
{
	sys_set_hook(catch_write);
	out_say("pool of ", "2 MiB", NULL, NULL, NULL, NULL);
	EXPECT_STR_EQ(seen.text, "libhresv: pool of 2 MiB\n");
	EXPECT_EQ(seen.writes, 1);
	out_say("a", "b", "c", "d", "e", "f");
	EXPECT_STR_EQ(seen.text, "libhresv: abcdef\n");
}

TEST(line_too_long_ends_in_dots_and_a_newline)
{
	char big[5000];
	struct line l;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (size_t before = 0; before < 600; before++) {
		line_start(&l);
		for (size_t i = 0; i < before; i++)
			line_text(&l, "y");
		line_text(&l, big);
		line_text(&l, "never seen");
		line_u64(&l, 7);
		REQUIRE_LT(l.bytes, sizeof(l.text));
		sys_set_hook(catch_write);
		line_send(&l);
		sys_set_hook(NULL);
		EXPECT_STR_EQ(seen.text + seen.bytes - 4, "...\n");
		EXPECT_EQ(l.bytes, 0);
	}
}

TEST(line_numbers_read_as_people_write_them)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} table[] = {
		{ 0, "0 B" },		  { 1023, "1023 B" },
		{ 1024, "1 KiB" },	  { 2 * MIB, "2 MiB" },
		{ 3 * MIB / 2, "1.5 MiB" }, { 4 * GIB, "4 GiB" },
		{ GIB - 1, "1023.9 MiB" }, { UINT64_MAX, "16383.9 PiB" },
	};
	struct line l;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		line_start(&l);
		line_size(&l, table[i].bytes);
		EXPECT_STR_EQ(line_of(&l), table[i].text);
	}
	line_start(&l);
	line_u64(&l, UINT64_MAX);
	line_text(&l, " ");
	line_hex(&l, 0xabc0);
	EXPECT_STR_EQ(line_of(&l), "18446744073709551615 0xabc0");
}

TEST(line_columns_part_even_long_words)
{
	struct line l;
	size_t mark;

	line_start(&l);
	line_text(&l, "ab");
	line_column(&l, 5);
	line_text(&l, "c");
	line_column(&l, 2);
	mark = l.bytes;
	line_text(&l, "12");
	line_right(&l, mark, 12);
	EXPECT_STR_EQ(line_of(&l), "ab   c    12");
}

TEST(out_to_a_closed_or_full_stderr_is_harmless)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	dup2(full, 2);
	out_say("lost", NULL, NULL, NULL, NULL, NULL);
	close(full);
	close(2);
	out_say("lost", NULL, NULL, NULL, NULL, NULL);
	open("/dev/null", O_WRONLY | O_CLOEXEC);
}
