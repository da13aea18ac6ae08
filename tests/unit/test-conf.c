/* SPDX-License-Identifier: MIT */
/*
 * Every variable, good and bad: a bad value is said once and changes nothing.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "tests/unit/roots.h"

static struct {
	int remarks;
	char last[9000];
} said;

static void listen(const struct conf_remark *r)
{
	said.remarks++;
	snprintf(said.last, sizeof(said.last), "%.*s|%.*s|%s|%s", (int)r->variable.bytes,
		 r->variable.at, (int)r->value.bytes, r->value.at, r->what, r->used_instead);
}

/* Up to four entries, NULL for none. */
static struct conf parse(const char *a, const char *b, const char *c, const char *d)
{
	char *block[] = { (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	struct conf conf;

	memset(&said, 0, sizeof(said));
	conf_parse(block, "/usr/bin/redis-server", listen, &conf);
	return conf;
}

/* The field at @offset as a number, whatever its size is. */
static uint64_t field(const struct conf *c, size_t offset, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)c + offset, bytes);
	return value;
}

#define F(name) offsetof(struct conf, name), sizeof(((struct conf *)0)->name)
#define MAX UINT64_MAX

static const struct {
	const char *name;
	size_t offset, bytes;
	uint64_t unset;
	struct {
		const char *text;
		uint64_t value;
	} good[5];
	const char *bad[8];
} numbers[] = {
	{ "DEFAULT_PAGE_SIZE", F(page_bytes), 0,
	  { { "2M", 2 * MIB }, { "1g", GIB }, { " 65536 ", 64 * KIB } },
	  { "3M", "garbage", "4096", "0", "1", "-2M", "2M2" } },
	{ "MMAP", F(mmap.on), true,
	  { { "yes", true }, { "no", false }, { "0", false }, { "1G", true } },
	  { "maybe", "3M", "thp", "2", "4K" } },
	{ "MMAP", F(mmap.page_bytes), 0,
	  { { "yes", 0 }, { "no", 0 }, { "1G", GIB } },
	  { "3G" } },
	{ "SHM", F(shm.on), true,
	  { { "Yes", true }, { "off", false }, { "1G", true } },
	  { "maybe", "3M", "thp" } },
	{ "SHM", F(shm.page_bytes), 0,
	  { { "2MiB", 2 * MIB } },
	  { "x" } },
	{ "MORECORE", F(morecore.on), true,
	  { { "yes", true }, { "no", false }, { "2M", true }, { "thp", true } },
	  { "thp2", "5M" } },
	{ "MORECORE", F(morecore.thp), false,
	  { { "THP", true }, { "yes", false } },
	  { "th" } },
	{ "MORECORE", F(morecore.page_bytes), 0,
	  { { "2M", 2 * MIB }, { "thp", 0 } },
	  { "7" } },
	{ "ELFMAP", F(elf.read), false,
	  { { "R", true }, { "rw", true }, { "w", false }, { "yes", true }, { "no", false } },
	  { "RX", "R=", "R=3M", "=2M", "R:", "read", "R=2M:W=x" } },
	{ "ELFMAP", F(elf.write), false,
	  { { "W", true }, { "RW", true }, { "R", false }, { "R=2M:W=1G", true } },
	  { "R:W:X", "W=2M=1G" } },
	{ "ELFMAP", F(elf.read_page_bytes), 0,
	  { { "R=2M:W=1G", 2 * MIB }, { "RW=1G", GIB }, { "R", 0 } },
	  { "R=2" } },
	{ "ELFMAP", F(elf.write_page_bytes), 0,
	  { { "R=2M:W=1G", GIB }, { "R:W=2M", 2 * MIB }, { "R=1G:W", 0 } },
	  { "W=2" } },
	{ "PERF_MAP", F(elf.perf_map), false,
	  { { "yes", true }, { "no", false } },
	  { "2" } },
	{ "FORCE_ELFMAP", F(elf.force), false,
	  { { "yes", true }, { "no", false } },
	  { "2" } },
	{ "MMAP_MIN", F(mmap_min), 0,
	  { { "64K", 64 * KIB }, { "0", 0 } },
	  { "12Q", "-1", "99999999999T" } },
	{ "MALLOC_START", F(malloc_start), 4 * MIB,
	  { { "1G", GIB }, { "0", 0 } },
	  { "x" } },
	{ "LIMIT", F(limit), MAX,
	  { { "16G", 16 * GIB }, { "0", 0 } },
	  { "none", "x" } },
	{ "KEEP_FREE", F(keep_free), 0,
	  { { "8", 8 } },
	  { "8M", "-1", "18446744073709551616" } },
	{ "EAGER_MAX", F(eager_max), 4 * GIB,
	  { { "0", 0 }, { "1T", 1024 * GIB } },
	  { "all" } },
	{ "FALLBACK", F(fallback), FALLBACK_THP,
	  { { "thp", FALLBACK_THP }, { "SMALL", FALLBACK_SMALL }, { "fail", FALLBACK_FAIL } },
	  { "no", "fai", "failx", "thp small" } },
	{ "EXPLICIT", F(explicit_requests), EXPLICIT_FAIL,
	  { { "fail", EXPLICIT_FAIL }, { "small", EXPLICIT_SMALL } },
	  { "thp" } },
	{ "FORK", F(fork), FORK_AUTO,
	  { { "auto", FORK_AUTO }, { "share", FORK_SHARE }, { "copy", FORK_COPY },
	    { "refuse", FORK_REFUSE } },
	  { "yes" } },
	{ "PROMOTE", F(promote), true,
	  { { "no", false }, { "yes", true } },
	  { "x" } },
	{ "SHARE", F(share), false,
	  { { "1", true }, { "0", false } },
	  { "2" } },
	{ "NO_RESERVE", F(no_reserve), false,
	  { { "yes", true } },
	  { "x" } },
	{ "NO_PREFAULT", F(no_prefault), false,
	  { { "yes", true } },
	  { "x" } },
	{ "MINIMAL_COPY", F(minimal_copy), true,
	  { { "no", false } },
	  { "x" } },
	{ "MORECORE_SHRINK", F(shrink), false,
	  { { "yes", true } },
	  { "x" } },
	{ "VERBOSE", F(verbose), 1,
	  { { "0", 0 }, { "1", 1 }, { "99", 99 } },
	  { "100", "yes", "-1" } },
	{ "DEBUG", F(debug), false,
	  { { "yes", true }, { "no", false } },
	  { "x" } },
};

