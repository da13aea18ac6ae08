/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory becomes huge as far as pages can be had: exactly as long as it
 * was asked to be, small where there is no page, and never dead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static void *map(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, RW, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	return at;
}

/* How many bytes, of which kind, and how many of them shall be huge: from the environment. */
static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

PROGRAM(maps_and_unmaps)
{
	size_t bytes = given("BYTES"), huge = given("HUGE");
	int flags = getenv("SHARED") ? MAP_SHARED : MAP_PRIVATE;
	size_t whole = (bytes + 4095) & ~(size_t)4095;
	unsigned long before = pool_free(PAGE) - pool_resv(PAGE);
	char *at = map(bytes, flags);

	EXPECT_EQ(huge_in(at, bytes + PAGE), huge);
	EXPECT_EQ(huge_in(at, huge), huge);		/* from the start on */
	EXPECT_EQ(mapped_in(at, whole), whole);
	EXPECT_TRUE(is_zero(at, bytes));
	fill_pages(at, bytes, 1);
	EXPECT_TRUE(holds_pages(at, bytes, 1));
	EXPECT_EQ(before - (pool_free(PAGE) - pool_resv(PAGE)), huge / PAGE);
	EXPECT_EQ(munmap(at, bytes), 0);
	EXPECT_EQ(mapped_in(at, whole), 0);
	EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
}

static void expect_huge(const char *kind, unsigned long pool, size_t bytes, size_t huge)
{
	char bytes_text[64], huge_text[64];

	snprintf(bytes_text, sizeof(bytes_text), "BYTES=%zu", bytes);
	snprintf(huge_text, sizeof(huge_text), "HUGE=%zu", huge);
	pool_set(PAGE, pool);
	run_with_us("maps_and_unmaps", bytes_text, huge_text, kind);
}

#define SIZES_TABLE(X)                                                                       \
	X(exactly_one_page, 2, PAGE, PAGE)                                                   \
	X(whole_pages, 8, 8 * MIB, 8 * MIB)                                                  \
	X(a_tail_that_is_not_rounded_up, 8, 7 * MIB, 6 * MIB)                                \
	X(a_tail_of_one_byte, 8, 4 * MIB + 1, 4 * MIB)                                       \
	X(one_byte_less_than_two_pages, 8, 4 * MIB - 1, 2 * MIB)                             \
	X(a_tail_of_one_small_page, 8, 6 * MIB + 4096, 6 * MIB)                              \
	X(a_pool_one_page_short, 3, 8 * MIB, 6 * MIB)                                        \
	X(a_pool_short_and_a_tail, 2, 9 * MIB, 4 * MIB)                                      \
	X(a_pool_of_one_page, 1, 32 * MIB, 2 * MIB)                                          \
	X(no_pool, 0, 32 * MIB, 0)                                                           \
	X(many_pages_and_a_pool_short, 30, 100 * MIB, 60 * MIB)                              \
	X(less_than_a_page, 4, PAGE - 1, 0)

#define PRIVATE_TEST(name, pool, bytes, huge)                                                \
	TEST(mmap_private_with_##name) { expect_huge("PRIVATE=1", pool, bytes, huge); }
#define SHARED_TEST(name, pool, bytes, huge)                                                 \
	TEST(mmap_shared_with_##name) { expect_huge("SHARED=1", pool, bytes, huge); }

SIZES_TABLE(PRIVATE_TEST)
SIZES_TABLE(SHARED_TEST)

/* The control: a kernel left to itself maps nothing huge. */
TEST(mmap_without_us_is_small)
{
	struct spawned r;

	pool_set(PAGE, 8);
	setenv("BYTES", "8388608", 1);
	setenv("HUGE", "8388608", 1);
	r = program_alone("maps_and_unmaps", NULL);
	EXPECT_EQ(r.exit_status, 1);
	EXPECT_CONTAINS(r.err, "huge_in(at, bytes + PAGE)");
}

PROGRAM(maps_with_flags)
{
	const size_t huge = 4 * MIB;

	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_POPULATE), huge), huge);
	EXPECT_EQ(huge_in(map(huge, MAP_SHARED | MAP_POPULATE), huge), huge);
	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_LOCKED), huge), huge);
	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_NORESERVE), huge), 0);
	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_STACK), huge), 0);
	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_GROWSDOWN), huge), 0);
#ifdef MAP_32BIT
	EXPECT_EQ(huge_in(map(huge, MAP_PRIVATE | MAP_32BIT), huge), 0);
#endif
}

TEST(mmap_flags_decide_what_is_left_alone)
{
	pool_set(PAGE, 20);
	run_with_us("maps_with_flags");
}

