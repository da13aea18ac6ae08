// SPDX-License-Identifier: MIT
/* Reservations and other processes: children, and who gets the descriptor. */
#include <stdio.h>

#include "tests/api/reserve.h"
#include "tests/harness/mount.h"
#include "tests/harness/program.h"

/* A mapping of a child's alone, made before the fork, forbids the cut as well. */
TEST(mapping_of_a_child_forbids_shrinking_until_it_ends)
{
	struct hresv_reservation *r;
	int go[2];
	char *at;
	pid_t pid;

	pool_set(PAGE, 2);
	r = reserved(2, 0);
	at = mapped(r, 1, 1);
	REQUIRE_EQ(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(go[1]);
		(void)!read(go[0], &byte, 1);
		memset(at, 4, PAGE);
		_exit(at[PAGE - 1] == 4 ? 0 : 1);
	}
	close(go[0]);
	EXPECT_EQ(hresv_unmap(r, at, PAGE), 0);
	EXPECT_EQ(hresv_shrink(r, PAGE), -EBUSY);
	close(go[1]);
	EXPECT_EQ(wait_status(pid), 0);
	EXPECT_EQ(hresv_shrink(r, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	hresv_release(r);
}

TEST(child_uses_an_inherited_shared_reservation)
{
	struct hresv_reservation *r;
	char *at;
	pid_t pid;

	pool_set(PAGE, 2);
	r = reserved(2, 0);
	pid = fork();
	if (pid == 0) {
		at = mapped(r, 0, 2);
		fill_pages(at, 2 * PAGE, 8);
		hresv_release(r);
		_exit(0);
	}
	EXPECT_EQ(wait_status(pid), 0);
	at = mapped(r, 0, 2);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 8));
	hresv_unmap(r, at, 2 * PAGE);
	hresv_release(r);
}

