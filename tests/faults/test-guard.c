/* SPDX-License-Identifier: MIT */
/*
 * The program's own huge requests, each system call failing in turn: proven, or an
 * errno, and then nothing of it is left and nothing that was there is gone.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/guard.h"
#include "core/route.h"
#include "tests/faults/held.h"
#include "tests/faults/old.h"

#define BYTES (2 * PAGE)

/* Where the program wants it, and what is there. */
enum place { ANYWHERE, HINT_FREE, HINT_TAKEN, FIXED_FREE, FIXED_SMALL, FIXED_OURS, NOREPLACE };

struct ask {
	enum place place;
	int flags;
	bool file;
};

struct there {
	char *room, *at;	/* address space of our own, and a page line in it */
	bool filled;
};

static struct there set_up(enum place place)
{
	const struct request ours = { .bytes = 3 * PAGE, .prot = RW, .flags = ANON, .fd = -1 };
	struct there t = { 0 };

	if (place == ANYWHERE)
		return t;
	if (place == FIXED_OURS) {
		t.room = t.at = (char *)route_map(&ours);
	} else {
		t.room = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
		t.at = (char *)(((uintptr_t)t.room + PAGE - 1) & ~(PAGE - 1));
	}
	t.filled = place == FIXED_OURS || place == FIXED_SMALL || place == HINT_TAKEN;
	if (t.filled)
		fill_pages(t.at, BYTES, 8);
	else
		munmap(t.room, 3 * PAGE);
	return t;
}

static void tear_down(const struct there *t)
{
	if (t->filled)
		route_unmap((uintptr_t)t->room, 3 * PAGE);
}

static long ask(const struct ask *a, const struct there *t, int fd)
{
	struct request rq = { .at = (uintptr_t)t->at, .bytes = BYTES, .prot = RW,
			      .flags = a->flags, .fd = fd };

	if (fd < 0)
		rq.flags |= MAP_ANONYMOUS | MAP_HUGETLB;
	if (a->place >= FIXED_FREE)
		rq.flags |= a->place == NOREPLACE ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	return route_map(&rq);
}

static int new_file(const struct ask *a)
{
	int fd = -1;

	if (a->file) {
		fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
		REQUIRE_EQ(ftruncate(fd, BYTES), 0);
	}
	return fd;
}

/* Returns whether a call failed. */
static bool ask_once(const struct ask *a, int nth, int err)
{
	int fd = new_file(a);
	struct there t = set_up(a->place);
	bool fired;
	long at;

	if (nth)
		faults_arm(nth, err);
	at = ask(a, &t, fd);
	fired = nth && faults_fired();
	if (!sys_failed(at)) {
		if (a->place >= FIXED_FREE)
			EXPECT_EQ((char *)at, t.at);
		EXPECT_EQ(huge_in((void *)at, BYTES), BYTES);
		fill_pages((void *)at, BYTES, 2);
		EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
	} else {
		if (at != -ENOMEM && at != -err)
			held_tell("guard_map", nth, err);
		EXPECT_TRUE(at == -ENOMEM || at == -err);
		EXPECT_TRUE(fired);
		if (t.filled)
			EXPECT_TRUE(holds_pages(t.at, BYTES, 8));
	}
	if (fd >= 0)
		close(fd);
	tear_down(&t);
	return fired;
}

static void ask_each(struct ask a)
{
	pool_set(PAGE, a.place == FIXED_OURS ? 5 : 2);
	held_grow_records();
	HELD_EACH_ERRNO(err) {
		int nth = 0;

		for (bool fired = true; fired && nth < HELD_CALLS_MOST; ) {
			const struct held before = held_now();

			fired = ask_once(&a, ++nth, err);
			held_expect(&before, "guard_map", nth, err);
		}
		EXPECT_LT(nth, HELD_CALLS_MOST);
	}
}

TEST(guarded_private_mapping_is_proven_or_nothing)
{
	ask_each((struct ask){ ANYWHERE, MAP_PRIVATE, false });
}

TEST(guarded_shared_mapping_is_proven_or_nothing)
{
	ask_each((struct ask){ ANYWHERE, MAP_SHARED, false });
	ask_each((struct ask){ ANYWHERE, MAP_SHARED | MAP_POPULATE, false });
}

TEST(guarded_hint_is_proven_or_nothing)
{
	ask_each((struct ask){ HINT_FREE, MAP_PRIVATE, false });
	ask_each((struct ask){ HINT_TAKEN, MAP_PRIVATE, false });
}

TEST(guarded_fixed_mapping_leaves_what_was_there_when_refused)
{
	ask_each((struct ask){ FIXED_FREE, MAP_PRIVATE, false });
	ask_each((struct ask){ FIXED_SMALL, MAP_PRIVATE, false });
}

