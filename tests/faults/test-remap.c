/* SPDX-License-Identifier: MIT */
/* mremap of memory of ours, each of its system calls failing in turn. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "tests/faults/act.h"
#include "tests/faults/old.h"

static long shrink(uintptr_t at)
{
	long got = route_remap(at, BYTES, PAGE + 4096, MREMAP_MAYMOVE, 0);

	return got == (long)at ? 0 : got;
}

TEST(mremap_that_shrinks_works_or_changes_nothing)
{
	warm_up(3);
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			char *at = map(MAP_PRIVATE);
			long got;

			fill_pages(at, BYTES, 6);
			faults_arm(nth, err);
			got = shrink((uintptr_t)at);
			fired = faults_fired();
			EXPECT_TRUE(got == 0 || fired);
			EXPECT_TRUE(holds_pages(at, got ? BYTES : PAGE + 4096, 6));
			EXPECT_EQ(route_unmap((uintptr_t)at, got ? BYTES : PAGE + 4096), 0);
			held_expect(&before, "route_remap", nth, err);
		}
}

/* To where the old and the new place lie alike on page lines, and to where they don't. */
static void move_each(size_t shift)
{
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			char *at = map(MAP_PRIVATE), *room, *now = at;
			uintptr_t to;
			long got;

			room = mmap(NULL, BYTES + 2 * PAGE, PROT_NONE, ANON, -1, 0);
			to = (((uintptr_t)room + PAGE - 1) & ~(PAGE - 1)) + shift;
			fill_pages(at, BYTES, 6);
			faults_arm(nth, err);
			got = route_remap((uintptr_t)at, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
					  to);
			fired = faults_fired();
			if (sys_failed(got)) {
				EXPECT_TRUE(fired);
			} else {
				EXPECT_EQ((uintptr_t)got, to);
				now = (char *)got;
			}
			if (!holds_pages(now, BYTES, 6)) {
				held_tell("route_remap", nth, err);
				EXPECT_EQ(shift, SIZE_MAX);
			}
			route_unmap((uintptr_t)now, BYTES);
			munmap(room, BYTES + 2 * PAGE);
			held_expect(&before, "route_remap", nth, err);
		}
}

TEST(mremap_to_a_place_alike_works_or_leaves_it_where_it_was)
{
	warm_up(3);
	move_each(0);
}

TEST(mremap_to_another_line_works_or_leaves_it_where_it_was)
{
	warm_up(3);
	move_each(8192);
}

TEST(mremap_that_grows_works_or_leaves_it_where_it_was)
{
	warm_up(3);
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			char *at = map(MAP_PRIVATE), *now = at;
			long got;

			fill_pages(at, BYTES, 6);
			faults_arm(nth, err);
			got = route_remap((uintptr_t)at, BYTES, 2 * BYTES, MREMAP_MAYMOVE, 0);
			fired = faults_fired();
			if (sys_failed(got)) {
				EXPECT_TRUE(fired);
			} else {
				now = (char *)got;
				fill_pages(now + BYTES, BYTES, 3);
			}
			EXPECT_TRUE(holds_pages(now, BYTES, 6));
			route_unmap((uintptr_t)now, now == at && sys_failed(got) ? BYTES : 2 * BYTES);
			held_expect(&before, "route_remap", nth, err);
		}
}

