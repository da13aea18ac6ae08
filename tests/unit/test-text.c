/* SPDX-License-Identifier: MIT */
/* The parsers take what the kernel and people write, and nothing else. */
#include <string.h>

#include "core/base/text.h"
#include "tests/harness/harness.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

TEST(text_u64_takes_decimal_numbers_only)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} table[] = {
		{ "0", 0, 0 },
		{ "42\n", 0, 42 },
		{ " \t7 \n", 0, 7 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999999", -ERANGE, 0 },
		{ "", -EBADMSG, 0 },
		{ "\n", -EBADMSG, 0 },
		{ "-1", -EBADMSG, 0 },
		{ "+1", -EBADMSG, 0 },
		{ "0x10", -EBADMSG, 0 },
		{ "1 2", -EBADMSG, 0 },
		{ "12a", -EBADMSG, 0 },
		{ "max", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		uint64_t value = 99;

		EXPECT_EQ(text_u64(span_of(table[i].text), &value), table[i].err);
		EXPECT_EQ(value, table[i].err ? 99 : table[i].value);
	}
}

TEST(text_size_takes_units_of_1024)
{
	static const struct {
		const char *text;
		int err;
		size_t bytes;
	} table[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "2M", 0, 2 * MIB },
		{ "2m", 0, 2 * MIB },
		{ "2MB", 0, 2 * MIB },
		{ "2MiB", 0, 2 * MIB },
		{ " 1G ", 0, GIB },
		{ "64kb", 0, 64 * KIB },
		{ "1T", 0, 1024 * GIB },
		{ "16777215T", 0, UINT64_C(16777215) << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "2 M", -EINVAL, 0 },
		{ "2Q", -EINVAL, 0 },
		{ "2MM", -EINVAL, 0 },
		{ "2Mi", -EINVAL, 0 },
		{ "-2M", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "50%", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		size_t bytes = 99;

		EXPECT_EQ(text_size(span_of(table[i].text), &bytes), table[i].err);
		EXPECT_EQ(bytes, table[i].err ? 99 : table[i].bytes);
	}
}

TEST(text_switch_knows_five_words_each_way_in_any_case)
{
	static const char *const yes[] = { "yes", "Y", "TRUE", "on", "1", " yes\n" };
	static const char *const no[] = { "no", "N", "False", "OFF", "0" };
	static const char *const neither[] = { "", "2", "yesno", "ye", "10", "nope" };
	bool on;

	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		on = false;
		EXPECT_EQ(text_switch(span_of(yes[i]), &on), 0);
		EXPECT_TRUE(on);
	}
	for (size_t i = 0; i < COUNT_OF(no); i++) {
		on = true;
		EXPECT_EQ(text_switch(span_of(no[i]), &on), 0);
		EXPECT_FALSE(on);
	}
	for (size_t i = 0; i < COUNT_OF(neither); i++) {
		on = true;
		EXPECT_EQ(text_switch(span_of(neither[i]), &on), -EINVAL);
		EXPECT_TRUE(on);
	}
}

TEST(span_next_line_gives_every_line_once)
{
	struct span rest = span_of("one\n\nthree"), line;

	REQUIRE_TRUE(span_next_line(&rest, &line));
	EXPECT_TRUE(span_equal(line, "one"));
	REQUIRE_TRUE(span_next_line(&rest, &line));
	EXPECT_EQ(line.bytes, 0);
	REQUIRE_TRUE(span_next_line(&rest, &line));
	EXPECT_TRUE(span_equal(line, "three"));
	EXPECT_FALSE(span_next_line(&rest, &line));
	rest = span_of("ends\n");
	EXPECT_TRUE(span_next_line(&rest, &line));
	EXPECT_FALSE(span_next_line(&rest, &line));
	rest = span_of("");
	EXPECT_FALSE(span_next_line(&rest, &line));
}

TEST(span_next_field_counts_empty_fields)
{
	struct span rest = span_of(":a::"), field;
	static const char *const want[] = { "", "a", "", "" };

	for (size_t i = 0; i < COUNT_OF(want); i++) {
		REQUIRE_TRUE(span_next_field(&rest, ':', &field));
		EXPECT_TRUE(span_equal(field, want[i]));
	}
	EXPECT_FALSE(span_next_field(&rest, ':', &field));
}

TEST(span_next_word_passes_over_blanks)
{
	struct span rest = span_of("  hugetlb\t4   1 "), word;
	static const char *const want[] = { "hugetlb", "4", "1" };

	for (size_t i = 0; i < COUNT_OF(want); i++) {
		REQUIRE_TRUE(span_next_word(&rest, &word));
		EXPECT_TRUE(span_equal(word, want[i]));
	}
	EXPECT_FALSE(span_next_word(&rest, &word));
}

TEST(text_unescape_resolves_complete_octal_only)
{
	static const struct {
		const char *escaped, *plain;
	} table[] = {
		{ "/a\\040b", "/a b" },   { "\\134040", "\\040" }, { "/tab\\011x\\012", "/tab\tx\n" },
		{ "/cut\\04", "/cut\\04" }, { "\\", "\\" },	   { "\\089", "\\089" },
		{ "", "" },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char to[32];

		memset(to, 'x', sizeof(to));
		EXPECT_EQ(text_unescape(span_of(table[i].escaped), to), strlen(table[i].plain));
		EXPECT_STR_EQ(to, table[i].plain);
	}
}

TEST(text_unescape_never_looks_behind_the_span)
{
	const char text[] = "/a\\040";
	char to[8];

	EXPECT_EQ(text_unescape((struct span){ text, 5 }, to), 5);
	EXPECT_STR_EQ(to, "/a\\04");
}

TEST(text_listed_compares_whole_entries)
{
	const struct span list = span_of("redis-server:post:postgres");

	EXPECT_TRUE(text_listed(list, ':', span_of("post")));
	EXPECT_TRUE(text_listed(list, ':', span_of("postgres")));
	EXPECT_FALSE(text_listed(list, ':', span_of("redis")));
	EXPECT_FALSE(text_listed(list, ':', span_of("")));
	EXPECT_FALSE(text_listed(span_of("a::b"), ':', span_of("")));
	EXPECT_FALSE(text_listed(span_of(NULL), ':', span_of("a")));
}

TEST(text_set_takes_lists_of_ranges)
{
	static const char *const wrong[] = { "", "x", "1,", ",1", "3-1", "1-", "-1", "1-2-3", "128", "0-128" };
	uint64_t words[2] = { 7, 7 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_EQ(text_set(span_of(wrong[i]), words, 2), -EBADMSG);
	EXPECT_EQ(words[0], 7);
	EXPECT_EQ(words[1], 7);
	EXPECT_EQ(text_set(span_of("0-3,8,62-64,127\n"), words, 2), 0);
	EXPECT_EQ(words[0], UINT64_C(0xc00000000000010f));
	EXPECT_EQ(words[1], UINT64_C(0x8000000000000001));
}