TEST(guarded_fixed_mapping_over_ours_leaves_what_was_there_when_refused)
{
	ask_each((struct ask){ FIXED_OURS, MAP_PRIVATE, false });
}

TEST(guarded_noreplace_is_proven_or_nothing)
{
	ask_each((struct ask){ NOREPLACE, MAP_PRIVATE, false });
}

TEST(guarded_file_is_proven_or_nothing)
{
	ask_each((struct ask){ ANYWHERE, MAP_SHARED, true });
	ask_each((struct ask){ ANYWHERE, MAP_PRIVATE, true });
	ask_each((struct ask){ NOREPLACE, MAP_SHARED, true });
}

TEST(guarded_fixed_file_leaves_what_was_there_when_refused)
{
	ask_each((struct ask){ FIXED_SMALL, MAP_SHARED, true });
	ask_each((struct ask){ FIXED_OURS, MAP_SHARED, true });
}

/* Linux 5.15: what is built aside can't be moved, so it is built where it shall be. */
TEST(guarded_mapping_where_huge_pages_do_not_move_is_still_huge)
{
	old_kernel(OLD_NO_HUGE_MREMAP | OLD_NO_POPULATE);
	for (int place = ANYWHERE; place <= NOREPLACE; place++)
		for (int file = 0; file < 2; file++) {
			const struct ask a = { (enum place)place, file ? MAP_SHARED : MAP_PRIVATE,
					       file };
			struct held before;

			pool_set(PAGE, place == FIXED_OURS ? 5 : 2);
			ask_once(&a, 0, 0);
			before = held_now();
			ask_once(&a, 0, 0);
			EXPECT_EQ(held_now().in_use, before.in_use);
			EXPECT_EQ(held_now().words, before.words);
			EXPECT_EQ(held_now().counted, before.counted);
		}
}

/*
 * Whether huge pages move can't be found out for want of memory, and what is proven
 * aside could not be proven again: MAP_FIXED must not be tried in hope.
 */
static long no_memory_to_ask(long nr, const long args[6], bool *ret_handled)
{
	static int proofs;
	const bool proves = nr == SYS_madvise && args[2] == 23;

	*ret_handled = nr == SYS_mremap || (proves && proofs++ > 0);
	return nr == SYS_mremap ? -ENOMEM : -EFAULT;
}

static void ask_without_memory_to_ask(enum place place, int flags, bool file)
{
	const struct ask a = { place, flags, file };
	int fd = new_file(&a);
	struct there t;

	pool_set(PAGE, place == FIXED_OURS ? 5 : 2);
	t = set_up(place);
	sys_set_hook(no_memory_to_ask);
	EXPECT_EQ(ask(&a, &t, fd), -ENOMEM);
	sys_set_hook(NULL);
	EXPECT_TRUE(holds_pages(t.at, BYTES, 8));
	tear_down(&t);
	EXPECT_EQ(stats_held(), 0);
	if (fd >= 0)
		close(fd);
}

TEST(guarded_fixed_mapping_is_enomem_where_nobody_knows_if_pages_move)
{
	ask_without_memory_to_ask(FIXED_SMALL, MAP_PRIVATE, false);
}

TEST(guarded_fixed_mapping_over_ours_is_enomem_where_nobody_knows_if_pages_move)
{
	ask_without_memory_to_ask(FIXED_OURS, MAP_PRIVATE, false);
}

TEST(guarded_fixed_file_is_enomem_where_nobody_knows_if_pages_move)
{
	ask_without_memory_to_ask(FIXED_SMALL, MAP_PRIVATE, true);
}

/* The pool is short, and a call fails besides. */
TEST(guarded_mapping_from_a_short_pool_leaves_nothing)
{
	const struct ask asks[] = { { ANYWHERE, MAP_PRIVATE, false }, { ANYWHERE, MAP_SHARED, false },
				    { FIXED_SMALL, MAP_PRIVATE, false },
				    { ANYWHERE, MAP_SHARED, true }, { ANYWHERE, MAP_PRIVATE, true },
				    { FIXED_SMALL, MAP_SHARED, true } };

	pool_set(PAGE, 1);
	held_grow_records();
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		HELD_EACH_ERRNO(err)
			for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
				const struct held before = held_now();
				int fd = new_file(&asks[i]);
				struct there t = set_up(asks[i].place);
				long at;

				faults_arm(nth, err);
				at = ask(&asks[i], &t, fd);
				fired = faults_fired();
				EXPECT_TRUE(at == -ENOMEM || (fired && at == -err));
				if (t.filled)
					EXPECT_TRUE(holds_pages(t.at, BYTES, 8));
				tear_down(&t);
				if (fd >= 0)
					close(fd);
				held_expect(&before, "guard_map", nth, err);
			}
}