/* Ubuntu 22.04 has such a kernel: what moves there must not be lost. */
TEST(mremap_where_huge_pages_do_not_move_keeps_the_content)
{
	/* The answer is kept: what asks first must be told by that kernel. */
	old_kernel(OLD_NO_HUGE_MREMAP);
	EXPECT_EQ(place_moves(PAGE), PLACE_MOVES_NOT);
	old_kernel(0);
	warm_up(3);
	for (int shift = 0; shift <= 8192; shift += 8192)
		for (int grow = 0; grow < 2; grow++) {
			char *at = map(MAP_PRIVATE), *room, *now;
			long got;

			room = mmap(NULL, 2 * BYTES + 2 * PAGE, PROT_NONE, ANON, -1, 0);
			fill_pages(at, BYTES, 6);
			old_kernel(OLD_NO_HUGE_MREMAP);
			got = route_remap((uintptr_t)at, BYTES, BYTES << grow,
					  grow && !shift ? MREMAP_MAYMOVE : MREMAP_MAYMOVE | MREMAP_FIXED,
					  (((uintptr_t)room + PAGE - 1) & ~(PAGE - 1)) + (size_t)shift);
			old_kernel(0);
			if (sys_failed(got))
				fprintf(stderr, "# shift %d, grow %d: %ld\n", shift, grow, got);
			EXPECT_TRUE(!sys_failed(got));
			now = sys_failed(got) ? at : (char *)got;
			EXPECT_TRUE(holds_pages(now, BYTES, 6));
			route_unmap((uintptr_t)now, sys_failed(got) ? BYTES : BYTES << grow);
			munmap(room, 2 * BYTES + 2 * PAGE);
			EXPECT_EQ(stats_held(), 0);
		}
}

