/* SPDX-License-Identifier: MIT */
/*
 * Pages made small and huge again, each system call failing in turn: done with all of
 * the content, or not done.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/act/demote.h"
#include "core/act/release.h"
#include "core/act/writers.h"
#include "core/base/mem.h"
#include "core/route.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

static char *map(int flags, size_t bytes)
{
	const struct request rq = { .bytes = bytes, .prot = RW, .flags = flags | MAP_ANONYMOUS,
				    .fd = -1 };
	long at = route_map(&rq);

	REQUIRE_TRUE(!sys_failed(at));
	return (char *)at;
}

static page_word word_of(const char *at)
{
	return pagemap_get((uintptr_t)at) & ~(WORD_CLAIMED | WORD_WAITED);
}

/* As cut.c does it: claimed, demoted, the new word set. */
static int demote(char *at)
{
	struct claim c = pagemap_claim((uintptr_t)at, (uintptr_t)at + PAGE);
	page_word word = word_of(at);
	int err = demote_page((uintptr_t)at, word, (uintptr_t)at, (uintptr_t)at + PAGE);

	if (!err)
		pagemap_set((uintptr_t)at, (uintptr_t)at + PAGE,
			    word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
	pagemap_unclaim(&c);
	return err;
}

static void demote_failing(int flags, int prot, int err)
{
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		const struct held before = held_now();
		char *at = map(flags, PAGE);
		int got;

		fill_pages(at, PAGE, 4);
		route_protect((uintptr_t)at, PAGE, prot, -1);
		faults_arm(nth, err);
		got = demote(at);
		fired = faults_fired();
		EXPECT_TRUE(got == 0 || (fired && (got == -ENOMEM || got == -EBUSY || got == -err)));
		EXPECT_EQ(huge_in(at, PAGE), got ? PAGE : 0);
		EXPECT_EQ(stats_held(), got ? PAGE : 0);
		route_protect((uintptr_t)at, PAGE, RW, -1);
		EXPECT_TRUE(holds_pages(at, PAGE, 4));
		fill_pages(at, PAGE, 5);	/* writers are held no more */
		EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
		held_expect(&before, "demote_page", nth, err);
	}
}

static void demote_each(int flags, int prot)
{
	pool_set(PAGE, 1);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		demote_failing(flags, prot, err);
}

TEST(demote_of_a_private_page_keeps_the_content)
{
	demote_each(MAP_PRIVATE, RW);
}

TEST(demote_of_a_shared_page_keeps_the_content)
{
	demote_each(MAP_SHARED, RW);
}

TEST(demote_of_an_unreadable_page_keeps_the_content)
{
	demote_each(MAP_PRIVATE, PROT_NONE);
	demote_each(MAP_PRIVATE, PROT_READ);
}

/* How many of its small pages are there. */
static size_t present_in(const char *at, size_t bytes)
{
	unsigned char vec[PAGE / 4096];
	size_t present = 0;

	REQUIRE_EQ(mincore((void *)at, bytes, vec), 0);
	for (size_t i = 0; i < bytes / mem_page_bytes(); i++)
		present += vec[i] & 1;
	return present;
}

/* Mapped and trimmed, as allocators do: what was never written needs no memory. */
TEST(demote_of_an_untouched_page_populates_nothing)
{
	pool_set(PAGE, 1);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			char *at = map(nth % 2 ? MAP_PRIVATE : MAP_SHARED, PAGE);
			int got;

			faults_arm(nth, err);
			got = demote(at);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || fired);
			EXPECT_EQ(huge_in(at, PAGE), got ? PAGE : 0);
			if (got == 0)
				EXPECT_EQ(present_in(at, PAGE), 0);
			EXPECT_TRUE(is_zero(at, PAGE));
			fill_pages(at, PAGE, 5);
			EXPECT_TRUE(holds_pages(at, PAGE, 5));
			EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
			held_expect(&before, "demote_page", nth, err);
		}
}

TEST(demote_of_a_page_that_only_looks_untouched_keeps_what_is_there)
{
	pool_set(PAGE, 1);
	for (size_t place = 8; place < PAGE; place = place * 5 + 8) {
		char *at = map(place % 16 ? MAP_PRIVATE : MAP_SHARED, PAGE);

		at[place] = 1;
		EXPECT_EQ(demote(at), 0);
		EXPECT_EQ(huge_in(at, PAGE), 0);
		EXPECT_EQ(at[place], 1);
		at[place] = 0;
		EXPECT_TRUE(is_zero(at, PAGE));
		EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
	}
}

