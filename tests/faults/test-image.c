/* SPDX-License-Identifier: MIT */
/*
 * A segment as a loader maps it, made huge with each of the system calls failing in
 * turn: its content and its protection are there at every moment, and at the end.
 */
#include <pthread.h>

#include "core/image.h"
#include "core/route.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define FILE_BYTES (2 * PAGE + 40 * KIB)

struct kind {
	int prot;
	enum use use;
	size_t bss;		/* bytes behind the file's */
	size_t relro;		/* bytes at its beginning that are read-only */
};

static struct image_segment segment;

/* On a line, with nothing beside it, as a linker aligns it. */
static void load(const struct kind *k)
{
	char *room = mmap(NULL, 6 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)room + 2 * PAGE - 1) & ~(PAGE - 1));
	int file = memfd_create("segment", MFD_CLOEXEC);
	static char *bytes;

	if (!bytes) {
		bytes = malloc(FILE_BYTES);
		fill_pages(bytes, FILE_BYTES, 5);
	}
	REQUIRE_EQ(write(file, bytes, FILE_BYTES), (ssize_t)FILE_BYTES);
	munmap(room, 6 * PAGE);
	REQUIRE_EQ(mmap(at, FILE_BYTES, k->prot, MAP_PRIVATE | MAP_FIXED, file, 0), at);
	close(file);
	if (k->bss)
		REQUIRE_EQ(mmap(at + FILE_BYTES, k->bss, k->prot, ANON | MAP_FIXED, -1, 0),
			   at + FILE_BYTES);
	if (k->relro)
		mprotect(at, k->relro, PROT_READ);
	segment = (struct image_segment){
		.lo = (uintptr_t)at, .hi = (uintptr_t)at + FILE_BYTES + k->bss,
		.room_hi = UINTPTR_MAX, .use = k->use, .aligned = true,
	};
}

/* "rwx" of what holds @at. */
static int prot_at(uintptr_t at)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long lo, hi;
	char line[4096], p[8];
	int prot = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %4s", &lo, &hi, p) == 3 && lo <= at && at < hi)
			prot = (p[0] == 'r' ? 1 : 0) | (p[1] == 'w' ? 2 : 0) | (p[2] == 'x' ? 4 : 0);
	fclose(f);
	return prot;
}

static bool is_right(const struct kind *k)
{
	const uintptr_t at = segment.lo;
	bool right = holds_pages((void *)at, FILE_BYTES, 5) &&
		     prot_at(at) == (k->relro ? PROT_READ : k->prot) &&
		     prot_at(at + PAGE) == k->prot && prot_at(segment.hi - 1) == k->prot;

	if (right && k->bss)
		right = is_zero((void *)(at + FILE_BYTES), k->bss);
	return right;
}

static void unload(void)
{
	route_unmap(segment.lo, (segment.hi - segment.lo + PAGE - 1) & ~(PAGE - 1));
}

static void remap_each(struct kind k, size_t pages)
{
	pool_set(PAGE, pages);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();

			load(&k);
			faults_arm(nth, err);
			image_remap(&segment);
			fired = faults_fired();
			if (!is_right(&k)) {
				held_tell("image_remap", nth, err);
				FAIL("something else is there");
			}
			if (!fired)
				EXPECT_EQ(huge_in((void *)segment.lo, segment.hi - segment.lo),
					  pages * PAGE < segment.hi - segment.lo ?
					  pages * PAGE : segment.hi - segment.lo);
			unload();
			held_expect(&before, "image_remap", nth, err);
		}
}

TEST(image_of_text_is_huge_or_as_it_was)
{
	remap_each((struct kind){ PROT_READ | PROT_EXEC, USE_TEXT, 0, 0 }, 3);
}

TEST(image_of_text_with_too_few_pages_is_partly_huge)
{
	remap_each((struct kind){ PROT_READ | PROT_EXEC, USE_TEXT, 0, 0 }, 1);
}

TEST(image_of_data_is_huge_or_as_it_was)
{
	remap_each((struct kind){ RW, USE_DATA, PAGE, 0 }, 4);
}

TEST(image_of_data_keeps_what_is_read_only)
{
	remap_each((struct kind){ RW, USE_DATA, 0, PAGE }, 3);
}