/* Before Linux 6.17 a call that spans two mappings is EFAULT; huge ones never merge again. */
static long one_mapping_a_call(long nr, const long args[6], bool *ret_handled)
{
	unsigned long lo, hi;
	char line[512];
	FILE *f;

	if (nr != SYS_mremap || (f = fopen("/proc/self/maps", "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && lo <= (unsigned long)args[0] &&
		    (unsigned long)args[0] < hi && (unsigned long)(args[0] + args[1]) > hi)
			*ret_handled = true;
	fclose(f);
	return -EFAULT;
}

TEST(mremap_of_huge_mappings_that_were_split_moves_them_one_by_one)
{
	warm_up(3);
	for (int blocked = 0; blocked < 2; blocked++) {
		char *at = map(MAP_PRIVATE);
		long got;

		fill_pages(at, BYTES, 6);
		/* With something behind it, it can't but move. */
		if (blocked)
			mmap(at + 3 * PAGE + 20 * KIB, 4096, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
		EXPECT_EQ(route_protect((uintptr_t)at + PAGE, PAGE, PROT_READ, -1), 0);
		EXPECT_EQ(route_protect((uintptr_t)at + PAGE, PAGE, RW, -1), 0);
		sys_set_hook(one_mapping_a_call);
		got = route_remap((uintptr_t)at, BYTES, 2 * BYTES, MREMAP_MAYMOVE, 0);
		sys_set_hook(NULL);
		REQUIRE_TRUE(!sys_failed(got));
		EXPECT_TRUE(holds_pages((char *)got, BYTES, 6));
		EXPECT_EQ(route_unmap((uintptr_t)got, 2 * BYTES), 0);
		EXPECT_EQ(stats_held(), 0);
	}
}

/* As copy-on-write of our own has it after a fork; what was mapped since then it hasn't. */
static int write_protect(char *at, size_t bytes)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = { .range = { (uintptr_t)at, bytes },
				       .mode = UFFDIO_REGISTER_MODE_WP };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP("userfaultfd: %s", strerror(errno));
	REQUIRE_EQ(ioctl(fd, UFFDIO_API, &api), 0);
	REQUIRE_EQ(ioctl(fd, UFFDIO_REGISTER, &reg), 0);
	return fd;
}

/* Since Linux 6.17 a call that spans them moves the first, and is EFAULT. */
TEST(mremap_of_mappings_of_which_userfaultfd_has_some_moves_them_all)
{
	warm_up(3);
	for (size_t first = 0; first < 3; first++) {
		char *at = map(MAP_PRIVATE);
		int fd = write_protect(at + first * PAGE, PAGE);
		long got;

		fill_pages(at, BYTES, 6);
		mmap(at + BYTES, 4096, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
		got = route_remap((uintptr_t)at, BYTES, 2 * BYTES, MREMAP_MAYMOVE, 0);
		close(fd);
		REQUIRE_TRUE(!sys_failed(got));
		EXPECT_NE(got, (long)at);
		EXPECT_EQ(huge_in((char *)got, BYTES), 3 * PAGE);
		EXPECT_TRUE(holds_pages((char *)got, BYTES, 6));
		EXPECT_EQ(route_unmap((uintptr_t)got, 2 * BYTES), 0);
		EXPECT_EQ(stats_held(), 0);
	}
}

/* The second mapping is refused, and meanwhile somebody maps where the first one was. */
static char *taken;
static int moved;

static long take_what_moved(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_mremap || !(args[3] & MREMAP_FIXED) || args[1] < (long)PAGE)
		return 0;
	*ret_handled = true;
	if (moved++)
		return -ENOMEM;
	if (mremap((void *)args[0], (size_t)args[1], (size_t)args[2], (int)args[3],
		   (void *)args[4]) == MAP_FAILED)
		return -errno;
	taken = mmap((void *)args[0], 4096, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	*taken = 'x';
	return args[4];
}

TEST(mremap_that_is_refused_half_way_leaves_what_others_have_mapped)
{
	char *at;
	int fd;

	warm_up(3);
	at = map(MAP_PRIVATE);
	fd = write_protect(at, PAGE);
	fill_pages(at, BYTES, 6);
	mmap(at + BYTES, 4096, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	sys_set_hook(take_what_moved);
	EXPECT_EQ(route_remap((uintptr_t)at, BYTES, 2 * BYTES, MREMAP_MAYMOVE, 0), -ENOMEM);
	sys_set_hook(NULL);
	close(fd);
	REQUIRE_EQ(taken, at);
	EXPECT_EQ(*taken, 'x');
	EXPECT_EQ(word_kind(pagemap_get((uintptr_t)taken)), PAGE_FOREIGN);
	EXPECT_EQ(word_kind(pagemap_get((uintptr_t)at + PAGE)), PAGE_PRIVATE);
	EXPECT_EQ(mapped_in(at + PAGE, BYTES - PAGE), BYTES - PAGE);
	munmap(taken, 4096);
	EXPECT_EQ(route_unmap((uintptr_t)at + PAGE, BYTES - PAGE), 0);
}

/* Whatever core unmaps, another thread maps at once. */
static long take_at_once(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_munmap)
		return 0;
	*ret_handled = true;
	munmap((void *)args[0], (size_t)args[1]);
	mmap((void *)args[0], (size_t)args[1], PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	return 0;
}

TEST(mremap_that_moves_and_grows_leaves_nobody_room_between)
{
	warm_up(3);
	for (int aligned = 0; aligned < 2; aligned++) {
		const size_t bytes = aligned ? 3 * PAGE : BYTES;
		char *at = map(MAP_PRIVATE), *now;

		if (aligned)
			EXPECT_EQ(route_unmap((uintptr_t)at + bytes, BYTES - bytes), 0);
		mmap(at + bytes, 4096, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
		fill_pages(at, bytes, 6);
		sys_set_hook(take_at_once);
		now = (char *)route_remap((uintptr_t)at, bytes, 2 * bytes, MREMAP_MAYMOVE, 0);
		sys_set_hook(NULL);
		REQUIRE_TRUE(!sys_failed((long)now));
		EXPECT_NE(now, at);
		EXPECT_TRUE(holds_pages(now, bytes, 6));
		EXPECT_TRUE(is_zero(now + bytes, bytes));
		fill_pages(now, 2 * bytes, 7);
		/* It is one mapping to the program. */
		at = (char *)route_remap((uintptr_t)now, 2 * bytes, bytes, 0, 0);
		EXPECT_EQ(at, now);
		EXPECT_EQ(route_unmap((uintptr_t)now, bytes), 0);
		EXPECT_EQ(stats_held(), 0);
	}
}