/* Where the rest is unmapped next: nearly all of it, half, and one small page. */
TEST(demote_of_a_part_keeps_that_part)
{
	static const struct { size_t from, bytes; } parts[] = {
		{ 0, PAGE - 4096 }, { 4096, PAGE - 4096 }, { PAGE / 2, PAGE / 2 }, { PAGE - 4096, 4096 },
	};

	pool_set(PAGE, 1);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t lo = parts[i].from, hi = lo + parts[i].bytes;
		char *at = map(MAP_PRIVATE, PAGE);
		struct claim c = pagemap_claim((uintptr_t)at, (uintptr_t)at + PAGE);

		fill_pages(at + lo, hi - lo, 7);
		EXPECT_EQ(demote_page((uintptr_t)at, word_of(at), (uintptr_t)at + lo,
				      (uintptr_t)at + hi), 0);
		pagemap_set((uintptr_t)at, (uintptr_t)at + PAGE,
			    word_make(PAGE_SPLIT, 0, mem_page_bytes(), 0));
		pagemap_unclaim(&c);
		EXPECT_EQ(huge_in(at, PAGE), 0);
		EXPECT_EQ(mapped_in(at, PAGE), PAGE);
		EXPECT_TRUE(holds_pages(at + lo, hi - lo, 7));
		EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
	}
}

/* No userfaultfd at all: writers take SIGSEGV, or there is but one thread. */
TEST(demote_without_userfaultfd_keeps_the_content)
{
	pool_set(PAGE, 1);
	for (int shared = 0; shared < 2; shared++) {
		char *at = map(shared ? MAP_SHARED : MAP_PRIVATE, PAGE);

		fill_pages(at, PAGE, 4);
		old_kernel(OLD_NO_UFFD | OLD_NO_POPULATE);
		EXPECT_EQ(demote(at), 0);
		old_kernel(0);
		EXPECT_EQ(huge_in(at, PAGE), 0);
		EXPECT_TRUE(holds_pages(at, PAGE, 4));
		EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
	}
}

/* What is made aside lies on a line nevertheless, and no room round it stays behind. */
TEST(demote_where_mappings_lie_on_any_line_keeps_the_content)
{
	pool_set(PAGE, 1);
	held_grow_records();
	for (int shared = 0; shared < 2; shared++) {
		const struct held before = held_now();
		char *at = map(shared ? MAP_SHARED : MAP_PRIVATE, PAGE);

		fill_pages(at, PAGE, 4);
		old_kernel(OLD_ANY_LINE);
		EXPECT_EQ(demote(at), 0);
		old_kernel(0);
		EXPECT_EQ(huge_in(at, PAGE), 0);
		EXPECT_TRUE(holds_pages(at, PAGE, 4));
		EXPECT_EQ(route_unmap((uintptr_t)at, PAGE), 0);
		held_expect(&before, "demote_page", 0, 0);
	}
}

/* Each way to hold writers, and to let them go again. */
TEST(writers_held_by_whatever_works_are_let_go)
{
	pool_set(PAGE, 1);
	for (int lacks = 0; lacks < 2; lacks++)
		HELD_EACH_ERRNO(err)
			for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
				const struct held before = held_now();
				char *at = map(MAP_PRIVATE, PAGE);
				struct writers w;
				int got;

				at[0] = 1;
				if (lacks)
					faults_arm_from(nth, err);
				else
					faults_arm(nth, err);
				if (lacks && err == EAGAIN)
					faults_disarm();	/* asked again for ever, rightly */
				got = writers_hold((uintptr_t)at, PAGE, RW, &w);
				fired = faults_fired();
				if (got == 0)
					writers_give_up(&w);
				else
					EXPECT_TRUE(fired);
				at[0]++;
				at[PAGE - 1]++;
				route_unmap((uintptr_t)at, PAGE);
				held_expect(&before, "writers_hold", nth, err);
			}
}