PROGRAM(maps_with_protections)
{
	static const struct {
		int prot;
		bool huge;
	} rows[] = {
		{ PROT_NONE, false },
		{ PROT_READ, false },
		{ PROT_READ | PROT_EXEC, false },
		{ PROT_WRITE, false },
		{ RW, true },
		{ RW | PROT_EXEC, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *at = mmap(NULL, 5 * MIB, rows[i].prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE_NE(at, MAP_FAILED);
		EXPECT_EQ(huge_in(at, 5 * MIB), rows[i].huge ? 4 * MIB : 0);
		EXPECT_EQ(munmap(at, 5 * MIB), 0);
	}
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

TEST(mmap_protections_decide_what_is_left_alone)
{
	pool_set(PAGE, 4);
	run_with_us("maps_with_protections");
}

PROGRAM(maps_and_runs_code)
{
	static const unsigned char returns_7[] =
#if defined(__x86_64__)
		{ 0xb8, 7, 0, 0, 0, 0xc3 };
#else
		{ 0xe0, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 };
#endif
	char *at = mmap(NULL, 4 * MIB, RW | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE_NE(at, MAP_FAILED);
	memcpy(at, returns_7, sizeof(returns_7));
	__builtin___clear_cache(at, at + sizeof(returns_7));
	EXPECT_EQ(((int (*)(void))(uintptr_t)at)(), 7);
}

TEST(mmap_executable_memory_executes)
{
	pool_set(PAGE, 2);
	run_with_us("maps_and_runs_code");
}

PROGRAM(maps_at_hints)
{
	char *probe = map(64 * MIB, MAP_PRIVATE | MAP_NORESERVE), *at;
	char *line = (char *)(((uintptr_t)probe + PAGE) & ~(PAGE - 1));

	munmap(probe, 64 * MIB);
	at = mmap(line, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(at, line);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	/* A hint off the line: the small head keeps it. */
	at = mmap(line + 8 * MIB + 4096, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(at, line + 8 * MIB + 4096);
	EXPECT_EQ(huge_in(at, 4 * MIB), 2 * MIB);
	EXPECT_EQ(mapped_in(at, 4 * MIB), 4 * MIB);
	fill_pages(at, 4 * MIB, 3);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 3));
	/* A hint that is taken goes elsewhere, and harms nobody. */
	EXPECT_NE(mmap(line, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line);
	/* MAP_FIXED stays where it was told, small. */
	at = mmap(line + 32 * MIB, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPECT_EQ(at, line + 32 * MIB);
	EXPECT_EQ(huge_in(at, 4 * MIB), 0);
	/* Over our own: it replaces. */
	fill_pages(line, 4 * MIB, 4);
	at = mmap(line + 4096, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPECT_EQ(at, line + 4096);
	EXPECT_TRUE(is_zero(line + 4096, 8192));
	EXPECT_TRUE(holds_pages(line, 4096, 4));
	EXPECT_EQ(mmap(line, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, EEXIST);
}

TEST(mmap_hints_and_fixed_places_are_honoured)
{
	pool_set(PAGE, 16);
	run_with_us("maps_at_hints");
}

PROGRAM(asks_for_nonsense)
{
	static const size_t sizes[] = { 0, SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX - PAGE,
					SIZE_MAX - 3 * MIB, (size_t)1 << 63, (size_t)1 << 47 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		errno = 0;
		EXPECT_EQ(mmap(NULL, sizes[i], RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
		EXPECT_EQ(errno, i == 0 ? EINVAL : ENOMEM);
		errno = 0;
		EXPECT_EQ(mmap(NULL, sizes[i], RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
		EXPECT_EQ(errno, i == 0 ? EINVAL : ENOMEM);
	}
	errno = 0;
	EXPECT_EQ(mmap(NULL, 4 * MIB, RW, MAP_ANONYMOUS, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mmap(NULL, 4 * MIB, RW, MAP_PRIVATE, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, EBADF);
	EXPECT_EQ(munmap((void *)1, 4096), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(munmap(NULL, 0), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(munmap((void *)PAGE, SIZE_MAX), -1);
	EXPECT_EQ(errno, EINVAL);
}

/* The errors of an impossible request are the kernel's, the same with us and without. */
TEST(mmap_impossible_requests_fail_as_without_us)
{
	pool_set(PAGE, 4);
	EXPECT_EQ(program_alone("asks_for_nonsense", NULL).exit_status, 0);
	run_with_us("asks_for_nonsense");
	run_with_us("asks_for_nonsense", "HUGETLB_FALLBACK=small");
}

PROGRAM(looks_at_errno)
{
	void *at;

	errno = 4711;
	at = map(8 * MIB, MAP_PRIVATE);
	EXPECT_EQ(errno, 4711);
	munmap((char *)at + 4096, 4096);
	EXPECT_EQ(errno, 4711);
	munmap(at, 8 * MIB);
	EXPECT_EQ(errno, 4711);
	map(8 * MIB, MAP_SHARED);
	EXPECT_EQ(errno, 4711);
}

TEST(mmap_and_munmap_leave_errno_alone_when_they_succeed)
{
	pool_set(PAGE, 3);	/* with a shortage inside */
	run_with_us("looks_at_errno");
}