/* As whoever gets it by SCM_RIGHTS or across exec. */
TEST(reservation_passes_by_its_descriptor)
{
	struct hresv_reservation *r, *s = NULL;
	char *at, *other;
	int fd;

	pool_set(PAGE, 2);
	r = reserved(2, 0);
	fd = dup(hresv_reservation_fd(r));
	EXPECT_EQ(fcntl(hresv_reservation_fd(r), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	REQUIRE_EQ(hresv_reservation_open(fd, &s), 0);
	close(fd);
	at = mapped(r, 0, 2);
	other = mapped(s, 1, 1);
	memset(at + PAGE, 6, PAGE);
	EXPECT_EQ(other[PAGE - 1], 6);
	EXPECT_EQ(hresv_unmap(r, at, 2 * PAGE), 0);
	EXPECT_EQ(hresv_shrink(r, PAGE), -EBUSY);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(hresv_unmap(s, other, PAGE), 0);
	EXPECT_EQ(hresv_shrink(s, PAGE), 0);
	hresv_release(s);
	EXPECT_EQ(pool_free(PAGE), 2);
}

TEST(descriptor_that_is_no_reservation_is_refused)
{
	struct hresv_reservation *r = NULL;
	int fd = memfd_create("small", MFD_CLOEXEC), huge = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

	pool_set(PAGE, 2);
	EXPECT_EQ(hresv_reservation_open(-1, &r), -EBADF);
	EXPECT_EQ(hresv_reservation_open(fd, &r), -ENODEV);
	EXPECT_EQ(hresv_reservation_open(fd, NULL), -EINVAL);
	EXPECT_EQ(hresv_reservation_open(huge, &r), -ENODEV);
	REQUIRE_EQ(ftruncate(huge, PAGE), 0);
	EXPECT_EQ(hresv_reservation_open(huge, &r), -ESTALE);
	EXPECT_TRUE(!r);
	close(fd);
	close(huge);
}

/* The pool is empty, so a copy could not be made: what is held is the parent's alone. */
TEST(private_reservation_stays_the_parents_after_a_fork)
{
	struct hresv_reservation_info info;
	struct hresv_reservation *r;
	void *at;
	pid_t pid;

	pool_set(PAGE, 3);
	r = reserved(3, HRESV_PRIVATE);
	pid = fork();
	if (pid == 0) {
		EXPECT_EQ(hresv_map(r, 0, 0, 0, &at), -ESTALE);
		EXPECT_EQ(hresv_shrink(r, 0), -ESTALE);
		EXPECT_EQ(hresv_reservation_query(r, &info), -ESTALE);
		hresv_release(r);
		pause();
	}
	at = mapped(r, 0, 3);
	fill_pages(at, 3 * PAGE, 2);
	EXPECT_TRUE(holds_pages(at, 3 * PAGE, 2));
	EXPECT_EQ(huge_in(at, 3 * PAGE), 3 * PAGE);
	EXPECT_EQ(hresv_unmap(r, at, 3 * PAGE), 0);
	kill(pid, SIGKILL);
	wait_status(pid);
	EXPECT_EQ(held(r), 3);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 3);
}

/* What a fork made small is lost to the reservation and said; nothing dies. */
static void fork_with_a_part_mapped(void)
{
	struct hresv_reservation_info info;
	struct hresv_reservation *r;
	char *at;
	pid_t pid;

	r = reserved(2, HRESV_PRIVATE);
	at = mapped(r, 0, 2);
	fill_pages(at, 2 * PAGE, 4);
	pid = fork();
	if (pid == 0) {
		bool same = holds_pages(at, 2 * PAGE, 4);

		fill_pages(at, 2 * PAGE, 5);
		_exit(same && holds_pages(at, 2 * PAGE, 5) ? 0 : 1);
	}
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 4));
	fill_pages(at, 2 * PAGE, 6);
	EXPECT_EQ(wait_status(pid), 0);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 6));
	EXPECT_EQ(hresv_unmap(r, at, 2 * PAGE), 0);
	REQUIRE_EQ(hresv_reservation_query(r, &info), 0);
	EXPECT_EQ(info.bytes + info.lost_bytes, 2 * PAGE);
	EXPECT_EQ(pool_free(PAGE), info.lost_bytes / PAGE);
	hresv_release(r);
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* In a process of its own: copy-on-write of ours ends some time after the child. */
TEST(private_part_that_is_mapped_at_a_fork_keeps_its_content)
{
	pid_t pid;

	pool_set(PAGE, 2);
	pid = fork();
	if (pid == 0) {
		fork_with_a_part_mapped();
		_exit(0);
	}
	EXPECT_EQ(wait_status(pid), 0);
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* A mount with room for two pages: nothing is reserved there, and nothing beyond it held. */
PROGRAM(reserves_on_a_mount_of_two_pages)
{
	for (unsigned is_private = 0; is_private < 2; is_private++) {
		const unsigned flags = is_private ? HRESV_PRIVATE : 0;
		struct hresv_reservation *r;
		char *at;

		EXPECT_EQ(try_reserve(3, flags), HRESV_SHORT(HRESV_MOUNT));
		r = reserved(2, flags);
		EXPECT_EQ(try_reserve(1, flags), HRESV_SHORT(HRESV_MOUNT));
		at = mapped(r, 0, 2);
		fill_pages(at, 2 * PAGE, 3);
		EXPECT_TRUE(holds_pages(at, 2 * PAGE, 3));
		EXPECT_EQ(hresv_shrink(r, PAGE), -EBUSY);
		EXPECT_EQ(hresv_unmap(r, at, 2 * PAGE), 0);
		EXPECT_EQ(hresv_shrink(r, PAGE), 0);
		EXPECT_EQ(held(r), 1);
		hresv_release(r);
	}
}

TEST(reservation_on_a_mount_keeps_to_its_quota)
{
	char path[600];

	pool_set(PAGE, 6);
	snprintf(path, sizeof(path), "HUGETLB_PATH=%s", mount_hugetlbfs(PAGE, "size=4M"));
	run_with_us("reserves_on_a_mount_of_two_pages", path);
	EXPECT_EQ(pool_free(PAGE), 6);
	EXPECT_EQ(pool_resv(PAGE), 0);
}