/* RELRO that ends inside a huge page: that one stays as it is. */
TEST(image_of_a_page_with_two_protections_stays_small)
{
	struct kind k = { RW, USE_DATA, PAGE, 64 * KIB };

	pool_set(PAGE, 4);
	load(&k);
	image_remap(&segment);
	EXPECT_TRUE(is_right(&k));
	EXPECT_EQ(prot_at(segment.lo + 64 * KIB), RW);
	EXPECT_EQ(huge_in((void *)segment.lo, PAGE), 0);
	EXPECT_EQ(huge_in((void *)(segment.lo + PAGE), segment.hi - segment.lo - PAGE),
		  segment.hi - segment.lo - PAGE);
	unload();
}

/* The kernel that clears the place first and fails then. */
static int moves_to_fail;

static long clears_and_fails(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_mremap || !(args[3] & MREMAP_FIXED) || moves_to_fail-- <= 0)
		return 0;
	*ret_handled = true;
	munmap((void *)args[4], (size_t)args[2]);
	return -ENOMEM;
}

TEST(image_mends_the_hole_a_failed_move_leaves)
{
	struct kind kinds[] = { { PROT_READ | PROT_EXEC, USE_TEXT, 0, 0 },
				{ RW, USE_DATA, PAGE, 0 } };

	pool_set(PAGE, 4);
	REQUIRE_EQ(place_moves(PAGE), PLACE_MOVES);
	for (int fails = 1; fails < 4; fails++)
		for (int i = 0; i < 2; i++) {
			load(&kinds[i]);
			moves_to_fail = fails;
			sys_set_hook(clears_and_fails);
			image_remap(&segment);
			sys_set_hook(NULL);
			EXPECT_LT(moves_to_fail, fails);	/* it failed at all */
			EXPECT_TRUE(is_right(&kinds[i]));
			EXPECT_EQ(huge_in((void *)segment.lo, segment.hi - segment.lo) > 0,
				  fails == 1);
			unload();
		}
}

/* Before Linux 5.16 huge pages can't be moved: nothing is tried, transparent ones apart. */
TEST(image_where_huge_pages_do_not_move_is_left_alone)
{
	struct kind k = { RW, USE_DATA, PAGE, 0 };

	pool_set(PAGE, 4);
	load(&k);
	old_kernel(OLD_NO_HUGE_MREMAP);
	image_remap(&segment);
	old_kernel(0);
	EXPECT_TRUE(is_right(&k));
	EXPECT_EQ(huge_in((void *)segment.lo, segment.hi - segment.lo), 0);
	unload();
}

/* The heap would begin in the last page: that one stays small. */
static long heap_behind_segment(long nr, const long args[6], bool *ret_handled)
{
	(void)args;
	*ret_handled = nr == SYS_brk;
	return (long)segment.hi;
}

TEST(image_leaves_the_heap_its_place)
{
	struct kind k = { RW, USE_DATA, 0, 0 };

	pool_set(PAGE, 4);
	for (int near = 0; near < 2; near++) {
		load(&k);
		sys_set_hook(near ? heap_behind_segment : NULL);
		image_remap(&segment);
		sys_set_hook(NULL);
		EXPECT_TRUE(is_right(&k));
		EXPECT_EQ(pages_in((void *)segment.lo, 3 * PAGE, PAGE), (near ? 2 : 3) * PAGE);
		unload();
	}
}

/*
 * The heap itself: a segment in this process', which goes on behind it in the same huge
 * page. libc's idea of the break is kept true.
 */
enum { OURS = 68 * KIB, HEAPS = 20 * KIB };

static uintptr_t break_now(void)
{
	return (uintptr_t)syscall(SYS_brk, 0);
}

static void load_before_heap(int prot)
{
	const uintptr_t line = (break_now() + PAGE - 1) & ~(PAGE - 1);
	char bytes[OURS];
	int file = memfd_create("segment", MFD_CLOEXEC);

	REQUIRE_EQ(brk((void *)(line + OURS + HEAPS)), 0);
	fill_pages(bytes, OURS, 5);
	REQUIRE_EQ(write(file, bytes, OURS), (ssize_t)OURS);
	REQUIRE_EQ(mmap((void *)line, OURS, prot, MAP_PRIVATE | MAP_FIXED, file, 0), (void *)line);
	close(file);
	fill_pages((void *)(line + OURS), HEAPS, 7);
	segment = (struct image_segment){ .lo = line, .hi = line + OURS, .room_hi = UINTPTR_MAX,
					  .use = USE_DATA, .aligned = true };
}

/* Huge with the heap's part, which goes on behind; or all as it was. */
static bool is_right_before_heap(int prot, bool huge)
{
	const uintptr_t was = segment.hi + HEAPS, line = segment.lo + PAGE;

	return holds_pages((void *)segment.lo, OURS, 5) && prot_at(segment.lo) == prot &&
	       holds_pages((void *)segment.hi, HEAPS, 7) &&
	       prot_at(segment.hi) == (huge ? prot : RW) &&
	       (huge_in((void *)segment.lo, PAGE) == PAGE) == huge &&
	       (break_now() == (huge ? line : was) || faults_failed() == SYS_brk);
}