TEST(conf_good_values_are_taken_without_a_word)
{
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		struct conf c = parse(NULL, NULL, NULL, NULL);

		EXPECT_EQ(field(&c, numbers[i].offset, numbers[i].bytes), numbers[i].unset);
		for (size_t g = 0; g < 5 && numbers[i].good[g].text; g++) {
			char entry[100];

			snprintf(entry, sizeof(entry), "HUGETLB_%s=%s", numbers[i].name,
				 numbers[i].good[g].text);
			c = parse("PATH=/bin", entry, "TERM=x", NULL);
			if (field(&c, numbers[i].offset, numbers[i].bytes) !=
			    numbers[i].good[g].value)
				FAIL("%s", entry);
			EXPECT_STR_EQ(said.last, "");
			EXPECT_TRUE(c.active);
		}
	}
}

TEST(conf_bad_values_are_said_once_and_change_nothing)
{
	struct conf defaults;

	conf_defaults(&defaults);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		for (size_t b = 0; b < 8 && numbers[i].bad[b]; b++) {
			char entry[100], head[100];
			struct conf c;

			snprintf(entry, sizeof(entry), "HUGETLB_%s=%s", numbers[i].name,
				 numbers[i].bad[b]);
			c = parse(entry, NULL, NULL, NULL);
			if (memcmp(&c, &defaults, sizeof(c)) != 0)
				FAIL("%s changed something", entry);
			snprintf(head, sizeof(head), "HUGETLB_%s|%s|is ", numbers[i].name,
				 numbers[i].bad[b]);
			EXPECT_EQ(said.remarks, 1);
			EXPECT_CONTAINS(said.last, head);
			EXPECT_NE(said.last[strlen(said.last) - 1], '|');
		}
	}
}

TEST(conf_bad_values_are_silent_at_verbose_0)
{
	parse("HUGETLB_MMAP_MIN=12Q", "HUGETLB_VERBOSE=0", NULL, NULL);
	EXPECT_EQ(said.remarks, 0);
}

TEST(conf_texts_are_taken_as_they_are)
{
	struct conf c = parse("HUGETLB_PATH=/a b:/c", "HUGETLB_ELFLIBS=libx.so",
			      "HUGETLB_SHARE_PATH=/s", "HUGETLB_STATS=/tmp/%p.json");

	EXPECT_STR_EQ(c.paths, "/a b:/c");
	EXPECT_STR_EQ(c.elf.libraries, "libx.so");
	EXPECT_STR_EQ(c.share_path, "/s");
	EXPECT_STR_EQ(c.stats, "/tmp/%p.json");
	EXPECT_EQ(said.remarks, 0);
}

TEST(conf_elfmap_keeps_what_other_variables_set)
{
	struct conf c = parse("HUGETLB_FORCE_ELFMAP=yes", "HUGETLB_ELFLIBS=l", "HUGETLB_PERF_MAP=yes",
			      "HUGETLB_ELFMAP=RW");

	EXPECT_TRUE(c.elf.given);
	EXPECT_TRUE(c.elf.perf_map);
	EXPECT_TRUE(c.elf.force);
	EXPECT_TRUE(c.elf.read && c.elf.write);
	EXPECT_STR_EQ(c.elf.libraries, "l");
}