/* Freed or not, but zero exactly where it succeeded. */
TEST(release_works_or_says_that_it_did_not)
{
	pool_set(PAGE, 2);
	held_grow_records();
	for (int part = 0; part < 3; part++)
		HELD_EACH_ERRNO(err)
			for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
				const struct held before = held_now();
				char *at = map(MAP_PRIVATE, 2 * PAGE);
				const size_t from = part ? 4096 : 0, to = part == 2 ? 8192 : 2 * PAGE;
				struct claim c;
				int got;

				fill_pages(at, part ? 2 * PAGE : 8192, 4);
				c = pagemap_claim((uintptr_t)at, (uintptr_t)at + 2 * PAGE);
				faults_arm(nth, err);
				got = release_private((uintptr_t)at + from, (uintptr_t)at + to,
						      word_of(at));
				fired = faults_fired();
				pagemap_unclaim(&c);
				EXPECT_TRUE(got == 0 || (fired && got == -ENOMEM));
				if (got == 0)
					EXPECT_TRUE(is_zero(at + from, to - from));
				EXPECT_TRUE(holds_pages(at, from, 4));
				at[0] = at[2 * PAGE - 1] = 1;
				EXPECT_EQ(huge_in(at, 2 * PAGE), stats_held());
				route_unmap((uintptr_t)at, 2 * PAGE);
				held_expect(&before, "release_private", nth, err);
			}
}

static size_t most_mapped;

/*
 * vm.overcommit_memory=2 before Linux 6.12, or RLIMIT_AS: no more than so much at once,
 * and what lay at a fixed place is unmapped when the kernel refuses.
 */
static long refuse_to_map(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_mmap || (size_t)args[1] <= most_mapped)
		return 0;
	*ret_handled = true;
	if ((args[3] & MAP_FIXED) && !(args[3] & MAP_FIXED_NOREPLACE))
		munmap((void *)args[0], (size_t)args[1]);
	return -ENOMEM;
}

static void release_with(size_t most, size_t huge_after)
{
	char *at = map(MAP_PRIVATE, 3 * PAGE);
	struct claim c;

	fill_pages(at, 2 * PAGE, 4);
	fill_pages(at + 2 * PAGE, PAGE, 5);
	c = pagemap_claim((uintptr_t)at, (uintptr_t)at + 3 * PAGE);
	most_mapped = most;
	sys_set_hook(refuse_to_map);
	EXPECT_EQ(release_private((uintptr_t)at, (uintptr_t)at + 2 * PAGE, word_of(at)), 0);
	sys_set_hook(NULL);
	pagemap_unclaim(&c);
	EXPECT_EQ(mapped_in(at, 3 * PAGE), 3 * PAGE);
	EXPECT_EQ(huge_in(at, 3 * PAGE), huge_after);
	EXPECT_EQ(stats_held(), huge_after);
	EXPECT_TRUE(is_zero(at, 2 * PAGE));
	EXPECT_TRUE(holds_pages(at + 2 * PAGE, PAGE, 5));
	at[0] = at[2 * PAGE - 1] = 1;
	EXPECT_EQ(route_unmap((uintptr_t)at, 3 * PAGE), 0);
}

TEST(release_gives_pages_back_one_by_one_where_address_space_is_short)
{
	pool_set(PAGE, 3);
	release_with(PAGE, PAGE);
}

TEST(release_that_gets_no_small_pages_leaves_zeros_and_no_hole)
{
	pool_set(PAGE, 3);
	release_with(4096, 3 * PAGE);
}

static void *stay(void *arg)
{
	char byte;

	return read(*(int *)arg, &byte, 1) == 0 ? NULL : arg;
}

/*
 * Without userfaultfd: a fault that is the program's own uses up the try a window gives
 * to each thread; the store that runs into the window after that must have another.
 */
TEST(writer_late_from_a_window_tries_again_whatever_faulted_before)
{
	struct writers w;
	pthread_t other;
	int hold[2];
	char *at;

	REQUIRE_EQ(pipe(hold), 0);
	REQUIRE_EQ(pthread_create(&other, NULL, stay, &hold[0]), 0);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	old_kernel(OLD_NO_UFFD);
	REQUIRE_EQ(writers_hold((uintptr_t)at, 4096, PROT_READ | PROT_WRITE, &w), 0);
	EXPECT_EQ(w.way, WRITERS_FAULT);
	EXPECT_TRUE(writers_wait((uintptr_t)at));
	writers_give_up(&w);
	EXPECT_TRUE(writers_wait((uintptr_t)at));
	EXPECT_FALSE(writers_wait((uintptr_t)at));
	old_kernel(0);
	close(hold[1]);
	pthread_join(other, NULL);
	close(hold[0]);
	munmap(at, 4096);
}