static bool heap_grows(void)
{
	const uintptr_t from = break_now(), to = from + 3 * PAGE;
	bool grows = (uintptr_t)syscall(SYS_brk, to) == to;

	if (grows)
		*(volatile char *)from = *(volatile char *)(to - 1) = 1;
	return grows && holds_pages((void *)segment.hi, HEAPS, 7);
}

static void remap_each_before_heap(int prot, size_t pages)
{
	pool_set(PAGE, pages);
	held_grow_records();
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			bool huge;

			load_before_heap(prot);
			faults_arm(nth, err);
			image_remap(&segment);
			fired = faults_fired();
			huge = huge_in((void *)segment.lo, PAGE) > 0;
			if (!is_right_before_heap(prot, huge) || (!fired && huge != (pages > 0)) ||
			    !heap_grows()) {
				held_tell("image_remap", nth, err);
				FAIL("the heap is not right");
			}
			route_unmap(segment.lo, PAGE);
			held_expect(&before, "image_remap", nth, err);
		}
}

TEST(image_takes_the_heap_of_its_last_page_along)
{
	remap_each_before_heap(RW, 1);
}

/* As linker scripts of 2005 have it. */
TEST(image_of_one_executable_segment_takes_the_heap_along)
{
	remap_each_before_heap(RW | PROT_EXEC, 1);
}

TEST(image_without_pages_puts_the_break_back)
{
	remap_each_before_heap(RW, 0);
}

/* Never with more access than what it shares a page with has: write, or read. */
TEST(image_does_not_take_a_heap_that_is_protected_otherwise)
{
	static const int prots[][2] = { { RW, PROT_READ }, { RW, PROT_NONE },
					{ RW, RW | PROT_EXEC }, { PROT_READ, RW } };

	pool_set(PAGE, 1);
	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		load_before_heap(prots[i][0]);
		mprotect((void *)segment.hi, HEAPS, prots[i][1]);
		image_remap(&segment);
		EXPECT_EQ(prot_at(segment.lo), prots[i][0]);
		EXPECT_EQ(prot_at(segment.hi), prots[i][1]);
		EXPECT_EQ(huge_in((void *)segment.lo, PAGE), 0);
		EXPECT_EQ(break_now(), segment.hi + HEAPS);
	}
}

static void *wait_for_byte(void *fd)
{
	char byte;

	return read(*(int *)fd, &byte, 1) == 1 ? fd : NULL;
}

TEST(image_does_not_move_the_heap_of_others_that_run)
{
	pthread_t other;
	int fds[2];

	pool_set(PAGE, 1);
	REQUIRE_EQ(pipe(fds), 0);
	REQUIRE_EQ(pthread_create(&other, NULL, wait_for_byte, &fds[0]), 0);
	load_before_heap(RW);
	image_remap(&segment);
	EXPECT_TRUE(is_right_before_heap(RW, false));
	EXPECT_EQ(write(fds[1], "", 1), 1);
	pthread_join(other, NULL);
	close(fds[0]);
	close(fds[1]);
}

/* No call, of any that are made, gives memory that can be written and executed. */
static size_t opened, calls;

static long watch_protections(long nr, const long args[6], bool *ret_handled)
{
	const bool protects = nr == SYS_mmap || nr == SYS_mprotect || nr == SYS_pkey_mprotect;
	const uintptr_t at = (uintptr_t)args[0];

	(void)ret_handled;
	calls++;
	if (protects && (args[2] & PROT_WRITE) && (args[2] & PROT_EXEC))
		opened++;
	if (protects && (args[2] & PROT_WRITE) && at < segment.hi && at + (size_t)args[1] > segment.lo)
		opened++;
	return 0;
}

TEST(image_of_text_is_writable_at_no_moment)
{
	struct kind k = { PROT_READ | PROT_EXEC, USE_TEXT, 0, 0 };

	for (size_t pages = 0; pages <= 3; pages++) {
		pool_set(PAGE, pages);
		load(&k);
		calls = opened = 0;
		sys_set_hook(watch_protections);
		image_remap(&segment);
		sys_set_hook(NULL);
		EXPECT_GT(calls, 0);
		EXPECT_EQ(opened, 0);
		EXPECT_TRUE(is_right(&k));
		unload();
	}
}