TEST(conf_empty_values_are_as_unset)
{
	struct conf defaults, c = parse("HUGETLB_MMAP=", "HUGETLB_PATH=", "HUGETLB_RESTRICT_EXE=",
					"HUGETLB_NEVER_HEARD=");

	conf_defaults(&defaults);
	EXPECT_EQ(memcmp(&c, &defaults, sizeof(c)), 0);
	EXPECT_EQ(said.remarks, 0);
}

TEST(conf_of_a_name_twice_the_first_counts)
{
	struct conf c = parse("HUGETLB_LIMIT=1G", "HUGETLB_LIMIT=2G", "HUGETLB_LIMIT=bad", NULL);

	EXPECT_EQ(c.limit, GIB);
	EXPECT_EQ(said.remarks, 0);
}

TEST(conf_without_effect_is_said_at_verbose_2)
{
	static const char *const idle[] = { "HUGETLB_NO_RESERVE=yes", "HUGETLB_NO_PREFAULT=yes",
					    "HUGETLB_FEATURES=private_reservations",
					    "HUGETLB_MORECORE_HEAPBASE=0x1000" };

	for (size_t i = 0; i < COUNT_OF(idle); i++) {
		parse(idle[i], NULL, NULL, NULL);
		EXPECT_EQ(said.remarks, 0);
		parse(idle[i], "HUGETLB_VERBOSE=2", NULL, NULL);
		EXPECT_EQ(said.remarks, 1);
		EXPECT_CONTAINS(said.last, "|has no effect here|");
	}
	parse("HUGETLB_LDSCRIPT_PATH=/x", "HUGETLB_DEPRECATED_LINK=yes", "HUGETLB_VERBOSE=99", NULL);
	EXPECT_EQ(said.remarks, 0);
}

TEST(conf_unknown_names_are_said_at_verbose_2)
{
	parse("HUGETLB_MMAPP=yes", NULL, NULL, NULL);
	EXPECT_EQ(said.remarks, 0);
	parse("HUGETLB_VERBOSE=2", "HUGETLB_MMAPP=yes", NULL, NULL);
	EXPECT_STR_EQ(said.last, "HUGETLB_MMAPP|yes|is no variable of libhresv|");
	EXPECT_EQ(said.remarks, 1);
	parse("HUGETLB_VERBOSE=2", "HUGETLB_=1", "HUGETLB", "HUGETLB_MMAP");
	EXPECT_EQ(said.remarks, 1);
}

TEST(conf_restrict_exe_compares_the_base_name)
{
	static const struct {
		const char *list, *exe;
		bool active;
	} table[] = {
		{ "redis-server", "/usr/bin/redis-server", true },
		{ "a:redis-server:b", "/usr/bin/redis-server", true },
		{ "redis", "/usr/bin/redis-server", false },
		{ "redis-server-2", "/usr/bin/redis-server", false },
		{ "/usr/bin/redis-server", "/usr/bin/redis-server", false },
		{ "redis-server", "/usr/bin/redis-server (deleted)", true },
		{ "redis-server", "redis-server", true },
		{ "redis-server", "/redis-server/date", false },
		{ "redis-server", NULL, false },
		{ "redis-server", "", false },
		{ ":", "", false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char entry[100];
		char *block[] = { entry, (char *)"HUGETLB_LIMIT=1G", NULL };
		struct conf c;

		snprintf(entry, sizeof(entry), "HUGETLB_RESTRICT_EXE=%s", table[i].list);
		conf_parse(block, table[i].exe, NULL, &c);
		EXPECT_EQ(c.active, table[i].active);
		EXPECT_EQ(c.filtered, !table[i].active);
		EXPECT_EQ(c.limit, GIB);
	}
}

TEST(conf_values_of_any_length_are_taken_and_refused)
{
	char *entry = malloc(8000), *long_name = malloc(8000);
	struct conf c;

	strcpy(entry, "HUGETLB_PATH=");
	memset(entry + 13, 'p', 7000);
	entry[7013] = '\0';
	c = parse(entry, NULL, NULL, NULL);
	EXPECT_EQ(strlen(c.paths), 7000);
	memcpy(entry, "HUGETLB_MMAP=", 13);
	c = parse(entry, NULL, NULL, NULL);
	EXPECT_TRUE(c.mmap.on);
	EXPECT_EQ(said.remarks, 1);
	strcpy(long_name, "HUGETLB_");
	memset(long_name + 8, 'N', 7000);
	strcpy(long_name + 7008, "=1");
	parse(long_name, "HUGETLB_VERBOSE=2", NULL, NULL);
	EXPECT_EQ(said.remarks, 1);
	free(entry);
	free(long_name);
}
